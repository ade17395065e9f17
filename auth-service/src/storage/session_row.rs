//! Sessions as the table holds them.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::AstPass;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, HasSqlType, Nullable, Text};

use super::error::StorageError;
use super::schema::sessions;
use super::{scope, words};
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::sessions::{EndReason, Ended, FromBrowser, Presented, Session};

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub(super) struct SessionRow {
    pub(super) id: String,
    user_id: String,
    client_id: String,
    scope: String,
    audience: String,
    auth_time: i64,
    amr: String,
    created_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
    generation: i64,
    rotated_at: i64,
    ended_at: Option<i64>,
    end_reason: Option<String>,
    device: Option<String>,
    browser_session_id: Option<String>,
    offline: bool,
    userinfo_claims: String,
}

impl SessionRow {
    pub(super) fn from_session(session: &Session) -> Self {
        let browser = session.browser.as_ref();
        Self {
            id: session.id.clone(),
            user_id: session.user_id.clone(),
            client_id: session.client_id.to_string(),
            scope: session.scope.to_string(),
            audience: session.audience.clone(),
            auth_time: session.auth_time.0,
            amr: session.amr.join(" "),
            created_at: session.created_at.0,
            idle_expires_at: session.idle_expires_at.0,
            expires_at: session.expires_at.0,
            generation: session.generation,
            rotated_at: session.rotated_at.0,
            ended_at: session.ended.map(|ended| ended.at.0),
            end_reason: session.ended.map(|ended| ended.reason.as_str().to_owned()),
            device: session.device.clone(),
            browser_session_id: browser.map(|browser| browser.browser_session_id.clone()),
            offline: browser.is_some_and(|browser| browser.offline),
            userinfo_claims: browser.map(|browser| browser.userinfo_claims.join(" ")).unwrap_or_default(),
        }
    }

    /// The columns that a new session has, in the order of the insert of `redeem`.
    pub(super) fn bind_columns<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend + HasSqlType<Text> + HasSqlType<BigInt> + HasSqlType<Bool>,
        String: ToSql<Text, DB>,
        Option<String>: ToSql<Nullable<Text>, DB>,
        i64: ToSql<BigInt, DB>,
        bool: ToSql<Bool, DB>,
    {
        let texts = [
            &self.id,
            &self.user_id,
            &self.client_id,
            &self.scope,
            &self.audience,
            &self.amr,
            &self.userinfo_claims,
        ];
        for text in texts {
            out.push_bind_param::<Text, String>(text)?;
            out.push_sql(", ");
        }
        for text in [&self.device, &self.browser_session_id] {
            out.push_bind_param::<Nullable<Text>, Option<String>>(text)?;
            out.push_sql(", ");
        }
        out.push_bind_param::<Bool, bool>(&self.offline)?;
        let numbers = [
            &self.auth_time,
            &self.created_at,
            &self.idle_expires_at,
            &self.expires_at,
            &self.generation,
            &self.rotated_at,
        ];
        for number in numbers {
            out.push_sql(", ");
            out.push_bind_param::<BigInt, i64>(number)?;
        }
        Ok(())
    }

    /// Whether an update that returned this row was asked for by this token.
    pub(super) fn was_rotated_by(&self, presented: &Presented) -> bool {
        self.generation == presented.generation + 1 && self.client_id == presented.client_id.as_str()
    }

    pub(super) fn into_session(self) -> Result<Session, StorageError> {
        let unreadable = |what: &str| StorageError::Unreadable(format!("session with a malformed {what}"));
        let ended = match (self.ended_at, self.end_reason.as_deref()) {
            (None, None) => None,
            (Some(at), Some(reason)) => {
                let reason = EndReason::parse(reason).ok_or_else(|| unreadable("end_reason"))?;
                Some(Ended { at: Timestamp(at), reason })
            }
            _ => return Err(unreadable("end")),
        };
        Ok(Session {
            client_id: ClientId::parse(&self.client_id).ok_or_else(|| unreadable("client_id"))?,
            scope: scope(&self.scope)?,
            id: self.id,
            user_id: self.user_id,
            audience: self.audience,
            auth_time: Timestamp(self.auth_time),
            amr: words(&self.amr),
            created_at: Timestamp(self.created_at),
            idle_expires_at: Timestamp(self.idle_expires_at),
            expires_at: Timestamp(self.expires_at),
            generation: self.generation,
            rotated_at: Timestamp(self.rotated_at),
            ended,
            device: self.device,
            browser: self.browser_session_id.map(|browser_session_id| FromBrowser {
                browser_session_id,
                offline: self.offline,
                userinfo_claims: words(&self.userinfo_claims),
            }),
        })
    }
}
