use clap::Subcommand;
use serde_json::json;

use super::Done;
use super::list::ListArguments;
use super::output::Output;
use super::table::Row;
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::storage::{BrowserSessionPage, BrowserSessionSummary};

#[derive(Debug, Subcommand)]
pub(super) enum BrowserSessionCommand {
    /// List live browser sessions, oldest first.
    List {
        /// Only browser sessions of this user.
        #[arg(long, value_name = "USERNAME")]
        user: Option<String>,
        #[command(flatten)]
        list: ListArguments,
    },
    /// End a browser session, and the sessions of clients that came from it. Its clients are told.
    End { id: String },
}

const HEADER: [&str; 5] = ["ID", "USER", "LOGGED IN", "METHODS", "DEVICE"];

impl BrowserSessionCommand {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List { .. })
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::List { user, list } => {
                let user_id = user.as_deref().map(|name| authority.user_id(name)).transpose()?;
                let mut page = BrowserSessionPage { user_id, ..BrowserSessionPage::default() };
                list.print(output, &HEADER, |after, limit| {
                    after.clone_into(&mut page.after);
                    page.limit = limit;
                    Ok(authority.browser_sessions_page(&page)?.iter().map(row).collect())
                })
            }
            Self::End { id } => {
                let ended = authority.end_browser_session(&id)?;
                let text = format!("ended the browser session {id}; {ended} session(s) of clients ended");
                output.result(&json!({"id": id, "ended": true, "sessions_ended": ended}), &text);
                Ok(())
            }
        }
    }
}

fn row(session: &BrowserSessionSummary) -> Row {
    let instant = |at: i64| Timestamp(at).rfc3339();
    let document = json!({
        "id": session.id,
        "user_id": session.user_id,
        "username": session.username,
        "auth_time": instant(session.auth_time),
        "amr": session.amr.split(' ').collect::<Vec<_>>(),
        "created_at": instant(session.created_at),
        "idle_expires_at": instant(session.idle_expires_at),
        "expires_at": instant(session.expires_at),
        "device": session.device,
    });
    let cells = vec![
        session.id.clone(),
        session.username.clone(),
        instant(session.auth_time),
        session.amr.clone(),
        session.device.clone().unwrap_or_default(),
    ];
    Row { document, cells }
}
