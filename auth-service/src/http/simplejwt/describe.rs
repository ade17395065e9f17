use serde_json::{Map, Value, json};

/// What OPTIONS says of an endpoint: the metadata of Django REST framework, with the one rendering
/// that there is here.
pub(super) fn endpoint(path: &str, username_field: &str) -> Value {
    let (name, description, fields): (&str, &str, &[(&str, bool)]) = if path.ends_with("/sliding/refresh/") {
        (
            "Token Refresh Sliding",
            "Takes a sliding JSON web token and returns a new, refreshed version if the\ntoken's refresh period has not expired.",
            &[("token", true)],
        )
    } else if path.ends_with("/sliding/") {
        (
            "Token Obtain Sliding",
            "Takes a set of user credentials and returns a sliding JSON web token to\nprove the authentication of those credentials.",
            &[(username_field, true), ("password", true), ("token", false)],
        )
    } else if path.ends_with("/refresh/") {
        (
            "Token Refresh",
            "Takes a refresh type JSON web token and returns an access type JSON web\ntoken if the refresh token is valid.",
            &[("refresh", true), ("access", false)],
        )
    } else if path.ends_with("/verify/") {
        (
            "Token Verify",
            "Takes a token and indicates if it is valid.  This view provides no\ninformation about a token's fitness for a particular use.",
            &[("token", true)],
        )
    } else if path.ends_with("/blacklist/") {
        (
            "Token Blacklist",
            "Takes a token and blacklists it. Its session ends, with the access tokens that came from it.",
            &[("refresh", true)],
        )
    } else {
        (
            "Token Obtain Pair",
            "Takes a set of user credentials and returns an access and refresh JSON web\ntoken pair to prove the authentication of those credentials.",
            &[(username_field, true), ("password", true)],
        )
    };
    let fields: Map<String, Value> = fields.iter().map(|(name, input)| field(name, *input)).collect();
    json!({
        "name": name,
        "description": description,
        "renders": ["application/json"],
        "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
        "actions": {"POST": fields},
    })
}

fn field(name: &str, input: bool) -> (String, Value) {
    let mut letters = name.chars().map(|letter| if letter == '_' { ' ' } else { letter });
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let label: String = first.chain(letters).collect();
    (name.to_owned(), json!({"type": "string", "required": input, "read_only": !input, "label": label}))
}
