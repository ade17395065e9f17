//! The columns that say how a client proves itself, where it is not by a secret.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::clients::{
    ClientKeys, ClientMethod, Credentials, PRIVATE_KEY_JWT, RegisteredCertificate, StoredKeys,
    SubjectPattern, WORKLOAD, Workload,
};
use crate::storage::schema::clients;

/// All `None` of a client with a secret, or without anything.
#[derive(Default, AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = clients, treat_none_as_null = true)]
pub(in crate::storage) struct MethodColumns {
    auth_method: Option<String>,
    jwks: Option<String>,
    jwks_uri: Option<String>,
    workload_issuer: Option<String>,
    workload_subject: Option<String>,
    workload_claims: Option<String>,
    certificate: Option<String>,
}

impl MethodColumns {
    pub(in crate::storage) fn of(method: &ClientMethod) -> Self {
        match method {
            ClientMethod::Secret | ClientMethod::None => Self::default(),
            ClientMethod::PrivateKeyJwt(keys) => Self::of_keys(keys),
            ClientMethod::Workload(workload) => Self::of_workload(workload),
            ClientMethod::Certificate(registered) => Self {
                auth_method: Some(registered.method().to_owned()),
                certificate: Some(registered.to_string()),
                ..Self::default()
            },
        }
    }

    fn of_keys(keys: &ClientKeys) -> Self {
        let (jwks, jwks_uri) = match keys {
            ClientKeys::Stored(stored) => (Some(stored.jwks().to_owned()), None),
            ClientKeys::At(url) => (None, Some(url.clone())),
        };
        Self { auth_method: Some(PRIVATE_KEY_JWT.to_owned()), jwks, jwks_uri, ..Self::default() }
    }

    fn of_workload(workload: &Workload) -> Self {
        let claims = serde_json::json!(workload.claims);
        Self {
            auth_method: Some(WORKLOAD.to_owned()),
            workload_issuer: Some(workload.issuer.clone()),
            workload_subject: Some(workload.subject.to_string()),
            workload_claims: Some(claims.to_string()),
            ..Self::default()
        }
    }

    /// `Ok(None)` of a client with a secret, or without anything.
    ///
    /// # Errors
    /// What no registration has written.
    pub(super) fn read(self) -> Result<Option<Credentials>, &'static str> {
        match self.auth_method.as_deref() {
            None => Ok(None),
            Some(PRIVATE_KEY_JWT) => {
                let keys = match (self.jwks, self.jwks_uri) {
                    (Some(jwks), None) => ClientKeys::Stored(StoredKeys::parse(jwks).map_err(|_| "key set")?),
                    (None, Some(url)) => ClientKeys::At(url),
                    _ => return Err("key set"),
                };
                Ok(Some(Credentials::PrivateKeyJwt(keys)))
            }
            Some(WORKLOAD) => self.workload().map(Credentials::Workload).map(Some).ok_or("workload"),
            Some(method) => {
                let text = self.certificate.as_deref().ok_or("authentication method")?;
                let registered = RegisteredCertificate::parse(method, text).ok_or("certificate")?;
                Ok(Some(Credentials::Certificate(registered)))
            }
        }
    }

    fn workload(self) -> Option<Workload> {
        let claims: BTreeMap<String, String> = serde_json::from_str(&self.workload_claims?).ok()?;
        let subject = SubjectPattern::parse(&self.workload_subject?).ok()?;
        Some(Workload { issuer: self.workload_issuer?, subject, claims })
    }
}
