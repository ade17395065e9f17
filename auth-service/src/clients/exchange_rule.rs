use shared_claims::ScopeSet;

use super::ClientId;

/// What lets a client exchange the tokens that it is sent for tokens of its own (RFC 8693). Without one it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRule {
    pub client_id: ClientId,
    /// An audience of the client's own: tokens for it are what others send to it.
    pub from: String,
    /// The audience of the service that it calls then.
    pub to: String,
    /// The most that it gets of the scope of a token.
    pub scope: ScopeSet,
    /// Whether the new token says nothing of the client (RFC 8693 section 1.1): to whom it is sent, it is the user's own.
    pub impersonates: bool,
}

/// What a client may not exchange, or not without saying more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRule {
    /// No rule of the client begins with any audience of the token.
    From,
    /// There are some, but none for the audience that it asks for.
    To,
    /// It asks for none, and there are rules for several.
    Ambiguous,
}

impl ExchangeRule {
    /// The rule for a token with these audiences, out of those of a client.
    ///
    /// # Errors
    /// [`NoRule`].
    pub fn choose<'a>(rules: &'a [Self], audiences: &[String], to: Option<&str>) -> Result<&'a Self, NoRule> {
        let mut fitting = rules.iter().filter(|rule| audiences.contains(&rule.from)).peekable();
        if fitting.peek().is_none() {
            return Err(NoRule::From);
        }
        let mut wanted = fitting.filter(|rule| to.is_none_or(|to| rule.to == to));
        match (wanted.next(), wanted.next()) {
            (None, _) => Err(NoRule::To),
            // A token for two audiences may fall under two rules with one target: the first by name.
            (Some(rule), Some(other)) if other.to != rule.to => Err(NoRule::Ambiguous),
            (Some(rule), _) => Ok(rule),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: &str, to: &str) -> ExchangeRule {
        ExchangeRule {
            client_id: ClientId::parse("shop").unwrap(),
            from: from.to_owned(),
            to: to.to_owned(),
            scope: ScopeSet::default(),
            impersonates: false,
        }
    }

    #[test]
    fn a_rule_is_chosen_by_what_a_token_is_for_and_what_is_asked() {
        let rules = [rule("shop", "stock"), rule("shop", "bank"), rule("till", "stock")];
        let choose = |audiences: &[&str], to| {
            let audiences: Vec<String> = audiences.iter().map(|name| (*name).to_owned()).collect();
            ExchangeRule::choose(&rules, &audiences, to).map(|rule| (rule.from.clone(), rule.to.clone()))
        };
        let found = |from: &str, to: &str| Ok((from.to_owned(), to.to_owned()));
        assert_eq!(choose(&["shop"], Some("stock")), found("shop", "stock"));
        assert_eq!(choose(&["shop"], Some("bank")), found("shop", "bank"));
        assert_eq!(choose(&["till"], None), found("till", "stock"), "there is one alone");
        assert_eq!(choose(&["shop"], None), Err(NoRule::Ambiguous));
        assert_eq!(choose(&["till"], Some("bank")), Err(NoRule::To));
        assert_eq!(choose(&["stock"], Some("stock")), Err(NoRule::From));
        assert_eq!(choose(&[], None), Err(NoRule::From));
        assert_eq!(choose(&["till", "shop"], Some("stock")), found("shop", "stock"));
        assert_eq!(ExchangeRule::choose(&[], &["shop".to_owned()], None), Err(NoRule::From));
    }
}
