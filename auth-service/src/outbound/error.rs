use std::time::Duration;

use super::resolver::NoAddress;

/// Longest wait for a document as a whole.
pub(super) const WHOLE: Duration = Duration::from_secs(5);

/// Longest URL, in bytes.
pub(super) const MAX_URL_BYTES: usize = 2048;

/// Why a document was not fetched. The words are for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error(
        "not an https URL (http is for outbound.networks alone), or one with a user name, a fragment or more than {MAX_URL_BYTES} bytes"
    )]
    Url,
    #[error("the host has no address that may be asked: see outbound.networks")]
    Address,
    #[error("no answer within {} seconds", WHOLE.as_secs())]
    TimedOut,
    #[error("the status is {0}, not 200")]
    Status(u16),
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    #[error("the connection failed: {0}")]
    Failed(String),
}

/// The innermost cause says most, and no URL: the caller knows that.
pub(super) fn failed(error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::TimedOut;
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        if inner.is::<NoAddress>() {
            return FetchError::Address;
        }
        cause = inner;
    }
    FetchError::Failed(cause.to_string())
}
