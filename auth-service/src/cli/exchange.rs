use clap::{Args, Subcommand};
use serde_json::{Value, json};
use shared_claims::ScopeSet;

use super::client;
use super::output::Output;
use super::table::Row;
use super::{Done, Failure};
use crate::authority::Authority;
use crate::clients::ExchangeRule;

#[derive(Debug, Subcommand)]
pub(super) enum ExchangeCommand {
    /// Let a client exchange the tokens that it is sent for tokens of another service (RFC 8693).
    Allow {
        #[command(flatten)]
        exchange: Exchange,
        /// The most that it gets of the scope of a token, separated by spaces.
        #[arg(long)]
        scope: String,
        /// The new token does not say that the client acts: to whom it is sent, it is the user's own. Each is in the audit log.
        #[arg(long)]
        impersonate: bool,
    },
    /// Take that back. Tokens that were exchanged go on until they expire.
    Deny {
        #[command(flatten)]
        exchange: Exchange,
    },
    /// List what clients may exchange.
    List,
}

#[derive(Debug, Args)]
pub(super) struct Exchange {
    /// The client.
    #[arg(long, value_name = "ID")]
    client: String,
    /// The audience of the tokens that it is sent.
    #[arg(long, value_name = "AUDIENCE")]
    from: String,
    /// The audience of the tokens that it gets.
    #[arg(long, value_name = "AUDIENCE")]
    to: String,
}

impl ExchangeCommand {
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List)
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Allow { exchange: Exchange { client, from, to }, scope, impersonate } => {
                let scope = ScopeSet::parse(&scope).map_err(|error| Failure::Usage(error.to_string()))?;
                let client_id = client::parse(&client)?;
                let rule = ExchangeRule { client_id, from, to, scope, impersonates: impersonate };
                authority.allow_exchange(&rule)?;
                let text = format!(
                    "{} may exchange tokens for {} for tokens for {}\nNext: POST /oauth2/token with grant_type token-exchange, \
                     subject_token and audience={}; see docs/token-exchange.md",
                    rule.client_id, rule.from, rule.to, rule.to
                );
                output.result(&described(&rule), &text);
                Ok(())
            }
            Self::Deny { exchange: Exchange { client, from, to } } => {
                authority.deny_exchange(&client::parse(&client)?, &from, &to)?;
                let document = json!({"client_id": client, "from": from, "to": to, "denied": true});
                let text = format!("{client} may no longer exchange tokens for {from} for tokens for {to}");
                output.result(&document, &text);
                Ok(())
            }
            Self::List => list(authority, output),
        }
    }
}

fn list(authority: &Authority, output: &Output) -> Done {
    let rows: Vec<Row> = authority.exchange_rules()?.iter().map(row).collect();
    output.list(&["CLIENT", "FROM", "TO", "SCOPE", "ACTOR"], &rows);
    Ok(())
}

fn row(rule: &ExchangeRule) -> Row {
    let actor = if rule.impersonates { "hidden" } else { "named" };
    Row {
        document: described(rule),
        cells: vec![
            rule.client_id.to_string(),
            rule.from.clone(),
            rule.to.clone(),
            rule.scope.to_string(),
            actor.to_owned(),
        ],
    }
}

fn described(rule: &ExchangeRule) -> Value {
    json!({
        "client_id": rule.client_id.as_str(),
        "from": rule.from,
        "to": rule.to,
        "scope": rule.scope.as_str(),
        "impersonates": rule.impersonates,
    })
}
