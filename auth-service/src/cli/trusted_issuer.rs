use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::key_file;
use super::output::Output;
use super::table::Row;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::clients::{IssuerKeys, StoredKeys, TrustedIssuer};

#[derive(Debug, Subcommand)]
pub(super) enum TrustedIssuerCommand {
    /// Trust the tokens of a platform to say which workload has them.
    Create(IssuerOptions),
    /// Show a trusted issuer.
    Show { issuer: String },
    /// Change keys and audience of a trusted issuer; what is not given is as after `create`.
    Update(IssuerOptions),
    /// Delete a trusted issuer that no client uses.
    Delete {
        issuer: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// List the trusted issuers.
    List,
}

#[derive(Debug, Args)]
pub(super) struct IssuerOptions {
    /// `iss` of its tokens, byte by byte, such as https://token.actions.githubusercontent.com; for a SPIFFE trust domain
    /// spiffe://example.org.
    issuer: String,
    /// A JWKS with its public keys, or the bundle of a trust domain. Without this and --jwks-uri its metadata says where they are.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// Where that JWKS is.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// `aud` of the tokens that are meant for this authority; its issuer URL by default.
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
}

impl IssuerOptions {
    fn read(self) -> Result<TrustedIssuer, Failure> {
        let Self { issuer, jwks, jwks_uri, audience } = self;
        let keys = match (jwks, jwks_uri) {
            (Some(file), _) => {
                IssuerKeys::Stored(key_file::read(&file, |jwks| StoredKeys::parse_of_issuer(jwks, &issuer))?)
            }
            (None, Some(url)) => IssuerKeys::At(url),
            (None, None) => IssuerKeys::Discovered,
        };
        Ok(TrustedIssuer { issuer, keys, audience })
    }
}

impl TrustedIssuerCommand {
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List | Self::Show { .. })
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Create(options) => create(authority, output, &options.read()?),
            Self::Show { issuer } => show(authority, output, &issuer),
            Self::Update(options) => {
                let changed = options.read()?;
                authority.update_trusted_issuer(&changed)?;
                output.result(&described(authority, &changed), &format!("updated {}", changed.issuer));
                Ok(())
            }
            Self::Delete { issuer, yes } => {
                authority.registered_trusted_issuer(&issuer)?;
                output.confirm(yes, &format!("Trust the tokens of {issuer} no longer?"))?;
                authority.delete_trusted_issuer(&issuer)?;
                output.result(&json!({"issuer": issuer, "deleted": true}), &format!("deleted {issuer}"));
                Ok(())
            }
            Self::List => list(authority, output),
        }
    }
}

fn create(authority: &Authority, output: &Output, new: &TrustedIssuer) -> Done {
    authority.create_trusted_issuer(new)?;
    let TrustedIssuer { issuer, .. } = new;
    let text = format!(
        "tokens of {issuer} prove workloads, when their `aud` is {}\nNext: auth-service client create ID --workload-issuer {issuer} \
         --workload-subject SUBJECT",
        audience(authority, new)
    );
    output.result(&described(authority, new), &text);
    Ok(())
}

fn show(authority: &Authority, output: &Output, issuer: &str) -> Done {
    let trusted = authority.registered_trusted_issuer(issuer)?;
    let lines = [("issuer", issuer), ("audience", audience(authority, &trusted)), ("keys", &keys(&trusted))];
    let text: Vec<String> = lines.iter().map(|(name, value)| format!("{name:<9} {value}")).collect();
    output.result(&described(authority, &trusted), &text.join("\n"));
    Ok(())
}

fn list(authority: &Authority, output: &Output) -> Done {
    let row = |trusted: &TrustedIssuer| Row {
        document: described(authority, trusted),
        cells: vec![trusted.issuer.clone(), audience(authority, trusted).to_owned(), keys(trusted)],
    };
    let rows: Vec<Row> = authority.registered_trusted_issuers()?.iter().map(row).collect();
    output.list(&["ISSUER", "AUDIENCE", "KEYS"], &rows);
    Ok(())
}

fn audience<'a>(authority: &'a Authority, trusted: &'a TrustedIssuer) -> &'a str {
    trusted.audience.as_deref().unwrap_or(&authority.issuer.url)
}

fn keys(trusted: &TrustedIssuer) -> String {
    match &trusted.keys {
        IssuerKeys::Stored(stored) => stored.kids().join(" "),
        IssuerKeys::At(url) => url.clone(),
        IssuerKeys::Discovered => "by its metadata".to_owned(),
    }
}

fn described(authority: &Authority, trusted: &TrustedIssuer) -> Value {
    let (kids, jwks_uri) = match &trusted.keys {
        IssuerKeys::Stored(stored) => (Some(stored.kids()), None),
        IssuerKeys::At(url) => (None, Some(url)),
        IssuerKeys::Discovered => (None, None),
    };
    json!({
        "issuer": trusted.issuer,
        "audience": audience(authority, trusted),
        "kids": kids,
        "jwks_uri": jwks_uri,
    })
}
