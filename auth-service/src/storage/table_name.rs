/// A table of another project's database, perhaps in a schema: `auth_user`, `accounts.users`, `"My Schema"."Users"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableName {
    schema: Option<String>,
    name: String,
}

impl TableName {
    /// `None` for what names no table.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (first, rest) = part(text)?;
        let Some(rest) = rest else { return Some(Self { schema: None, name: first }) };
        match part(rest)? {
            (name, None) => Some(Self { schema: Some(first), name }),
            _ => None,
        }
    }

    /// A table that Django has beside it, in the same schema.
    pub(super) fn beside(&self, name: &str) -> Self {
        Self { schema: self.schema.clone(), name: name.to_owned() }
    }

    /// A table in no schema of its own.
    pub(super) fn plain(name: &str) -> Self {
        Self { schema: None, name: name.to_owned() }
    }

    /// Its name without the schema.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// For a statement: nothing in it can end the name.
    pub(super) fn quoted(&self) -> String {
        let quoted = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
        let schema = self.schema.as_deref().map(|schema| format!("{}.", quoted(schema)));
        format!("{}{}", schema.unwrap_or_default(), quoted(&self.name))
    }
}

/// The first part of a name, without its quotes, and what follows the dot behind it.
fn part(text: &str) -> Option<(String, Option<&str>)> {
    let (name, rest) = match text.strip_prefix('"') {
        None => {
            let end = text.find('.').unwrap_or(text.len());
            (text[..end].to_owned(), &text[end..])
        }
        Some(inside) => {
            let end = closing_quote(inside)?;
            (inside[..end].replace("\"\"", "\""), &inside[end + 1..])
        }
    };
    let bad = name.is_empty() || name.len() > 63 || name.chars().any(char::is_control);
    let stray = !text.starts_with('"') && name.contains('"');
    if bad || stray {
        return None;
    }
    match rest.strip_prefix('.') {
        Some(next) => Some((name, Some(next))),
        None if rest.is_empty() => Some((name, None)),
        None => None,
    }
}

/// Where the quote is that ends a name: two of them are one within it.
fn closing_quote(inside: &str) -> Option<usize> {
    let bytes = inside.as_bytes();
    let mut at = 0;
    loop {
        at += inside.get(at..)?.find('"')?;
        if bytes.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_schemas_and_quotes_and_written_so_that_nothing_escapes() {
        let table = [
            ("auth_user", Some("\"auth_user\"")),
            ("Users", Some("\"Users\"")),
            ("accounts.users", Some("\"accounts\".\"users\"")),
            ("\"accounts\".\"users\"", Some("\"accounts\".\"users\"")),
            ("\"My Schema\".users", Some("\"My Schema\".\"users\"")),
            ("\"a.b\"", Some("\"a.b\"")),
            ("\"a\"\"b\"", Some("\"a\"\"b\"")),
            ("us\u{e4}r", Some("\"us\u{e4}r\"")),
            ("", None),
            (".", None),
            ("a.", None),
            (".a", None),
            ("a.b.c", None),
            ("\"a", None),
            ("\"a\"b", None),
            ("a\"b", None),
            ("\"\"", None),
            ("a\u{0}", None),
        ];
        for (text, expected) in table {
            assert_eq!(TableName::parse(text).map(|name| name.quoted()).as_deref(), expected, "{text}");
        }
    }
}
