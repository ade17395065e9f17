use std::collections::HashMap;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use serde_json::Value;

use super::errors::SimpleJwtError;
use crate::http::body::{self, BodyError};
use crate::http::form;

/// Largest body at these endpoints, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What a client sent, whichever of the three encodings it chose.
pub(super) struct Submitted(HashMap<String, Value>);

/// One field as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Missing,
    Null,
    NotText,
    Text(String),
}

impl Field {
    pub(super) fn text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl Submitted {
    pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Self, SimpleJwtError> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let media_type = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        let body = body::read(request, payload, MAX_BODY_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge => SimpleJwtError::BodyTooLarge,
            BodyError::TooSlow => SimpleJwtError::BodyTooSlow,
            BodyError::Broken => SimpleJwtError::NotParsed("the body broke off".to_owned()),
        })?;
        // As in Django REST framework: without a body there is nothing whose type could be wrong.
        if body.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        match media_type.as_str() {
            "application/json" => json(&body),
            "application/x-www-form-urlencoded" => {
                let pairs =
                    form::parse(&body).map_err(|_| SimpleJwtError::NotParsed("Invalid form.".to_owned()))?;
                // The last of several values counts.
                Ok(Self(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()))
            }
            "multipart/form-data" => multipart(&content_type, body).await,
            // What Django makes of an absent content type.
            "" => Err(SimpleJwtError::MediaType("text/plain".to_owned())),
            _ => Err(SimpleJwtError::MediaType(content_type)),
        }
    }

    /// A text field without surrounding space; numbers count as text, as in a `CharField`.
    pub(super) fn trimmed(&mut self, name: &str) -> Field {
        let field = self.untrimmed(name);
        if let Field::Text(text) = &field { Field::Text(text.trim().to_owned()) } else { field }
    }

    /// A password: every character of it counts.
    pub(super) fn untrimmed(&mut self, name: &str) -> Field {
        match self.0.remove(name) {
            None => Field::Missing,
            Some(Value::Null) => Field::Null,
            Some(Value::String(text)) => Field::Text(text),
            Some(Value::Number(number)) => Field::Text(number.to_string()),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Field::NotText,
        }
    }
}

fn json(body: &Bytes) -> Result<Submitted, SimpleJwtError> {
    // The message of the parser says where, and never what.
    let parsed = serde_json::from_slice(body).map_err(|error| {
        SimpleJwtError::NotParsed(format!(
            "JSON parse error - line {} column {}",
            error.line(),
            error.column()
        ))
    })?;
    let kind = match parsed {
        Value::Object(members) => return Ok(Submitted(members.into_iter().collect())),
        Value::Array(_) => "list",
        Value::String(_) => "str",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::Null => return Err(SimpleJwtError::NoData),
    };
    Err(SimpleJwtError::NotAnObject(kind))
}

async fn multipart(content_type: &str, body: Bytes) -> Result<Submitted, SimpleJwtError> {
    let broken =
        || SimpleJwtError::NotParsed("Multipart form parse error - Invalid boundary or part".to_owned());
    let boundary = multer::parse_boundary(content_type).map_err(|_| broken())?;
    // The whole body is here already: nothing below waits for the client.
    let stream = tokio_stream::once(Ok::<_, std::convert::Infallible>(body));
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut fields = HashMap::new();
    while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
        let name = part.name().ok_or_else(broken)?.to_owned();
        let is_file = part.file_name().is_some_and(|name| !name.is_empty());
        let bytes = part.bytes().await.map_err(|_| broken())?;
        // A file is not a string, whatever is in it.
        let value = match std::str::from_utf8(&bytes) {
            Ok(text) if !is_file => Value::String(text.to_owned()),
            Err(_) if !is_file => return Err(broken()),
            _ => Value::Bool(true),
        };
        fields.insert(name, value);
    }
    Ok(Submitted(fields))
}
