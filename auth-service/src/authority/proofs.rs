use shared_claims::dpop::{CheckedProof, InvalidServiceUrl, ProvedRequest};
use shared_claims::replay::SeenIds;
use shared_claims::{Confirmation, Presented, ProofRefusal, ProofVerifier};

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

    /// What the tokens of a request are bound to: the key of its proof, which is spent by it, or its certificate.
    ///
    /// # Errors
    /// `invalid_dpop_proof`, `use_dpop_nonce`; `invalid_request` without the certificate that the client's tokens are bound to;
    /// `Overloaded`.
    pub(super) fn confirm(&self, client: &Client, sender: &SenderProof) -> Result<Option<Confirmation>> {
        match (client.token_binding, &sender.unverified_proof) {
            (TokenBinding::Optional, None) => Ok(None),
            (TokenBinding::Optional | TokenBinding::Dpop, _) => self.confirm_key(sender).map(Some),
            (TokenBinding::Certificate, None) => {
                let missing = || {
                    Error::invalid_request("the connection has no client certificate to bind the tokens to")
                };
                sender.certificate().map(|certificate| Some(certificate.confirmation())).ok_or_else(missing)
            }
            (TokenBinding::Certificate, Some(_)) => Err(Error::invalid_request(
                "the client's tokens are bound to its certificate, not to the key of a proof",
            )),
        }
    }

    fn confirm_key(&self, sender: &SenderProof) -> Result<Confirmation> {
        let proved = self.check_proof(sender, None)?;
        self.check_nonce(&proved.0)?;
        let key = proved.0.key;
        self.spend_proof(&proved)?;
        Ok(Confirmation::Key(key))
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

/// Whether what was to be bound to a key is presented with it.
///
/// # Errors
/// `invalid_dpop_proof` without a proof, `invalid_grant` with that of another key.
pub(super) fn check_bound(bound: Option<Confirmation>, shown: Option<Confirmation>) -> Result<()> {
    match (bound, shown) {
        (None, _) => Ok(()),
        (Some(bound), Some(shown)) if bound == shown => Ok(()),
        (Some(_), None) => Err(refused(ProofRefusal::Missing)),
        (Some(_), Some(_)) => {
            let hint = "it is bound to another key than that of the proof";
            Err(Error::new(OAuthFault::InvalidGrant(hint), hint))
        }
    }
}

fn refused(refusal: ProofRefusal) -> Error {
    // Nobody can know whether it was used before.
    let is_full = refusal == ProofRefusal::TooMany;
    let kind = if is_full { ErrorKind::Overloaded } else { OAuthFault::InvalidDpopProof.into() };
    Error::new(kind, format!("DPoP proof: {refusal}"))
}
