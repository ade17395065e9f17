//! What a request shows of who may use its token (RFC 9449, RFC 8705).

use std::sync::Arc;

use service_kit::client_certificates::ShownCertificate;
use shared_claims::{ClientCertificate, Presented, ProofHeader};

/// What a request shows of who may use its token, or the one that it asks for.
#[derive(Debug, Clone, Default)]
pub struct SenderProof {
    /// `None` without a `DPoP` header (RFC 9449 section 4.1).
    pub unverified_proof: Option<Arc<UnverifiedProof>>,
    /// The certificate of the connection, whose key the client holds.
    pub certificate: Option<Arc<ShownCertificate>>,
}

impl SenderProof {
    /// The certificate as tokens name it.
    #[must_use]
    pub fn certificate(&self) -> Option<ClientCertificate> {
        self.certificate.as_ref().map(|shown| ClientCertificate::from_der(&shown.der))
    }

    /// What it shows with a token that is presented alone.
    #[must_use]
    pub fn presented(&self) -> Presented {
        Presented::from(self.certificate())
    }
}

/// A `DPoP` header, and the request that it has to be for.
#[derive(Debug)]
pub struct UnverifiedProof {
    pub header: ProofHeader<'static>,
    pub method: String,
    /// As it was sent, from `/` on.
    pub path: String,
}
