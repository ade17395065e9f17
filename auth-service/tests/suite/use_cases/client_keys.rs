//! Keys of clients and platforms, and what they sign.

use auth_service::authority::Authentication;
use auth_service::clients::{ClientAuthentication, ClientKeys, StoredKeys};
use auth_service::error::{ErrorKind, OAuthFault};
use auth_service::secret::PlainSecret;
use serde_json::{Value, json};
use system_tests::hostile::Signer;

use super::InProcess;

/// A key of a client or a platform.
pub(crate) struct Key {
    pub(crate) kid: &'static str,
    signer: Signer,
}

impl Key {
    pub(crate) fn new(kid: &'static str) -> Self {
        let mut signer = Signer::eddsa();
        kid.clone_into(&mut signer.kid);
        Self { kid, signer }
    }

    pub(crate) fn jwk(&self) -> Value {
        merged(self.signer.jwk(), &json!({"use": "sig"}))
    }

    pub(crate) fn sign(&self, header: &Value, claims: &str) -> String {
        self.signer.token(header.to_string().as_bytes(), claims.as_bytes())
    }
}

pub(crate) fn jwks(keys: &[&Key]) -> String {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
}

pub(crate) fn stored(keys: &[&Key]) -> ClientKeys {
    ClientKeys::Stored(StoredKeys::parse(jwks(keys)).unwrap())
}

pub(crate) fn merged(mut whole: Value, change: &Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            whole.as_object_mut().unwrap().remove(name);
        } else {
            whole[name] = value.clone();
        }
    }
    whole
}

/// The cause for the operator, where it is not proved.
pub(crate) fn proved(signet: &InProcess, id: &str, assertion: &str) -> Result<(), String> {
    let presented = ClientAuthentication::Assertion {
        unverified_id: id.to_owned(),
        assertion: PlainSecret::new(assertion.to_owned()),
    };
    let refused = match signet.authority.authenticate_client(&presented) {
        Ok(Authentication::Proved(client)) => {
            assert_eq!(client.id.as_str(), id);
            return Ok(());
        }
        Ok(Authentication::MaybeNew(refused)) | Err(refused) => refused,
        Ok(Authentication::NeedsKeys(location)) => panic!("keys at {location}"),
    };
    assert_eq!(refused.kind, ErrorKind::OAuth(OAuthFault::InvalidClient));
    Err(refused.cause.trim_start_matches(&format!("client {id}: ")).to_owned())
}
