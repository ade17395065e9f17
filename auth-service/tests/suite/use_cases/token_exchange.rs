//! Tokens that are exchanged for others, so that a service calls another one for its user (RFC 8693).

use auth_service::authority::grants::TokenExchangeGrant;
use auth_service::clients::ExchangeRule;
use auth_service::error::AdminFault;
use serde_json::json;

use super::login::{Chrome, code, redeem, web};
use super::*;

/// A shop calls a warehouse, which calls a bank.
struct Chain {
    at: InProcess,
    web: Arc<Client>,
    shop: Arc<Client>,
    stock: Arc<Client>,
}

const SCOPE: &str = "buy take pay";

impl Chain {
    fn new() -> Self {
        let at = InProcess::new();
        at.user("alice");
        let client = |id: &str, audience: &str| {
            at.client_like(id, |new| {
                new.scope = ScopeSet::parse(SCOPE).unwrap();
                new.audiences = vec![audience.to_owned()];
            })
        };
        let (web, shop, stock) = (client("web", "shop"), client("shop", "shop"), client("stock", "stock"));
        at.audience("stock-only");
        at.audience("bank");
        let this = Self { at, web, shop, stock };
        this.allow("shop", ("shop", "stock"), "take pay", false);
        this.allow("stock", ("stock", "bank"), "pay", false);
        this
    }

    fn rule(client: &str, (from, to): (&str, &str), scope: &str, impersonates: bool) -> ExchangeRule {
        let client_id = ClientId::parse(client).unwrap();
        let scope = ScopeSet::parse(scope).unwrap();
        ExchangeRule { client_id, from: from.to_owned(), to: to.to_owned(), scope, impersonates }
    }

    fn allow(&self, client: &str, audiences: (&str, &str), scope: &str, impersonates: bool) {
        self.at.authority.allow_exchange(&Self::rule(client, audiences, scope, impersonates)).unwrap();
        self.at.see_changes();
    }

    fn exchange(
        &self,
        client: &Arc<Client>,
        token: &str,
        asked: Asked<'_>,
    ) -> Result<IssuedTokens, ErrorKind> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        self.at.grant(
            client,
            Grant::TokenExchange(Box::new(TokenExchangeGrant {
                unverified_subject_token: token.to_owned(),
                unverified_actor_token: owned(asked.actor),
                scope: owned(asked.scope),
                audience: owned(asked.audience),
                context: context(),
            })),
        )
    }

    /// Of the user, of the shop for the user, and of the warehouse for the shop for the user.
    fn tokens(&self) -> (Pair, [String; 3]) {
        let pair = self.at.log_in(&self.web, "alice");
        let second = self.exchange(&self.shop, &pair.access, Asked::default()).unwrap().access_token;
        let third = self.exchange(&self.stock, &second, Asked::default()).unwrap().access_token;
        let tokens = [pair.access.clone(), second, third];
        (pair, tokens)
    }

    fn audited(&self) -> Vec<String> {
        let entries = self.at.authority.storage.audit_entries(0, 1000).unwrap();
        let of_exchange = entries.into_iter().filter(|link| link.entry.action == "token.exchanged");
        of_exchange.map(|link| link.entry.detail).collect()
    }
}

#[derive(Default)]
struct Asked<'a> {
    audience: Option<&'a str>,
    scope: Option<&'a str>,
    actor: Option<&'a str>,
}

#[test]
fn each_service_of_a_chain_acts_for_the_one_before_it_and_the_user_stays_who_they_are() {
    let chain = Chain::new();
    let (_, [first, second, third]) = chain.tokens();
    let (first, second, third) = (claims(&first), claims(&second), claims(&third));
    assert_eq!(
        (&first["aud"], &second["aud"], &third["aud"]),
        (&json!("shop"), &json!("stock"), &json!("bank"))
    );
    for exchanged in [&second, &third] {
        for same in ["iss", "sub", "sid", "auth_time", "roles", "user_id", "amr"] {
            assert_eq!(exchanged[same], first[same], "{same}");
        }
        assert!(exchanged["exp"].as_u64() <= first["exp"].as_u64());
        assert_ne!(exchanged["jti"], first["jti"]);
    }
    assert_eq!((&second["client_id"], &third["client_id"]), (&json!("shop"), &json!("stock")));
    assert_eq!((&second["scope"], &third["scope"]), (&json!("pay take"), &json!("pay")));
    assert_eq!(first.get("act"), None);
    assert_eq!(second["act"], json!({"sub": "client:shop"}));
    assert_eq!(third["act"], json!({"sub": "client:stock", "act": {"sub": "client:shop"}}));
    assert_eq!((&second["via"], &third["via"]), (&json!(["web"]), &json!(["web", "shop"])));
    let audited = chain.audited();
    let sub = first["sub"].as_str().unwrap();
    assert_eq!(
        audited,
        [
            format!("acts for {sub}, from shop to stock, actors client:shop"),
            format!("acts for {sub}, from stock to bank, actors client:stock for client:shop"),
        ]
    );
}

#[test]
fn an_answer_says_what_was_issued_and_never_a_refresh_token() {
    let chain = Chain::new();
    let pair = chain.at.log_in(&chain.web, "alice");
    let issued = chain.exchange(&chain.shop, &pair.access, Asked::default()).unwrap();
    let kind = Some("urn:ietf:params:oauth:token-type:access_token");
    assert_eq!((issued.issued_token_type, issued.token_type(), issued.expires_in), (kind, "Bearer", 300));
    assert!(issued.refresh_token.is_none() && issued.id_token.is_none());
    let narrow = Asked { scope: Some("take"), audience: Some("stock"), ..Asked::default() };
    assert_eq!(chain.exchange(&chain.shop, &pair.access, narrow).unwrap().scope, "take");
    chain.at.clock.advance(Duration::from_secs(200));
    let issued = chain.exchange(&chain.shop, &pair.access, Asked::default()).unwrap();
    assert_eq!(issued.expires_in, 100, "no longer than what it came from");
    chain.at.clock.advance(Duration::from_secs(100));
    assert!(chain.exchange(&chain.shop, &pair.access, Asked::default()).is_err(), "it has expired");
}

fn is_refused(outcome: Result<IssuedTokens, ErrorKind>, expected: &str) {
    let kind = outcome.map(|issued| claims(&issued.access_token)).unwrap_err();
    let (_, code, hint) = auth_service::http::oauth_error(kind);
    assert!(format!("{code}: {hint}").contains(expected), "{expected:?}: {code}: {hint}");
}

#[test]
fn what_no_rule_allows_is_denied() {
    let chain = Chain::new();
    let Chain { at, web, shop, stock } = &chain;
    let (pair, [_, second, third]) = chain.tokens();
    let user = pair.access.as_str();
    let exchange = |client, token: &str, asked| chain.exchange(client, token, asked);
    let to = |audience| Asked { audience: Some(audience), ..Asked::default() };
    let with_scope = |scope| Asked { scope: Some(scope), ..Asked::default() };
    let (of_stock, of_shop) = (at.client_token(stock), at.client_token(shop));
    let acting = |actor| Asked { actor: Some(actor), ..Asked::default() };
    is_refused(exchange(web, user, Asked::default()), "may not exchange this token");
    is_refused(exchange(stock, user, Asked::default()), "may not exchange this token");
    is_refused(exchange(shop, &second, Asked::default()), "may not exchange this token");
    is_refused(exchange(shop, &third, Asked::default()), "may not exchange this token");
    is_refused(exchange(shop, user, to("bank")), "invalid_target");
    is_refused(exchange(shop, user, to("shop")), "invalid_target");
    is_refused(exchange(shop, user, to("nowhere")), "invalid_target");
    is_refused(exchange(shop, user, with_scope("buy")), "invalid_scope");
    is_refused(exchange(shop, user, with_scope("take admin")), "invalid_scope");
    is_refused(exchange(shop, user, with_scope("take  \"")), "invalid_scope");
    is_refused(exchange(shop, &pair.refresh, Asked::default()), "subject token is not a valid");
    is_refused(exchange(shop, "a.b.c", Asked::default()), "subject token is not a valid");
    is_refused(exchange(shop, "a.b.c.d.e", Asked::default()), "encrypted");
    is_refused(exchange(shop, "", Asked::default()), "subject token is not a valid");
    is_refused(exchange(shop, user, acting("a.b.c")), "actor token is not a valid");
    is_refused(exchange(shop, user, acting(&pair.refresh)), "actor token is not a valid");
    is_refused(exchange(shop, user, acting(&of_stock)), "not the client's own");
    is_refused(exchange(shop, user, acting(user)), "not the client's own");
    let account = at.authority.issue_account_token(&pair.refresh);
    assert!(account.is_err(), "of another client's refresh token there is none");
    let spa = at.try_client("spa", |new| {
        web_public(new);
    });
    let spa = spa.map_err(|error| error.cause).unwrap().0;
    is_refused(exchange(&spa, user, Asked::default()), "unauthorized_client");
    chain.allow("shop", ("shop", "bank"), "pay", false);
    is_refused(exchange(shop, user, Asked::default()), "`audience` is missing");
    assert_eq!(exchange(shop, user, to("bank")).unwrap().scope, "pay");
    at.authority.deny_exchange(&ClientId::parse("shop").unwrap(), "shop", "bank").unwrap();
    at.see_changes();
    is_refused(exchange(shop, user, to("bank")), "invalid_target");
    assert!(exchange(shop, user, acting(&of_shop)).is_ok(), "a token of its own may say who acts");
}

fn web_public(new: &mut NewClient) {
    web(new);
    new.method = ClientMethod::None;
}

#[test]
fn a_token_of_another_kind_is_not_exchanged() {
    let chain = Chain::new();
    let login = chain.at.client_like("login", |new| {
        web(new);
        new.audiences = vec!["shop".to_owned()];
    });
    let code = code(&Chrome::new(&chain.at).log_in("alice", &[("client_id", "login")])).to_owned();
    let issued = redeem(&chain.at, &login, &code).unwrap();
    is_refused(
        chain.exchange(&chain.shop, &issued.id_token.unwrap(), Asked::default()),
        "subject token is not a valid",
    );
    let exchanged = chain.exchange(&chain.shop, &issued.access_token, Asked::default()).unwrap();
    assert_eq!(claims(&exchanged.access_token)["acr"], claims(&issued.access_token)["acr"]);
}

#[test]
fn a_chain_dies_with_the_session_of_its_user() {
    let chain = Chain::new();
    let (_, tokens) = chain.tokens();
    let (other, others) = chain.tokens();
    let session = claims(&tokens[0])["sid"].as_str().unwrap().to_owned();
    chain.at.authority.end_session_by_id(&session).unwrap();
    chain.at.see_changes();
    for (token, other) in tokens.iter().zip(&others) {
        assert_eq!(chain.at.verify(token), Err(REVOKED));
        assert_eq!(chain.at.verify(other), Ok(()), "another session goes on");
    }
    is_refused(chain.exchange(&chain.shop, &tokens[0], Asked::default()), "not a valid");
    is_refused(chain.exchange(&chain.stock, &tokens[1], Asked::default()), "not a valid");
    drop(other);
}

#[test]
fn a_chain_dies_with_each_of_its_services() {
    for (disabled, survivors) in
        [("shop", [true, false, false]), ("stock", [true, true, false]), ("web", [false; 3])]
    {
        let chain = Chain::new();
        let (_, tokens) = chain.tokens();
        chain.at.authority.disable_client(&ClientId::parse(disabled).unwrap()).unwrap();
        chain.at.see_changes();
        let live = tokens.map(|token| chain.at.verify(&token).is_ok());
        assert_eq!(live, survivors, "{disabled}");
    }
}

#[test]
fn a_service_that_acts_for_itself_may_be_acted_for() {
    let chain = Chain::new();
    let own = chain.at.grant(
        &chain.web,
        Grant::ClientCredentials(ClientCredentialsGrant {
            audience: Some("shop".to_owned()),
            ..Default::default()
        }),
    );
    let exchanged = chain.exchange(&chain.shop, &own.unwrap().access_token, Asked::default()).unwrap();
    let told = claims(&exchanged.access_token);
    assert_eq!((&told["sub"], &told["act"]), (&json!("client:web"), &json!({"sub": "client:shop"})));
    assert!(told.get("sid").is_none() && told.get("roles").is_none());
    chain.at.authority.disable_client(&ClientId::parse("web").unwrap()).unwrap();
    chain.at.see_changes();
    assert_eq!(chain.at.verify(&exchanged.access_token), Err(REVOKED), "it was of a client that is no more");
}

#[test]
fn impersonation_takes_a_rule_that_says_so_and_is_written_down_each_time() {
    let chain = Chain::new();
    let (pair, [_, second, _]) = chain.tokens();
    chain.allow("stock", ("stock", "bank"), "pay", true);
    let before = chain.audited().len();
    let third = chain.exchange(&chain.stock, &second, Asked::default()).unwrap();
    let again = chain.exchange(&chain.stock, &second, Asked::default()).unwrap();
    for issued in [third, again] {
        assert_eq!(
            claims(&issued.access_token)["act"],
            json!({"sub": "client:shop"}),
            "those before stay named"
        );
    }
    let audited = chain.audited();
    assert_eq!(audited.len(), before + 2);
    assert!(audited.last().unwrap().starts_with("impersonates "), "{audited:?}");
    // Who impersonates has a part in what comes after.
    chain.allow("shop", ("bank", "shop"), "pay", false);
    let third = chain.exchange(&chain.stock, &second, Asked::default()).unwrap().access_token;
    let fourth = chain.exchange(&chain.shop, &third, Asked::default()).unwrap().access_token;
    assert_eq!(claims(&fourth)["via"], json!(["web", "shop", "stock"]));
    let before = chain.audited().len() - 2;
    // Others are written down once an hour for each session, client and audience.
    let exchanges =
        || (0..5).for_each(|_| drop(chain.exchange(&chain.shop, &pair.access, Asked::default()).unwrap()));
    exchanges();
    assert_eq!(chain.audited().len(), before + 2);
    let (other, _) = chain.tokens();
    assert_eq!(chain.audited().len(), before + 4, "another session");
    drop(other);
}

/// What is refused for its sender has not taken place.
#[test]
fn an_exchange_without_its_proof_is_not_written_down() {
    let chain = Chain::new();
    let bound =
        auth_service::clients::ClientChange { token_binding: Some(TokenBinding::Dpop), ..Default::default() };
    chain.at.authority.update_client(&chain.shop.id, bound).unwrap();
    chain.at.see_changes();
    let shop = chain.at.authority.clients.enabled(&chain.shop.id).unwrap();
    let pair = chain.at.log_in(&chain.web, "alice");
    is_refused(chain.exchange(&shop, &pair.access, Asked::default()), "invalid_dpop_proof");
    assert!(chain.audited().is_empty());
}

#[test]
fn a_chain_has_an_end() {
    let chain = Chain::new();
    let (_, [_, mut token, _]) = chain.tokens();
    chain.allow("shop", ("stock", "shop"), "take pay", false);
    for length in 2.. {
        let (client, to) = if length % 2 == 0 { (&chain.shop, "shop") } else { (&chain.shop, "stock") };
        match chain.exchange(client, &token, Asked { audience: Some(to), ..Asked::default() }) {
            Ok(issued) if length <= 8 => token = issued.access_token,
            refused => {
                assert_eq!(length, 9);
                is_refused(refused, "too many actors");
                break;
            }
        }
    }
}

#[test]
fn rules_are_for_what_is_registered_and_go_with_their_client() {
    let chain = Chain::new();
    let at = &chain.at;
    let fault =
        |rule: ExchangeRule| at.authority.allow_exchange(&rule).map_err(|error| error.kind).unwrap_err();
    let invalid = ErrorKind::Admin(AdminFault::Invalid);
    let unknown = ErrorKind::Admin(AdminFault::NotFound);
    assert_eq!(fault(Chain::rule("nobody", ("shop", "stock"), "pay", false)), unknown);
    assert_eq!(fault(Chain::rule("shop", ("nowhere", "stock"), "pay", false)), unknown);
    assert_eq!(fault(Chain::rule("shop", ("shop", "nowhere"), "pay", false)), unknown);
    assert_eq!(fault(Chain::rule("shop", ("shop", "shop"), "pay", false)), invalid);
    at.try_client("spa", web_public).map_err(|error| error.cause).unwrap();
    assert_eq!(fault(Chain::rule("spa", ("shop", "stock"), "pay", false)), invalid);
    let deleted = at.authority.delete_audience("bank").map_err(|error| error.kind);
    assert_eq!(deleted, Err(ErrorKind::Admin(AdminFault::InUse)), "a rule names it");
    chain.allow("shop", ("shop", "stock"), "take", false);
    assert_eq!(at.authority.exchange_rules().unwrap().len(), 2, "the same rule with another scope");
    at.authority.delete_client(&ClientId::parse("stock").unwrap()).unwrap();
    let left = at.authority.exchange_rules().unwrap();
    assert_eq!(left, [Chain::rule("shop", ("shop", "stock"), "take", false)]);
    at.authority.delete_audience("bank").unwrap();
    let denied = at.authority.deny_exchange(&ClientId::parse("shop").unwrap(), "shop", "bank");
    assert_eq!(denied.map_err(|error| error.kind), Err(unknown));
}
