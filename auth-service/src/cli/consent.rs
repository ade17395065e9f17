use clap::Subcommand;
use serde_json::json;

use super::Done;
use super::client::parse;
use super::output::Output;
use super::table::Row;
use crate::authority::Authority;
use crate::storage::Consent;

#[derive(Debug, Subcommand)]
pub(super) enum ConsentCommand {
    /// List what users have allowed clients, at most 1000.
    List {
        /// Only consents of this user.
        #[arg(long, value_name = "USERNAME")]
        user: Option<String>,
        /// Only consents to this client.
        #[arg(long, value_name = "ID")]
        client: Option<String>,
    },
    /// Withdraw what a user has allowed a client, and end the sessions that came from it.
    Withdraw {
        #[arg(long, value_name = "USERNAME")]
        user: String,
        #[arg(long, value_name = "ID")]
        client: String,
    },
}

impl ConsentCommand {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List { .. })
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::List { user, client } => {
                let user_id = user.as_deref().map(|name| authority.user_id(name)).transpose()?;
                let client_id = client.as_deref().map(parse).transpose()?;
                let consents = authority.consents(user_id.as_deref(), client_id.as_ref())?;
                let rows: Vec<Row> = consents.iter().map(row).collect();
                output.list(&["USER ID", "CLIENT", "AUDIENCE", "SCOPE", "EXPIRES"], &rows);
                Ok(())
            }
            Self::Withdraw { user, client } => {
                let ended = authority.withdraw_consent(&user, &parse(&client)?)?;
                let text = format!("withdrew what {user} had allowed {client}; {ended} session(s) ended");
                let document = json!({"username": user, "client_id": client, "withdrawn": true, "sessions_ended": ended});
                output.result(&document, &text);
                Ok(())
            }
        }
    }
}

fn row(consent: &Consent) -> Row {
    let document = json!({
        "user_id": consent.user_id,
        "client_id": consent.client_id,
        "audience": consent.audience,
        "scope": consent.scope.to_string(),
        "granted_at": consent.granted_at.rfc3339(),
        "expires_at": consent.expires_at.rfc3339(),
    });
    let cells = vec![
        consent.user_id.clone(),
        consent.client_id.clone(),
        consent.audience.clone(),
        consent.scope.to_string(),
        consent.expires_at.rfc3339(),
    ];
    Row { document, cells }
}
