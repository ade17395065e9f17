use std::time::Duration;

use shared_claims::{ScopeSet, Thumbprint};

use super::claims_parameter::RequestedClaims;
use super::fault::AuthorizeFault;
use super::parameters::{Fault, Parameters};
use super::prompt::{AcrWish, Prompt, acr_wish};
use super::response::{Recipient, ResponseMode};
use crate::authority::Authority;
use crate::clients::{Client, GrantType, Pkce, TokenBinding};

/// Longest nonce, in bytes: it comes back in the ID token.
const MAX_NONCE: usize = 512;

/// Longest hint at a username, in bytes.
const MAX_HINT: usize = 320;

/// An authorization request that holds (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1).
#[derive(Debug, Clone)]
pub(super) struct AuthorizationRequest {
    pub recipient: Recipient,
    pub scope: ScopeSet,
    /// What the user allows: the scope, and the scopes of claims that are asked for by name.
    pub allowed_scope: ScopeSet,
    pub audience: String,
    /// Of PKCE, by S256.
    pub challenge: Option<String>,
    /// The key that the tokens will be bound to (RFC 9449 section 10).
    pub dpop_jkt: Option<Thumbprint>,
    pub nonce: Option<String>,
    pub prompt: Prompt,
    pub max_age: Option<Duration>,
    pub acr: AcrWish,
    pub login_hint: Option<String>,
    /// The user that an earlier ID token names.
    pub hinted_user: Option<String>,
    /// Languages that the user reads, in order.
    pub ui_locales: Option<String>,
    pub claims: RequestedClaims,
}

impl Authority {
    /// Everything of a request that is not its recipient.
    ///
    /// # Errors
    /// What the client is told.
    pub(super) fn authorization_request(
        &self,
        recipient: &Recipient,
        parameters: &Parameters,
    ) -> Result<AuthorizationRequest, AuthorizeFault> {
        let get = |name| parameters.get(name).map_err(told);
        // One by one, that none is left out.
        for name in ["state", "response_mode", "display"] {
            get(name)?;
        }
        refuse_what_is_not_offered(parameters)?;
        if !parameters.fits() {
            return Err(AuthorizeFault::InvalidRequest("the request is longer than 7 KiB"));
        }
        if get("response_mode")?.is_some_and(|mode| ResponseMode::parse(mode).is_none()) {
            return Err(AuthorizeFault::InvalidRequest("`response_mode` is neither `query` nor `form_post`"));
        }
        match get("response_type")? {
            None => return Err(AuthorizeFault::InvalidRequest("the parameter `response_type` is missing")),
            Some("code") => {}
            Some(_) => return Err(AuthorizeFault::UnsupportedResponseType),
        }
        let client = &recipient.client;
        client.check_grant(GrantType::AuthorizationCode).map_err(|_| AuthorizeFault::UnauthorizedClient)?;
        let scope = client.narrow_scope(get("scope")?).map_err(|_| AuthorizeFault::InvalidScope)?;
        let mut claims = match get("claims")? {
            None => RequestedClaims::default(),
            Some(text) => {
                RequestedClaims::parse(text).ok_or(AuthorizeFault::InvalidRequest("`claims` is malformed"))?
            }
        };
        let allowed_scope = claims.keep_to(&client.scope, &scope);
        let hinted = get("id_token_hint")?.map(|hint| self.user_of_hint(hint, client)).transpose()?;
        Ok(AuthorizationRequest {
            audience: self.audience_of(recipient, get("resource")?, get("audience")?)?,
            challenge: challenge(recipient, get("code_challenge")?, get("code_challenge_method")?)?,
            dpop_jkt: get("dpop_jkt")?.map(|text| thumbprint(text, client)).transpose()?,
            nonce: bounded(get("nonce")?, MAX_NONCE, "`nonce` is longer than 512 bytes")?,
            prompt: Prompt::parse(get("prompt")?.unwrap_or_default())?,
            max_age: get("max_age")?.map(seconds).transpose()?,
            acr: acr_wish(get("acr_values")?, &claims),
            login_hint: get("login_hint")?.filter(|hint| hint.len() <= MAX_HINT).map(str::to_owned),
            hinted_user: hinted.or_else(|| claims.sub.clone()),
            ui_locales: get("ui_locales")?.map(str::to_owned),
            recipient: recipient.clone(),
            scope,
            allowed_scope,
            claims,
        })
    }

    /// A client that has no audience asks who the user is, and nothing else.
    fn audience_of(
        &self,
        recipient: &Recipient,
        resource: Option<&str>,
        audience: Option<&str>,
    ) -> Result<String, AuthorizeFault> {
        if resource.is_some() && audience.is_some() {
            return Err(AuthorizeFault::InvalidRequest("`resource` and `audience` exclude each other"));
        }
        let asked = resource.or(audience);
        if recipient.client.audiences.is_empty() && asked.is_none() {
            return Ok(self.userinfo_audience());
        }
        recipient.client.choose_audience(asked).map_err(|_| AuthorizeFault::InvalidTarget)
    }

    /// An earlier ID token of this client; it may have expired.
    fn user_of_hint(&self, hint: &str, client: &Client) -> Result<String, AuthorizeFault> {
        let invalid = AuthorizeFault::InvalidRequest("`id_token_hint` is not an ID token of this client");
        let claims = self.read_id_token_hint(hint).ok_or(invalid)?;
        if claims.aud == client.id.as_str() { Ok(claims.sub) } else { Err(invalid) }
    }
}

fn told(fault: Fault) -> AuthorizeFault {
    AuthorizeFault::InvalidRequest(match fault {
        Fault::Repeated => "a parameter is repeated",
        Fault::TooLong => "a parameter is longer than 4 KiB",
    })
}

/// These change what a request means: to ignore them would answer another question.
fn refuse_what_is_not_offered(parameters: &Parameters) -> Result<(), AuthorizeFault> {
    let refused = [
        ("request", AuthorizeFault::RequestNotSupported),
        ("request_uri", AuthorizeFault::RequestUriNotSupported),
        ("registration", AuthorizeFault::RegistrationNotSupported),
    ];
    for (name, fault) in refused {
        if parameters.get(name).map_err(told)?.is_some() {
            return Err(fault);
        }
    }
    Ok(())
}

/// The code challenge (RFC 7636 section 4.3). `plain` would be the verifier itself, for everybody to read on the way.
fn challenge(
    recipient: &Recipient,
    challenge: Option<&str>,
    method: Option<&str>,
) -> Result<Option<String>, AuthorizeFault> {
    let invalid = |hint| Err(AuthorizeFault::InvalidRequest(hint));
    let client = &recipient.client;
    let Some(challenge) = challenge else {
        if method.is_some() {
            return invalid("the parameter `code_challenge` is missing");
        }
        if client.is_public() || client.login.pkce == Pkce::Required {
            return invalid("PKCE is required: the parameter `code_challenge` is missing");
        }
        return Ok(None);
    };
    if method != Some("S256") {
        return invalid("`code_challenge_method` has to be `S256`");
    }
    let is_hash = challenge.len() == 43
        && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_hash { Ok(Some(challenge.to_owned())) } else { invalid("`code_challenge` is malformed") }
}

fn thumbprint(text: &str, client: &Client) -> Result<Thumbprint, AuthorizeFault> {
    if client.token_binding == TokenBinding::Certificate {
        let hint = "`dpop_jkt` is for another client: the tokens of this one are bound to its certificate";
        return Err(AuthorizeFault::InvalidRequest(hint));
    }
    Thumbprint::parse(text).ok_or(AuthorizeFault::InvalidRequest("`dpop_jkt` is not the thumbprint of a key"))
}

fn seconds(text: &str) -> Result<Duration, AuthorizeFault> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u32>().ok().filter(|_| digits);
    let number = number.ok_or(AuthorizeFault::InvalidRequest("`max_age` is not a number of seconds"))?;
    Ok(Duration::from_secs(u64::from(number)))
}

fn bounded(text: Option<&str>, most: usize, hint: &'static str) -> Result<Option<String>, AuthorizeFault> {
    match text {
        Some(text) if text.len() > most => Err(AuthorizeFault::InvalidRequest(hint)),
        text => Ok(text.map(str::to_owned)),
    }
}
