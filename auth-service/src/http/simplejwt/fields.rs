use serde_json::{Map, json};

use super::errors::SimpleJwtError;
use super::request::Field;

/// All fields, or an error that names each that is wrong, in the words of Django REST framework.
pub(super) fn all<const N: usize>(fields: [(&str, Field); N]) -> Result<[String; N], SimpleJwtError> {
    let mut errors = Map::new();
    let texts = fields.map(|(name, field)| match check(field) {
        Ok(text) => text,
        Err(message) => {
            errors.insert(name.to_owned(), json!([message]));
            String::new()
        }
    });
    if errors.is_empty() { Ok(texts) } else { Err(SimpleJwtError::Fields(errors)) }
}

fn check(field: Field) -> Result<String, &'static str> {
    match field {
        Field::Missing => Err("This field is required."),
        Field::Null => Err("This field may not be null."),
        Field::NotText => Err("Not a valid string."),
        Field::Text(text) if text.trim().is_empty() => Err("This field may not be blank."),
        Field::Text(text) if text.contains('\0') => Err("Null characters are not allowed."),
        Field::Text(text) => Ok(text),
    }
}
