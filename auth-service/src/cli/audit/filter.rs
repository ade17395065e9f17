use clap::Args;

use crate::authority::Authority;
use crate::cli::Failure;
use crate::clock::Timestamp;
use crate::storage::AuditFilter;

/// Which entries.
#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// Only entries about this user: a name, or the ID of a user who was deleted.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only entries about this client.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only entries of requests from this address.
    #[arg(long, value_name = "ADDRESS")]
    client_ip: Option<std::net::IpAddr>,
    /// Only entries of this action, such as user.disabled; with a dot at the end (user.) of all that begin so.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only entries from this time on, such as 2026-11-30T14:30:00Z.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,
}

impl FilterArguments {
    pub(super) fn resolve(
        self,
        authority: &Authority,
        until: Option<Timestamp>,
    ) -> Result<AuditFilter, Failure> {
        Ok(AuditFilter {
            user_id: self.user.as_deref().map(|user| authority.audited_user_id(user)).transpose()?,
            client_id: self.client,
            client_ip: self.client_ip.map(|address| address.to_canonical().to_string()),
            action: self.action,
            since: self.since,
            until,
        })
    }
}

pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_rfc3339(text)
        .ok_or_else(|| "expected a time such as 2026-11-30T14:30:00Z (RFC 3339)".to_owned())
}
