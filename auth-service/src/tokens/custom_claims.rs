//! Claims beyond the fixed ones: which of what is known of a user its tokens say.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::users::Attributes;

/// Claims with a meaning of their own. What an operator or a webhook adds never takes their place
/// (CVE-2024-29892).
const RESERVED: [&str; 32] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "sid",
    "auth_time",
    "amr",
    "acr",
    "azp",
    "act",
    "may_act",
    "via",
    "cnf",
    "nonce",
    "typ",
    "roles",
    "token_type",
    "user_id",
    "refresh_exp",
    "gen",
    "events",
    "sub_id",
    "txn",
    "toe",
    "authorization_details",
    "entitlements",
    "active",
];

/// Most octets of JSON that custom claims may take: a token has 8 KiB. What is taken over and what a webhook says are
/// each bounded so that this is never met, for then a refresh would fail whose token is spent.
const MAX_BYTES: usize = crate::users::MAX_PROFILE_BYTES + crate::webhook::MAX_ANSWER_BYTES;

/// Whether `user_id` is written as simplejwt 5.5.1 writes it, or as earlier versions did for numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UserIdForm {
    String,
    Integer,
}

/// The `user_id` of one user's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum UserId<'a> {
    Text(&'a str),
    Number(i64),
}

impl UserIdForm {
    /// The id that the account has where it came from, else its `sub`.
    #[must_use]
    pub fn of<'a>(self, sub: &'a str, attributes: &'a Attributes) -> UserId<'a> {
        let id = attributes.legacy_id.as_deref().unwrap_or(sub);
        match self {
            Self::String => UserId::Text(id),
            Self::Integer => id.parse().map_or(UserId::Text(id), UserId::Number),
        }
    }
}

/// Which claims are made of which attributes.
#[derive(Debug, Clone, Default)]
pub struct ClaimMap(Vec<(String, String)>);

impl ClaimMap {
    /// Of claim names and the attributes that they take.
    ///
    /// # Errors
    /// One line: a claim that is reserved, or no name.
    pub fn new(claims: impl IntoIterator<Item = (String, String)>) -> std::result::Result<Self, String> {
        let claims: Vec<_> = claims.into_iter().collect();
        for (claim, attribute) in &claims {
            if RESERVED.contains(&claim.as_str()) {
                return Err(format!("`{claim}` is reserved"));
            }
            if claim.is_empty() || attribute.is_empty() {
                return Err("a claim and its attribute need a name".to_owned());
            }
        }
        Ok(Self(claims))
    }

    /// The claims of one user, with what a webhook said of them. An attribute that is not known makes no claim.
    ///
    /// # Errors
    /// `Internal` when the account's profile is no JSON object, or the claims are too many: without one of them a
    /// token might allow more than it should.
    pub fn of(&self, attributes: &Attributes, said: Map<String, Value>) -> Result<Map<String, Value>> {
        if self.0.is_empty() && said.is_empty() {
            return Ok(Map::new());
        }
        let unreadable = |_| Error::new(ErrorKind::Internal, "an account's profile is no JSON object");
        let known: Map<String, Value> = serde_json::from_str(&attributes.profile).map_err(unreadable)?;
        let mut claims = Map::new();
        for (claim, attribute) in &self.0 {
            // simplejwt's USER_ID_CLAIM under another name.
            let id = || attributes.legacy_id.clone().filter(|_| attribute == "user_id").map(Value::String);
            if let Some(value) = known.get(attribute).cloned().or_else(id) {
                claims.insert(claim.clone(), value);
            }
        }
        claims.extend(said.into_iter().filter(|(claim, _)| !RESERVED.contains(&claim.as_str())));
        let length = serde_json::to_string(&claims).map_or(usize::MAX, |text| text.len());
        if length > MAX_BYTES {
            let cause = format!("the claims of an account take {length} bytes, more than {MAX_BYTES}");
            return Err(Error::new(ErrorKind::Internal, cause));
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes(profile: &Value) -> Attributes {
        Attributes { roles: vec![], legacy_id: Some("42".to_owned()), profile: profile.to_string() }
    }

    fn map(claims: &[(&str, &str)]) -> std::result::Result<ClaimMap, String> {
        ClaimMap::new(claims.iter().map(|(claim, attribute)| ((*claim).to_owned(), (*attribute).to_owned())))
    }

    #[test]
    fn a_claim_takes_the_value_of_its_attribute_whatever_its_type() {
        let known = attributes(&json!({"is_staff": true, "groups": ["a", "b"], "tenant": 7, "secret": "x"}));
        let claims = map(&[
            ("is_staff", "is_staff"),
            ("tenant_id", "tenant"),
            ("none", "unknown"),
            ("uid", "user_id"),
        ])
        .unwrap();
        let made = claims.of(&known, Map::new()).unwrap();
        assert_eq!(Value::Object(made), json!({"is_staff": true, "tenant_id": 7, "uid": "42"}));
    }

    #[test]
    fn what_is_reserved_is_refused_from_the_operator_and_left_out_from_a_webhook() {
        for claim in ["iss", "sub", "exp", "scope", "roles", "token_type", "user_id", "cnf"] {
            assert_eq!(map(&[(claim, "x")]).unwrap_err(), format!("`{claim}` is reserved"));
        }
        let said = json!({"sub": "somebody else", "plan": "gold"}).as_object().unwrap().clone();
        let made = ClaimMap::default().of(&attributes(&json!({})), said).unwrap();
        assert_eq!(Value::Object(made), json!({"plan": "gold"}));
    }

    #[test]
    fn claims_that_do_not_fit_make_no_token_at_all() {
        let known = attributes(&json!({"groups": vec!["g"; 2000]}));
        assert!(map(&[("groups", "groups")]).unwrap().of(&known, Map::new()).is_err());
        let broken = Attributes { profile: "[1]".to_owned(), ..Attributes::default() };
        assert!(map(&[("a", "b")]).unwrap().of(&broken, Map::new()).is_err());
        assert!(ClaimMap::default().of(&broken, Map::new()).is_ok(), "nobody asks");
    }

    #[test]
    fn the_id_is_the_old_one_where_there_is_one_and_a_number_where_that_is_wanted() {
        let (old, new) = (attributes(&json!({})), Attributes::of_roles(vec![]));
        let uuid = Attributes { legacy_id: Some("5f0c".to_owned()), ..old.clone() };
        assert_eq!(UserIdForm::String.of("sub", &old), UserId::Text("42"));
        assert_eq!(UserIdForm::String.of("sub", &new), UserId::Text("sub"));
        assert_eq!(UserIdForm::Integer.of("sub", &old), UserId::Number(42));
        assert_eq!(UserIdForm::Integer.of("sub", &uuid), UserId::Text("5f0c"));
    }
}
