//! What is known of a request beside its content.

use std::sync::Arc;

use service_kit::request_id::RequestId;

use crate::sender_proof::SenderProof;
use crate::users::ClientIp;

/// Longest name of a device that is kept, in characters.
const DEVICE_CHARACTERS: usize = 150;

/// Where a request comes from, as far as that can be known. It travels as one value from the endpoint to the use case and
/// on to the audit log. A copy is cheap.
#[derive(Debug, Clone, Default)]
pub struct RequestContext {
    /// Past the proxies that are trusted.
    pub client_ip: Option<ClientIp>,
    /// The `User-Agent`, as the client sent it.
    pub unverified_user_agent: Option<Arc<str>>,
    /// The same as in the log lines and in the `X-Request-Id` of the answer.
    pub request_id: Option<RequestId>,
    pub sender: SenderProof,
}

impl RequestContext {
    /// The user agent as it may be shown in a list: without control characters, 150 characters at most.
    #[must_use]
    pub fn device(&self) -> Option<String> {
        let sent = self.unverified_user_agent.as_deref()?;
        let text: String = sent.chars().filter(|c| !c.is_control()).take(DEVICE_CHARACTERS).collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_no_control_characters_and_an_end() {
        let device = |sent: &str| {
            RequestContext { unverified_user_agent: Some(sent.into()), ..RequestContext::default() }.device()
        };
        assert_eq!(device(" Firefox\r\n\u{1b}[31m "), Some("Firefox[31m".to_owned()));
        assert_eq!(device(&"é".repeat(1000)).unwrap().chars().count(), DEVICE_CHARACTERS);
        assert_eq!(device(" \t\n"), None);
        assert_eq!(RequestContext::default().device(), None);
    }
}
