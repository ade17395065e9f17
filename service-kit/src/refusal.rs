use std::fmt;

/// Why a request was refused, for the one line that the log has of it. An HTTP endpoint leaves it in the extensions of its
/// answer, a gRPC endpoint as the source of its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of failure.
    pub error: String,
    /// For the operator; holds no secret and no token.
    pub cause: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.cause)
    }
}

impl std::error::Error for Refusal {}
