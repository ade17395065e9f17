//! Notes, each seen by its owner only. The owner is the `sub` of the token.

pub mod grpc;
pub mod http;
mod store;

use std::time::Duration;

use serde::Serialize;
use shared_claims::{Required, Requirement};

pub use store::NoteStore;

/// Longest note, in characters.
const MAX_TEXT_CHARACTERS: usize = 10_000;

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 100;

/// To list and read notes.
pub struct NotesRead;

/// To make and delete notes.
pub struct NotesWrite;

impl Requirement for NotesRead {
    const REQUIRED: Required = Required::scope("notes:read");
}

impl Requirement for NotesWrite {
    // A write is permanent, so a token that may have been revoked a minute ago is not enough.
    const REQUIRED: Required = Required::scope("notes:write").refused_when_stale(Duration::from_secs(60));
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    pub id: String,
    pub text: String,
    /// Seconds since the epoch.
    pub created_at: u64,
}

/// A page of notes, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotePage {
    pub notes: Vec<Note>,
    /// The id behind which the next page starts; none on the last.
    pub next_after: Option<String>,
}

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    size: u32,
    after: Option<String>,
}

/// The text of a note, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteText(String);

/// Why a request about notes was not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("{0}")]
    Invalid(&'static str),
    /// Also for another owner's note: its existence is none of the caller's business.
    #[error("there is no such note")]
    NotFound,
    /// The cause is for the log.
    #[error("the notes cannot be reached")]
    Unavailable(String),
}

impl NoteText {
    /// # Errors
    /// [`NoteError::Invalid`] for an empty text or one of more than 10,000 characters.
    pub fn parse(text: String) -> Result<Self, NoteError> {
        if text.trim().is_empty() || text.chars().count() > MAX_TEXT_CHARACTERS || text.contains('\0') {
            return Err(NoteError::Invalid("a note has 1 to 10,000 characters"));
        }
        Ok(Self(text))
    }
}

impl PageRequest {
    /// `size` of `None` stands for 50; an empty `after` for the first page.
    ///
    /// # Errors
    /// [`NoteError::Invalid`] for a size that is not 1 to 100, or an `after` that is no note's id.
    pub fn parse(size: Option<u32>, after: &str) -> Result<Self, NoteError> {
        let size = size.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&size) {
            return Err(NoteError::Invalid("a page has 1 to 100 notes"));
        }
        if after.is_empty() {
            return Ok(Self { size, after: None });
        }
        match uuid::Uuid::try_parse(after) {
            Ok(id) => Ok(Self { size, after: Some(id.to_string()) }),
            Err(_) => Err(NoteError::Invalid("`after` is not the id of a note")),
        }
    }
}

impl NoteError {
    /// Logs what only the operator may know.
    fn log(&self) {
        if let Self::Unavailable(cause) = self {
            tracing::error!(cause, "notes cannot be reached");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_to_a_hundred_notes() {
        assert_eq!(PageRequest::parse(None, "").map(|page| page.size), Ok(50));
        assert_eq!(PageRequest::parse(Some(100), "").map(|page| page.size), Ok(100));
        for size in [0, 101, u32::MAX] {
            assert!(PageRequest::parse(Some(size), "").is_err(), "{size}");
        }
        assert!(PageRequest::parse(None, "' OR 1=1").is_err());
    }

    #[test]
    fn a_text_is_neither_empty_nor_endless() {
        assert!(NoteText::parse("x".repeat(10_000)).is_ok());
        for text in [String::new(), "  \n".to_owned(), "x".repeat(10_001), "a\0b".to_owned()] {
            assert!(NoteText::parse(text).is_err());
        }
    }
}
