use clap::Subcommand;
use serde_json::json;

use super::key::parse_algorithm;
use super::output::Output;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::storage::StorageError;

#[derive(Debug, Subcommand)]
pub enum AudienceCommand {
    /// Register an audience, so that clients can be given it.
    Create {
        /// The `aud` of its tokens, byte by byte: a name, or an absolute URI.
        name: String,
        /// EdDSA, ES256 or RS256, when its verifiers do not know the default one.
        #[arg(long)]
        algorithm: Option<String>,
    },
    /// List the audiences.
    List,
}

impl AudienceCommand {
    pub fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Create { name, algorithm } => create(authority, output, &name, algorithm.as_deref()),
            Self::List => list(authority, output),
        }
    }
}

fn create(authority: &Authority, output: &Output, name: &str, algorithm: Option<&str>) -> Done {
    if name.is_empty()
        || name.len() > 255
        || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        let rule = "an audience has 1 to 255 visible ASCII characters and no # (RFC 8707 section 2)";
        return Err(Failure::Usage(rule.to_owned()));
    }
    let algorithm = algorithm.map(parse_algorithm).transpose()?;
    authority.storage.create_audience(name, algorithm, authority.now()).map_err(|error| match error {
        StorageError::Taken => Failure::Wrong(format!("the audience {name} is registered already")),
        other => other.into(),
    })?;
    // The first key of its algorithm is made now, not when the first token is asked for.
    authority.refresh_state()?;
    let algorithm = algorithm.unwrap_or(authority.default_algorithm);
    let document = json!({"audience": name, "algorithm": algorithm.as_str()});
    output.result(&document, &format!("registered the audience {name}, signed with {algorithm}"));
    Ok(())
}

fn list(authority: &Authority, output: &Output) -> Done {
    let audiences: std::collections::BTreeMap<_, _> =
        authority.storage.all_audiences()?.into_iter().collect();
    let rows: Vec<_> = audiences
        .iter()
        .map(|(name, algorithm)| (name, algorithm.unwrap_or(authority.default_algorithm)))
        .collect();
    let text: Vec<String> = rows.iter().map(|(name, algorithm)| format!("{name:<40} {algorithm}")).collect();
    let document: Vec<_> = rows
        .iter()
        .map(|(name, algorithm)| json!({"audience": name, "algorithm": algorithm.as_str()}))
        .collect();
    output.result(&json!(document), &text.join("\n"));
    Ok(())
}
