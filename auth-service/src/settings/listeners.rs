use std::net::SocketAddr;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use service_kit::cors::Origins;

use super::load;

#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Http {
    /// Address of the HTTP listener; port 0 chooses a free port.
    pub bind: SocketAddr,
    /// Origins of browser applications that may call the authority, such as `https://app.example.com`, separated by
    /// commas. Clients can have more (`client create --cors-origin`).
    pub cors_allowed_origins: Origins,
    /// Serve the description of all endpoints: `/api/openapi.json`, and a page that shows it at `/docs/`.
    pub docs: bool,
}

#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Grpc {
    /// Address of the gRPC listener; port 0 chooses a free port.
    pub bind: SocketAddr,
    /// URL that clients call, such as `https://auth.example.com:9090`: proofs of possession (DPoP) are made for it. By default that
    /// of the issuer.
    #[serde(deserialize_with = "load::url")]
    pub url: Option<String>,
    /// Enable gRPC reflection, for development.
    pub reflection: bool,
    /// Maximum number of open feed streams, two per verifier. 1 to 100,000.
    #[serde(deserialize_with = "load::max_watches")]
    pub max_watches: usize,
}
