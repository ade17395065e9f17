use super::{Members, StrictValue};

/// Seconds since the epoch must stay below this, so that every consumer, also one that holds
/// numbers as doubles, reads the same instant.
const MAX_NUMERIC_DATE: f64 = 9_007_199_254_740_992.0;

/// A member has another type or range than its definition: an error, never an absent member (CVE-2026-25537).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType;

impl Members<'_> {
    /// A string that is not empty; `None` where there is no such member.
    ///
    /// # Errors
    /// [`WrongType`].
    pub fn text(&self, name: &str) -> Result<Option<&str>, WrongType> {
        match self.get(name).map(StrictValue::as_str) {
            None => Ok(None),
            Some(Some(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(WrongType),
        }
    }

    /// A NumericDate (RFC 7519 section 2), in whole seconds; `None` where there is no such member.
    ///
    /// # Errors
    /// [`WrongType`].
    pub fn numeric_date(&self, name: &str) -> Result<Option<u64>, WrongType> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_f64().and_then(whole_seconds).map(Some).ok_or(WrongType)
    }
}

/// Whole seconds of a NumericDate; `None` outside of 0 to [`MAX_NUMERIC_DATE`].
pub(crate) fn whole_seconds(seconds: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^53 by the check beside it; the fraction is to be cut"
    )]
    (0.0..MAX_NUMERIC_DATE).contains(&seconds).then_some(seconds as u64)
}
