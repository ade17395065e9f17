use diesel::prelude::*;

use super::schema::audit;
use crate::audit::{AuditEntry, Link, PersonalData};
use crate::clock::Timestamp;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
pub(super) struct AuditRow {
    seq: i64,
    at: i64,
    action: String,
    outcome: String,
    actor: String,
    user_id: Option<String>,
    client_id: Option<String>,
    session_id: Option<String>,
    key_id: Option<String>,
    detail: String,
    mac: Vec<u8>,
    request_id: Option<String>,
    client_ip: Option<String>,
    user_agent: Option<String>,
    username: Option<String>,
    salt: Option<Vec<u8>>,
    personal_mac: Option<Vec<u8>>,
}

impl AuditRow {
    pub(super) fn from_entry(entry: AuditEntry, mac: Vec<u8>) -> Self {
        let PersonalData { client_ip, user_agent, username, salt } = entry.personal;
        Self {
            seq: entry.seq,
            at: entry.at.0,
            action: entry.action,
            outcome: entry.outcome,
            actor: entry.actor,
            user_id: entry.user_id,
            client_id: entry.client_id,
            session_id: entry.session_id,
            key_id: entry.key_id,
            detail: entry.detail,
            mac,
            request_id: entry.request_id,
            client_ip,
            user_agent,
            username,
            salt,
            personal_mac: entry.personal_mac,
        }
    }

    pub(super) fn into_link(self) -> Link {
        let Self { client_ip, user_agent, username, salt, .. } = self;
        let entry = AuditEntry {
            seq: self.seq,
            at: Timestamp(self.at),
            action: self.action,
            outcome: self.outcome,
            actor: self.actor,
            user_id: self.user_id,
            client_id: self.client_id,
            session_id: self.session_id,
            key_id: self.key_id,
            detail: self.detail,
            request_id: self.request_id,
            personal: PersonalData { client_ip, user_agent, username, salt },
            personal_mac: self.personal_mac,
        };
        Link { entry, mac: self.mac }
    }
}
