//! The settings of django-cors-headers that stand beside `SIMPLE_JWT`.

use serde_json::Value;
use service_kit::cors::parse_origin;

use super::Converted;

/// `CORS_*`, printed together with the dictionary.
pub(super) fn entry(out: &mut Converted, name: &str, value: &Value) {
    match name {
        "CORS_ALLOWED_ORIGINS" | "CORS_ORIGIN_WHITELIST" => origins(out, name, value),
        "CORS_ALLOW_ALL_ORIGINS" | "CORS_ORIGIN_ALLOW_ALL" if *value == Value::Bool(true) => {
            out.missing(name, "name each origin in http.cors_allowed_origins");
        }
        "CORS_ALLOWED_ORIGIN_REGEXES" | "CORS_ORIGIN_REGEX_WHITELIST"
            if value.as_array().is_some_and(|patterns| !patterns.is_empty()) =>
        {
            out.missing(name, "name each origin in http.cors_allowed_origins; patterns are not offered");
        }
        "CORS_ALLOW_CREDENTIALS" if *value == Value::Bool(true) => {
            out.note(name, "cookies are allowed where simplejwt.refresh_cookie is on, and nowhere else");
        }
        // Methods and headers that are allowed here cover those of the endpoints.
        _ => {}
    }
}

fn origins(out: &mut Converted, name: &str, value: &Value) {
    let listed =
        value.as_array().map(|origins| origins.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let Some(Some(listed)) = listed else { return out.wrong(name, "is code, or no list of texts") };
    let mut origins = Vec::new();
    for origin in listed {
        match parse_origin(origin) {
            Ok(origin) => origins.push(origin),
            Err(why) => out.wrong(name, &why),
        }
    }
    if !origins.is_empty() {
        out.set("http.cors_allowed_origins", &format!("{:?}", origins.join(", ")));
    }
}
