//! Options that say how a client proves itself without a secret.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::certificate::CertificateOptions;
use crate::cli::{Failure, key_file};
use crate::clients::{
    Client, ClientKeys, ClientMethod, Credentials, RegisteredCertificate, StoredKeys, SubjectPattern,
    Workload,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct MethodOptions {
    /// A JWKS with the public keys of the client, which then authenticates by private_key_jwt, without a secret. Each key has a
    /// `kid`, and an RSA key an `alg`.
    #[arg(long, value_name = "FILE", group = "keys", group = "change")]
    jwks: Option<PathBuf>,
    /// Where the client publishes that JWKS, so that it can change its keys by itself: https, or within `outbound.networks`.
    #[arg(long, value_name = "URL", group = "keys", group = "change")]
    jwks_uri: Option<String>,
    /// The client shows the token of its platform, without a secret: the trusted issuer of it.
    #[arg(long, value_name = "ISSUER", group = "keys", group = "change", requires = "workload_subject")]
    workload_issuer: Option<String>,
    /// `sub` of that token, such as system:serviceaccount:prod:billing or repo:octo/app:ref:refs/heads/main; a `*` behind `:` or `/` at
    /// the end stands for anything.
    #[arg(long, value_name = "SUBJECT", requires = "workload_issuer", value_parser = SubjectPattern::parse)]
    workload_subject: Option<SubjectPattern>,
    /// Another claim of that token, such as repository_owner_id=1342 or kubernetes.io/namespace=prod. May be repeated.
    #[arg(long = "workload-claim", value_name = "NAME=VALUE", requires = "workload_issuer", value_parser = claim)]
    workload_claims: Vec<(String, String)>,
    #[command(flatten)]
    certificate: CertificateOptions,
}

impl MethodOptions {
    pub(super) fn read(self) -> Result<Option<ClientMethod>, Failure> {
        if let Some(file) = self.jwks {
            let stored = key_file::read(&file, StoredKeys::parse)?;
            return Ok(Some(ClientMethod::PrivateKeyJwt(ClientKeys::Stored(stored))));
        }
        if let Some(url) = self.jwks_uri {
            return Ok(Some(ClientMethod::PrivateKeyJwt(ClientKeys::At(url))));
        }
        if let Some(method) = self.certificate.read()? {
            return Ok(Some(method));
        }
        let Some((issuer, subject)) = self.workload_issuer.zip(self.workload_subject) else {
            return Ok(None);
        };
        let given = self.workload_claims.len();
        let claims: BTreeMap<String, String> = self.workload_claims.into_iter().collect();
        if claims.len() < given {
            return Err(Failure::Usage("a --workload-claim is given twice".to_owned()));
        }
        Ok(Some(ClientMethod::Workload(Workload { issuer, subject, claims })))
    }
}

fn claim(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let named = !name.is_empty() && !name.split('/').any(str::is_empty);
    if named { Ok((name.to_owned(), value.to_owned())) } else { Err("expected NAME=VALUE") }
}

/// How a client proves itself, beside the name of the method: a line each.
pub(super) fn lines(client: &Client) -> Vec<(&'static str, String)> {
    match &client.credentials {
        Credentials::PrivateKeyJwt(ClientKeys::Stored(stored)) => vec![("keys", stored.kids().join(" "))],
        Credentials::PrivateKeyJwt(ClientKeys::At(url)) => vec![("keys at", url.clone())],
        Credentials::Workload(workload) => {
            let claims = workload.claims.iter().map(|(name, value)| format!("{name}={value}"));
            vec![
                ("issuer", workload.issuer.clone()),
                ("subject", workload.subject.to_string()),
                ("claims", claims.collect::<Vec<_>>().join(" ")),
            ]
        }
        Credentials::Certificate(RegisteredCertificate::Listed(thumbprints)) => {
            thumbprints.iter().map(|thumbprint| ("certificate", thumbprint.to_string())).collect()
        }
        Credentials::Certificate(RegisteredCertificate::Named(name)) => vec![("name", name.to_string())],
        Credentials::FirstParty | Credentials::Public | Credentials::Secret { .. } => Vec::new(),
    }
}

/// The same for documents; the names of client metadata where there are some (RFC 7591 section 2).
pub(super) fn describe(client: &Client, document: &mut Value) {
    match &client.credentials {
        Credentials::PrivateKeyJwt(ClientKeys::Stored(stored)) => document["kids"] = stored.kids().into(),
        Credentials::PrivateKeyJwt(ClientKeys::At(url)) => document["jwks_uri"] = url.as_str().into(),
        Credentials::Workload(Workload { issuer, subject, claims }) => {
            document["workload"] = json!({"issuer": issuer, "subject": subject.as_str(), "claims": claims});
        }
        Credentials::Certificate(RegisteredCertificate::Listed(thumbprints)) => {
            let texts: Vec<String> = thumbprints.iter().map(ToString::to_string).collect();
            document["certificates"] = texts.into();
        }
        Credentials::Certificate(RegisteredCertificate::Named(name)) => {
            document[name.member()] = name.value().into();
        }
        Credentials::FirstParty | Credentials::Public | Credentials::Secret { .. } => {}
    }
}
