use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use shared_claims::encryption::EncryptionKey;

use super::key::parse_algorithm;
use super::key_file;
use super::output::Output;
use super::table::Row;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::clients::{Audience, AudienceChange, TokenType};
use crate::keys::Algorithm;

#[derive(Debug, Subcommand)]
pub(super) enum AudienceCommand {
    /// Create an audience, so that clients can request tokens for it.
    Create {
        /// The `aud` of its tokens, byte by byte: a name, or an absolute URI.
        name: String,
        /// EdDSA, ES256 or RS256, if its verifiers do not support the default one.
        #[arg(long)]
        algorithm: Option<String>,
        /// A JWKS with the audience's public encryption key: only the audience can then read its access tokens. Create
        /// one with `resource-service encryption-key FILE`.
        #[arg(long, value_name = "FILE")]
        encryption_jwks: Option<PathBuf>,
        /// `typ` of its access tokens: at+jwt, or JWT where verifiers refuse that (Spring Security, Nimbus, hono do by
        /// default).
        #[arg(long, default_value = "at+jwt", value_name = "TYPE")]
        typ: String,
    },
    /// Show an audience.
    Show { name: String },
    /// Change the algorithm or the type of an audience's tokens.
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
    Update {
        name: String,
        /// EdDSA, ES256 or RS256.
        #[arg(long, group = "change")]
        algorithm: Option<String>,
        /// `typ` of its access tokens: at+jwt or JWT.
        #[arg(long, value_name = "TYPE", group = "change")]
        typ: Option<String>,
    },
    /// Delete an audience that no client uses.
    Delete {
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Change or remove the encryption key of an audience.
    Encrypt {
        name: String,
        /// A JWKS with its public encryption key.
        #[arg(long, value_name = "FILE", required_unless_present = "off", conflicts_with = "off")]
        encryption_jwks: Option<PathBuf>,
        /// Stop encrypting the tokens of this audience.
        #[arg(long)]
        off: bool,
    },
    /// List the audiences.
    List,
}

impl AudienceCommand {
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List | Self::Show { .. })
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Create { name, algorithm, encryption_jwks, typ } => {
                let token_type = parse_type(&typ)?;
                let algorithm = algorithm.as_deref().map(parse_algorithm).transpose()?;
                let encryption_jwks = encryption_jwks.as_deref().map(read_jwks).transpose()?;
                create(authority, output, Audience { name, algorithm, encryption_jwks, token_type })
            }
            Self::Show { name } => show(authority, output, &name),
            Self::Update { name, algorithm, typ } => {
                let change = AudienceChange {
                    algorithm: algorithm.as_deref().map(parse_algorithm).transpose()?,
                    token_type: typ.as_deref().map(parse_type).transpose()?,
                };
                update(authority, output, &name, change)
            }
            Self::Delete { name, yes } => delete(authority, output, &name, yes),
            Self::Encrypt { name, encryption_jwks, .. } => {
                let jwks = encryption_jwks.as_deref().map(read_jwks).transpose()?;
                encrypt(authority, output, &name, jwks)
            }
            Self::List => list(authority, output),
        }
    }
}

fn create(authority: &Authority, output: &Output, audience: Audience) -> Done {
    authority.create_audience(&audience)?;
    let name = audience.name.as_str();
    let document = described(authority, &audience);
    let algorithm = audience.algorithm.unwrap_or(authority.issuer.default_algorithm);
    let encrypted = match document["encryption_kid"].as_str() {
        Some(kid) => format!(" and encrypted to the key {kid}"),
        None => String::new(),
    };
    let advice = match (audience.algorithm, algorithm) {
        (None, Algorithm::EdDsa) => {
            "\nMany libraries do not support EdDSA: for verifiers other than Signet's own use `--algorithm RS256` or ES256"
        }
        _ => "",
    };
    let text =
        format!("created the audience {name}; its tokens are signed with {algorithm}{encrypted}{advice}");
    output.result(&document, &text);
    Ok(())
}

fn encrypt(authority: &Authority, output: &Output, name: &str, jwks: Option<String>) -> Done {
    authority.set_audience_encryption(name, jwks.clone())?;
    let audience = Audience { encryption_jwks: jwks, ..Audience::named(name) };
    let kid = encryption_kid(&audience);
    let text = match kid.as_str() {
        Some(kid) => format!("tokens for {name} are now encrypted to the key {kid}"),
        None => format!("tokens for {name} are no longer encrypted"),
    };
    output.result(&json!({"audience": name, "encryption_kid": kid}), &text);
    Ok(())
}

fn show(authority: &Authority, output: &Output, name: &str) -> Done {
    let audience = authority.registered_audience(name)?;
    let document = described(authority, &audience);
    let lines = ["audience", "algorithm", "typ", "encryption_kid"]
        .map(|member| format!("{member:<15} {}", document[member].as_str().unwrap_or("-")));
    output.result(&document, &lines.join("\n"));
    Ok(())
}

fn update(authority: &Authority, output: &Output, name: &str, change: AudienceChange) -> Done {
    authority.update_audience(name, change)?;
    let document = described(authority, &authority.registered_audience(name)?);
    output.result(&document, &format!("updated the audience {name}; its next token has the change"));
    Ok(())
}

fn delete(authority: &Authority, output: &Output, name: &str, yes: bool) -> Done {
    authority.registered_audience(name)?;
    output.confirm(yes, &format!("Delete the audience {name}?"))?;
    authority.delete_audience(name)?;
    let text =
        format!("deleted the audience {name}; its services accept tokens that they have until these expire");
    output.result(&json!({"audience": name, "deleted": true}), &text);
    Ok(())
}

fn list(authority: &Authority, output: &Output) -> Done {
    let row = |audience: &Audience| {
        let document = described(authority, audience);
        let cell = |member: &str| document[member].as_str().unwrap_or("-").to_owned();
        let cells = ["audience", "algorithm", "typ", "encryption_kid"].map(cell).to_vec();
        Row { document, cells }
    };
    let rows: Vec<Row> = authority.registered_audiences()?.iter().map(row).collect();
    output.list(&["NAME", "ALGORITHM", "TYP", "ENCRYPTED TO"], &rows);
    Ok(())
}

fn parse_type(text: &str) -> Result<TokenType, Failure> {
    TokenType::parse(text)
        .ok_or_else(|| Failure::Usage(format!("unknown access token type {text:?}: expected at+jwt or JWT")))
}

fn described(authority: &Authority, audience: &Audience) -> Value {
    let algorithm = audience.algorithm.unwrap_or(authority.issuer.default_algorithm);
    json!({
        "audience": audience.name,
        "algorithm": algorithm.as_str(),
        "typ": audience.token_type.as_str(),
        "encryption_kid": encryption_kid(audience),
    })
}

fn encryption_kid(audience: &Audience) -> Value {
    let key =
        audience.encryption_jwks.as_ref().and_then(|jwks| EncryptionKey::from_jwks(jwks.as_bytes()).ok());
    key.map_or(Value::Null, |key| json!(key.kid()))
}

/// Checks the JWKS before it is stored.
fn read_jwks(file: &Path) -> Result<String, Failure> {
    key_file::read(file, |jwks| EncryptionKey::from_jwks(jwks.as_bytes()).map(|_| jwks))
}
