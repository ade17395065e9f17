use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

/// Tokens that are bound to a key (DPoP, RFC 9449).
#[derive(Debug, Clone, Default, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Dpop {
    /// Whether proofs at the token endpoint have to name a nonce of the authority: one that was made in advance, or with a wrong
    /// clock, is refused then. Costs each client one more request now and then.
    pub require_nonce: bool,
}
