use super::parameters::Parameters;
use super::target::audience;
use crate::authority::grants::{ACCESS_TOKEN_TYPE, Grant, TokenExchangeGrant};
use crate::context::RequestContext;
use crate::error::{Error, Result};

/// RFC 8693 section 2.1.
pub(super) fn grant(parameters: &Parameters, context: RequestContext) -> Result<Grant> {
    let subject = parameters.owned("subject_token");
    let unverified_subject_token =
        subject.ok_or_else(|| Error::invalid_request("the parameter `subject_token` is missing"))?;
    let wrong = |hint| Err(Error::invalid_request(hint));
    match parameters.get("subject_token_type") {
        None => return wrong("the parameter `subject_token_type` is missing"),
        Some(ACCESS_TOKEN_TYPE) => {}
        Some(_) => return wrong("`subject_token_type` is not supported"),
    }
    if parameters.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN_TYPE) {
        return wrong("`requested_token_type` is not supported");
    }
    let unverified_actor_token = parameters.owned("actor_token");
    match (&unverified_actor_token, parameters.get("actor_token_type")) {
        (None, None) | (Some(_), Some(ACCESS_TOKEN_TYPE)) => {}
        (Some(_), None) => return wrong("the parameter `actor_token_type` is missing"),
        (None, Some(_)) => return wrong("the parameter `actor_token` is missing"),
        (Some(_), Some(_)) => return wrong("`actor_token_type` is not supported"),
    }
    Ok(Grant::TokenExchange(Box::new(TokenExchangeGrant {
        unverified_subject_token,
        unverified_actor_token,
        scope: parameters.owned("scope"),
        audience: audience(parameters)?,
        context,
    })))
}
