use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::Done;
use super::client::parse;
use super::list::ListArguments;
use super::output::Output;
use super::table::Row;
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::storage::{SessionPage, SessionSummary};

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List live sessions, oldest first.
    List {
        /// Only sessions of this user.
        #[arg(long, value_name = "USERNAME")]
        user: Option<String>,
        /// Only sessions that this client holds.
        #[arg(long, value_name = "ID")]
        client: Option<String>,
        /// Ended and expired sessions, too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        list: ListArguments,
    },
    /// Show a session.
    Show { id: String },
    /// End sessions and revoke their access tokens.
    End(SessionEnd),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub(super) struct SessionEnd {
    /// One session.
    #[arg(group = "which")]
    id: Option<String>,
    /// Every session of this user.
    #[arg(long, value_name = "USERNAME", group = "which")]
    user: Option<String>,
    /// Every session that this client holds.
    #[arg(long, value_name = "ID", group = "which")]
    client: Option<String>,
    /// Do not ask before many sessions end.
    #[arg(long)]
    yes: bool,
}

const HEADER: [&str; 6] = ["ID", "USER", "CLIENT", "STATE", "LAST REFRESH", "DEVICE"];

impl SessionCommand {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Show { .. })
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::List { user, client, all, list } => {
                let user_id = user.as_deref().map(|name| authority.user_id(name)).transpose()?;
                let mut page = SessionPage { user_id, client_id: client, all, ..SessionPage::default() };
                list.print(output, &HEADER, |after, limit| {
                    after.clone_into(&mut page.after);
                    page.limit = limit;
                    let now = authority.now();
                    Ok(authority.sessions_page(&page)?.iter().map(|session| row(session, now)).collect())
                })
            }
            Self::Show { id } => show(authority, output, &id),
            Self::End(which) => end(authority, output, which),
        }
    }
}

fn end(authority: &Authority, output: &Output, which: SessionEnd) -> Done {
    let SessionEnd { id, user, client, yes } = which;
    let ended = match (id, user, client) {
        (Some(id), ..) => usize::from(authority.end_session_by_id(&id)?),
        (_, Some(user), _) => {
            authority.user_id(&user)?;
            output.confirm(yes, &format!("End every session of the user {user}?"))?;
            authority.end_sessions_of_user(&user)?
        }
        (.., client) => {
            let id = parse(&client.unwrap_or_default())?;
            output.confirm(yes, &format!("End every session of the client {id}?"))?;
            authority.end_sessions_of_client(&id)?
        }
    };
    output.result(&json!({"sessions_ended": ended}), &format!("{ended} session(s) ended"));
    Ok(())
}

fn show(authority: &Authority, output: &Output, id: &str) -> Done {
    let session = authority.session_summary(id)?;
    let instant = |at: i64| Timestamp(at).rfc3339();
    let lines = [
        ("id", session.id.clone()),
        ("user", format!("{} ({})", session.username, session.user_id)),
        ("client", session.client_id.clone()),
        ("state", state(&session, authority.now())),
        ("scope", session.scope.clone()),
        ("audience", session.audience.clone()),
        ("created", instant(session.created_at)),
        ("last refresh", instant(session.rotated_at)),
        ("idle until", instant(session.idle_expires_at)),
        ("expires", instant(session.expires_at)),
        ("device", session.device.clone().unwrap_or_default()),
    ];
    let text: Vec<String> = lines.iter().map(|(name, value)| format!("{name:<13} {value}")).collect();
    output.result(&described(&session, authority.now()), &text.join("\n"));
    Ok(())
}

fn row(session: &SessionSummary, now: Timestamp) -> Row {
    let cells = vec![
        session.id.clone(),
        session.username.clone(),
        session.client_id.clone(),
        state(session, now),
        Timestamp(session.rotated_at).rfc3339(),
        session.device.clone().unwrap_or_default(),
    ];
    Row { document: described(session, now), cells }
}

fn described(session: &SessionSummary, now: Timestamp) -> Value {
    let instant = |at: i64| Timestamp(at).rfc3339();
    json!({
        "id": session.id,
        "user_id": session.user_id,
        "username": session.username,
        "client_id": session.client_id,
        "state": state(session, now),
        "scope": session.scope,
        "audience": session.audience,
        "created_at": instant(session.created_at),
        "refreshed_at": instant(session.rotated_at),
        "idle_expires_at": instant(session.idle_expires_at),
        "expires_at": instant(session.expires_at),
        "ended_at": session.ended_at.map(instant),
        "end_reason": session.end_reason,
        "device": session.device,
    })
}

fn state(session: &SessionSummary, now: Timestamp) -> String {
    let expired = session.expires_at.min(session.idle_expires_at) <= now.0;
    match (session.ended_at.is_some(), expired) {
        (true, _) => "ended",
        (false, true) => "expired",
        (false, false) => "live",
    }
    .to_owned()
}
