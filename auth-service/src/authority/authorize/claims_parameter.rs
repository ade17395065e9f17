use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use shared_claims::ScopeSet;

use crate::browser_sessions::Acr;
use crate::users::SCOPE_CLAIMS;

/// Claims that are asked for at one place, at most.
const MOST_CLAIMS: usize = 50;

/// The `claims` parameter (OpenID Connect Core section 5.5): the claims that are asked for by name. Members that are not
/// understood are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RequestedClaims {
    pub id_token: Vec<String>,
    pub userinfo: Vec<String>,
    /// Classes of which one must be reached; empty when none is essential.
    pub essential_acr: Vec<Acr>,
    /// An essential class that is none of ours, and no other.
    pub is_acr_impossible: bool,
    /// `sub` that the user must have.
    pub sub: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    id_token: BTreeMap<String, Option<Request>>,
    #[serde(default)]
    userinfo: BTreeMap<String, Option<Request>>,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    essential: bool,
    value: Option<Value>,
    #[serde(default)]
    values: Vec<Value>,
}

impl Request {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.value.iter().chain(&self.values).filter_map(Value::as_str)
    }
}

impl RequestedClaims {
    /// `None` when the text is no such document.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // serde would also take a list, by position.
        let members: Map<String, Value> = serde_json::from_str(text).ok()?;
        let document: Document = serde_json::from_value(members.into()).ok()?;
        if document.id_token.len() > MOST_CLAIMS || document.userinfo.len() > MOST_CLAIMS {
            return None;
        }
        let acr = document.id_token.get("acr").and_then(Option::as_ref).filter(|request| request.essential);
        let wanted: Vec<&str> = acr.iter().flat_map(|request| request.texts()).collect();
        let essential_acr: Vec<Acr> = wanted.iter().filter_map(|text| Acr::parse(text)).collect();
        let sub = document.id_token.get("sub").and_then(Option::as_ref);
        Some(Self {
            is_acr_impossible: !wanted.is_empty() && essential_acr.is_empty(),
            essential_acr,
            sub: sub.and_then(|request| request.texts().next().map(str::to_owned)),
            id_token: document.id_token.into_keys().filter(|name| is_name(name)).collect(),
            userinfo: document.userinfo.into_keys().filter(|name| is_name(name)).collect(),
        })
    }
}

impl RequestedClaims {
    /// Drops claims of scopes that the client may not ask for, and returns what the user has to allow: the scope of the request,
    /// with the scopes that the other claims belong to. Otherwise a client would get by name what it does not get by scope.
    pub(super) fn keep_to(&mut self, held: &ScopeSet, asked: &ScopeSet) -> ScopeSet {
        let may_have = |name: &String| scope_of(name).is_some_and(|scope| held.contains(scope));
        self.id_token.retain(may_have);
        self.userinfo.retain(may_have);
        let by_name = self.id_token.iter().chain(&self.userinfo).filter_map(|name| scope_of(name));
        let words: Vec<&str> = asked.as_str().split(' ').chain(by_name).collect();
        // Of words that are scopes already.
        ScopeSet::parse(words.join(" ").trim()).unwrap_or_else(|_| asked.clone())
    }
}

/// The scope that a claim about the user belongs to.
fn scope_of(claim: &str) -> Option<&'static str> {
    let owns = |(_, claims): &(&str, &[&str])| claims.contains(&claim);
    SCOPE_CLAIMS.into_iter().find(owns).map(|(scope, _)| scope)
}

/// Names of standard claims: letters, digits and underscores.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_asked_for_by_name_and_an_essential_class_must_be_reached() {
        let text = r#"{"userinfo": {"name": {"essential": true}, "x y": null}, "id_token": {"email": null,
            "acr": {"essential": true, "values": ["2", "urn:other"]}, "sub": {"value": "u"}}, "other": 1}"#;
        let claims = RequestedClaims::parse(text).unwrap();
        assert_eq!(claims.userinfo, ["name"]);
        assert_eq!(claims.id_token, ["acr", "email", "sub"]);
        assert_eq!(
            (claims.essential_acr.as_slice(), claims.sub.as_deref()),
            (&[Acr::TwoFactors][..], Some("u"))
        );
        let impossible = r#"{"id_token": {"acr": {"essential": true, "value": "urn:other"}}}"#;
        assert!(RequestedClaims::parse(impossible).unwrap().is_acr_impossible);
        let voluntary = r#"{"id_token": {"acr": {"values": ["2"]}}}"#;
        assert!(RequestedClaims::parse(voluntary).unwrap().essential_acr.is_empty());
        for bad in ["", "[]", "1", r#"{"userinfo": 1}"#, r#"{"id_token": {"acr": 1}}"#] {
            assert_eq!(RequestedClaims::parse(bad), None, "{bad}");
        }
    }
}
