use serde_json::{Map, Value};

use super::Username;

/// Claims that each scope asks for (OpenID Connect Core section 5.4), in the order of the specification. What users are shown
/// before they allow it, and what the metadata lists, follows from this.
pub const SCOPE_CLAIMS: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

/// Who a user is, as clients may be told.
#[derive(Debug, Clone)]
pub struct Identity {
    pub username: Username,
    pub email: Option<String>,
    pub is_email_verified: bool,
    /// What else is known, as a JSON object.
    pub profile: String,
}

impl Identity {
    /// The claims of these names that are known (OpenID Connect Core section 5.1).
    #[must_use]
    pub fn claims<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Map<String, Value> {
        let profile: Map<String, Value> = serde_json::from_str(&self.profile).unwrap_or_default();
        let claim = |name: &str| Some((name.to_owned(), self.claim(name, &profile)?));
        names.into_iter().filter_map(claim).collect()
    }

    fn claim(&self, name: &str, profile: &Map<String, Value>) -> Option<Value> {
        // Of the form that the specification gives it: clients refuse a number where a text belongs.
        let text = |key: &str| profile.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let text_of = |keys: [&str; 2]| keys.into_iter().find_map(text).map(Value::from);
        match name {
            "preferred_username" => Some(self.username.as_str().into()),
            "email" => self.email.clone().map(Value::from),
            "email_verified" => self.email.as_ref().map(|_| self.is_email_verified.into()),
            // As Django calls them.
            "given_name" => text_of(["given_name", "first_name"]),
            "family_name" => text_of(["family_name", "last_name"]),
            "name" => text("name").map(Value::from).or_else(|| {
                let parts = [text_of(["given_name", "first_name"]), text_of(["family_name", "last_name"])];
                let parts: Vec<String> =
                    parts.into_iter().flatten().filter_map(|part| part.as_str().map(str::to_owned)).collect();
                (!parts.is_empty()).then(|| parts.join(" ").into())
            }),
            "address" => profile.get("address").filter(|value| value.is_object()).cloned(),
            "phone_number_verified" => profile.get(name).filter(|value| value.is_boolean()).cloned(),
            "middle_name" | "nickname" | "profile" | "picture" | "website" | "gender" | "birthdate"
            | "zoneinfo" | "locale" | "phone_number" => text(name).map(Value::from),
            _ => None,
        }
    }
}

/// The claims that a scope asks for.
#[must_use]
pub fn claims_of_scope(scope: &str) -> Vec<&'static str> {
    let asked = |word: &str| scope.split(' ').any(|held| held == word);
    let of_asked = SCOPE_CLAIMS.into_iter().filter(|(word, _)| asked(word));
    of_asked.flat_map(|(_, claims)| claims.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identity(profile: &Value) -> Identity {
        Identity {
            username: Username::parse("alice").unwrap(),
            email: Some("alice@example.com".to_owned()),
            is_email_verified: true,
            profile: profile.to_string(),
        }
    }

    #[test]
    fn a_scope_asks_for_its_claims_and_only_known_ones_of_the_right_form_are_told() {
        let identity = identity(&json!({
            "first_name": "Alice", "last_name": "Liddell", "nickname": 5, "locale": "en", "is_staff": true,
            "phone_number": "+1 555", "phone_number_verified": "yes", "address": "Oxford",
        }));
        let told = |scope: &str| Value::from(identity.claims(claims_of_scope(scope)));
        assert_eq!(
            told("openid profile"),
            json!({"name": "Alice Liddell", "given_name": "Alice", "family_name": "Liddell",
                "preferred_username": "alice", "locale": "en"})
        );
        assert_eq!(told("email"), json!({"email": "alice@example.com", "email_verified": true}));
        assert_eq!(told("openid address phone profiles"), json!({"phone_number": "+1 555"}));
        assert_eq!(Value::from(identity.claims(["is_staff", "sub", "roles"])), json!({}));
    }

    #[test]
    fn without_an_address_nothing_is_said_of_it() {
        let unknown = Identity { email: None, profile: "no JSON".to_owned(), ..identity(&json!({})) };
        let told = unknown.claims(claims_of_scope("profile email"));
        assert_eq!(Value::from(told), json!({"preferred_username": "alice"}));
    }
}
