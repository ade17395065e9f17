/// Parameters of an authorization request that mean something here; all others are ignored (RFC 6749 section 3.1).
const KNOWN: [&str; 23] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "resource",
    "audience",
    "prompt",
    "max_age",
    "acr_values",
    "login_hint",
    "id_token_hint",
    "ui_locales",
    "claims",
    "request",
    "request_uri",
    "registration",
    "display",
];

/// Longest value of a parameter, in bytes.
const MAX_BYTES: usize = 4096;

/// All of them together.
const MAX_TOTAL: usize = 7 * 1024;

/// The parameters of an authorization request, as they came and unproved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// What is wrong with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Repeated,
    TooLong,
}

impl Parameters {
    /// Keeps those that mean something.
    #[must_use]
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs.into_iter().filter(|(name, _)| KNOWN.contains(&name.as_str())).collect())
    }

    /// A parameter that is sent at most once; an empty one is an absent one (RFC 6749 section 3.1).
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, Fault> {
        let mut found = self.0.iter().filter(|(held, _)| held == name).map(|(_, value)| value.as_str());
        let first = found.next();
        if found.next().is_some() {
            return Err(Fault::Repeated);
        }
        match first {
            Some(value) if value.len() > MAX_BYTES => Err(Fault::TooLong),
            first => Ok(first.filter(|value| !value.is_empty())),
        }
    }

    /// Whether they can be kept in a page.
    pub(super) fn fits(&self) -> bool {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MAX_TOTAL
    }

    /// As they are kept with a page.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The query of the same request.
    #[must_use]
    pub fn to_query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}
