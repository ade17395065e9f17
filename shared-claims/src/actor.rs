//! Who acts for whom (RFC 8693 section 4.1).

use serde::{Serialize, Serializer};

use crate::error::Refusal;
use crate::strict::{Members, StrictValue, WrongType};

/// Most actors of one token. Each is a service that has passed a request on.
pub const MOST_ACTORS: usize = 8;

/// Longest name of one, in bytes (OpenID Connect Core section 2).
const MAX_SUB_BYTES: usize = 255;

/// `act`: who presents a token for another, the nearest first, then for whom that one acts, and so on. A user's request that
/// comes by way of two services has the user as its `sub` and both of them here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actors(Vec<String>);

impl Actors {
    /// Reads a claim that is there. What cannot be read refuses the token: a chain with a gap says that nobody acts.
    pub(crate) fn read(name: &'static str, claim: &StrictValue<'_>) -> Result<Self, Refusal> {
        let malformed = Refusal::Claim(name);
        let mut actors = Vec::new();
        let mut next = Some(claim);
        while let Some(actor) = next {
            let members: &Members<'_> = actor.as_object().ok_or(malformed)?;
            let sub = members.text("sub").map_err(|WrongType| malformed)?.ok_or(malformed)?;
            if sub.len() > MAX_SUB_BYTES || actors.len() == MOST_ACTORS {
                return Err(malformed);
            }
            actors.push(sub.to_owned());
            next = members.get("act");
        }
        Ok(Self(actors))
    }

    /// One who acts for whom a token is about, and before the actors that it already has. `None` where that would be too many.
    #[must_use]
    pub fn with(sub: String, before: Option<&Self>) -> Option<Self> {
        let earlier = before.map(|actors| actors.0.as_slice()).unwrap_or_default();
        (earlier.len() < MOST_ACTORS).then(|| Self([&[sub], earlier].concat()))
    }

    /// `sub` of each, the nearest first. The authority names its clients `client:<id>`.
    pub fn subs(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Who has presented the token to this service.
    #[must_use]
    pub fn nearest(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

/// As it stands in a token: each within the one before it.
impl Serialize for Actors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nested = self.0.iter().rev().fold(None, |inner: Option<serde_json::Value>, sub| {
            let mut actor = serde_json::json!({"sub": sub});
            if let Some(inner) = inner {
                actor["act"] = inner;
            }
            Some(actor)
        });
        nested.serialize(serializer)
    }
}
