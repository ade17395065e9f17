use shared_claims::dpop::{CheckedProof, InvalidServiceUrl, ProvedRequest};
use shared_claims::replay::SeenIds;
use shared_claims::{ClientCertificate, Confirmation, Presented, ProofRefusal, ProofVerifier};

use super::Authority;
use crate::clients::{Client, TokenBinding};
use crate::error::{Error, ErrorKind, OAuthFault, Result};
use crate::remote_keys::RemoteKeys;
use crate::sender_proof::SenderProof;
use crate::tokens::DpopNonces;

/// Most assertions that are remembered, so that each is used once: 3,000 a second of the longest life, in about 40 MiB.
const MOST_REMEMBERED: usize = 1_000_000;

/// By what others prove who they are, and that they hold the keys of their tokens.
pub struct Proofs {
    /// The keys that clients and platforms publish.
    pub remote_keys: RemoteKeys,
    /// Assertions of clients that this process has accepted.
    pub(super) used_assertions: SeenIds,
    dpop: ProofVerifier,
    /// Where proofs at the token endpoint have to name one.
    nonces: Option<DpopNonces>,
}

/// A proof that holds for its request, and is not spent yet.
pub(super) struct ProvedKey(CheckedProof);

impl Proofs {
    /// `urls` are those that requests come to.
    ///
    /// # Errors
    /// [`InvalidServiceUrl`].
    pub fn new(
        remote_keys: RemoteKeys,
        urls: &[&str],
        nonces: Option<DpopNonces>,
    ) -> std::result::Result<Self, InvalidServiceUrl> {
        let dpop = ProofVerifier::new(urls)?;
        Ok(Self { remote_keys, used_assertions: SeenIds::new(MOST_REMEMBERED), dpop, nonces })
    }
}

/// What the sender of a request at the token endpoint has shown.
pub(super) struct CheckedSender {
    bound_to: Option<Confirmation>,
    proved: Option<ProvedKey>,
    certificate: Option<Confirmation>,
}

impl ProvedKey {
    pub(super) fn presented(&self) -> Presented {
        Presented::Proof(self.0.key)
    }
}

impl Authority {
    /// The nonce that proofs at the token endpoint have to name at this moment (RFC 9449 section 8); `None` where they need none.
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<String> {
        let now = self.now().seconds();
        self.proofs.nonces.as_ref().map(|nonces| nonces.current(now))
    }

    /// What the tokens of a request will be bound to: the key of its proof, which is not spent yet, or its certificate.
    ///
    /// # Errors
    /// `invalid_dpop_proof`, `use_dpop_nonce`; `invalid_request` without the certificate that the client's tokens are bound to.
    pub(super) fn check_sender(&self, client: &Client, sender: &SenderProof) -> Result<CheckedSender> {
        let (bound_to, proved) = match (client.token_binding, &sender.unverified_proof) {
            (TokenBinding::Optional, None) => (None, None),
            (TokenBinding::Optional | TokenBinding::Dpop, _) => {
                let proved = self.check_proof(sender, None)?;
                self.check_nonce(&proved.0)?;
                (Some(Confirmation::Key(proved.0.key)), Some(proved))
            }
            (TokenBinding::Certificate, None) => {
                let missing = "the connection has no client certificate to bind the tokens to";
                let shown = sender.certificate().ok_or_else(|| Error::invalid_request(missing))?;
                (Some(shown.confirmation()), None)
            }
            (TokenBinding::Certificate, Some(_)) => {
                let hint = "the client's tokens are bound to its certificate, not to the key of a proof";
                return Err(Error::invalid_request(hint));
            }
        };
        Ok(CheckedSender {
            bound_to,
            proved,
            certificate: sender.certificate().map(ClientCertificate::confirmation),
        })
    }

    /// What they are bound to, once all else of the request holds: spends its proof.
    ///
    /// # Errors
    /// `invalid_dpop_proof` the second time; `Overloaded`.
    pub(super) fn confirm(&self, checked: &CheckedSender) -> Result<Option<Confirmation>> {
        if let Some(proved) = &checked.proved {
            self.spend_proof(proved)?;
        }
        Ok(checked.bound_to)
    }

    /// The proof of a request with this access token, or with none.
    ///
    /// # Errors
    /// `invalid_dpop_proof`.
    pub(super) fn check_proof(
        &self,
        sender: &SenderProof,
        unverified_token: Option<&str>,
    ) -> Result<ProvedKey> {
        let proof = sender.unverified_proof.as_ref().ok_or_else(|| refused(ProofRefusal::Missing))?;
        let request = ProvedRequest { method: &proof.method, path: &proof.path, unverified_token };
        let checked = self.proofs.dpop.check(&proof.header, request, self.now().seconds());
        checked.map(ProvedKey).map_err(refused)
    }

    /// Spends a proof, once it is known that its sender may use it: nobody else fills the memory.
    ///
    /// # Errors
    /// `invalid_dpop_proof` the second time; `Overloaded`.
    pub(super) fn spend_proof(&self, proved: &ProvedKey) -> Result<()> {
        self.proofs.dpop.spend(&proved.0, self.now().seconds()).map_err(refused)
    }

    fn check_nonce(&self, proof: &CheckedProof) -> Result<()> {
        let Some(nonces) = &self.proofs.nonces else { return Ok(()) };
        let now = self.now().seconds();
        match &proof.unverified_nonce {
            Some(nonce) if nonces.accepts(nonce, now) => Ok(()),
            Some(_) => Err(Error::new(
                OAuthFault::UseDpopNonce,
                "the proof names a nonce that is not good here, or no longer",
            )),
            None => Err(Error::new(OAuthFault::UseDpopNonce, "the proof names no nonce")),
        }
    }
}

impl CheckedSender {
    /// Whether a code or a refresh token may be used by its sender.
    ///
    /// # Errors
    /// `invalid_dpop_proof` without the proof that it takes, `invalid_grant` with another key or certificate.
    pub(super) fn check_bound(&self, bound: Option<Confirmation>) -> Result<()> {
        let hint = match bound {
            None => return Ok(()),
            Some(key @ Confirmation::Key(_)) => match &self.proved {
                None => return Err(refused(ProofRefusal::Missing)),
                Some(_) if self.bound_to == Some(key) => return Ok(()),
                Some(_) => "it is bound to another key than that of the proof",
            },
            Some(certificate) if self.certificate == Some(certificate) => return Ok(()),
            Some(_) => "it is bound to another certificate than that of the connection",
        };
        Err(Error::new(OAuthFault::InvalidGrant(hint), hint))
    }
}

fn refused(refusal: ProofRefusal) -> Error {
    // Nobody can know whether it was used before.
    let is_full = refusal == ProofRefusal::TooMany;
    let kind = if is_full { ErrorKind::Overloaded } else { OAuthFault::InvalidDpopProof.into() };
    Error::new(kind, format!("DPoP proof: {refusal}"))
}
