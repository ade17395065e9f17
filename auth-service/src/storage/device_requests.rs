//! Devices that wait for a user to allow them something in a browser (RFC 8628).

use diesel::prelude::*;

use super::error::StorageError;
use super::schema::device_requests;
use super::{Storage, scope, words};
use crate::audit::{Action, Actor, Event};
use crate::clock::Timestamp;
use crate::secret::HashedSecret;
use shared_claims::ScopeSet;

/// A device that asks.
#[derive(Debug, Clone)]
pub struct DeviceRequest {
    /// Without its dash.
    pub user_code: String,
    pub client_id: String,
    pub scope: ScopeSet,
    pub audience: String,
    pub decision: Decision,
    /// Of the session that it gets.
    pub session_id: String,
    pub expires_at: Timestamp,
    pub client_ip: Option<String>,
    pub device: Option<String>,
}

/// What the user has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Pending,
    Allowed(AllowedBy),
    Denied,
}

/// Who allowed it, and how they were logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedBy {
    pub user_id: String,
    pub browser_session_id: String,
    pub password_epoch: i64,
    pub auth_time: Timestamp,
    /// How the user proved who they are (RFC 8176).
    pub amr: Vec<String>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = device_requests)]
struct Row {
    code_hash: Vec<u8>,
    user_code: String,
    client_id: String,
    scope: String,
    audience: String,
    state: String,
    user_id: Option<String>,
    browser_session_id: Option<String>,
    password_epoch: Option<i64>,
    auth_time: Option<i64>,
    amr: Option<String>,
    session_id: String,
    expires_at: i64,
    client_ip: Option<String>,
    device: Option<String>,
}

impl Storage {
    /// Stores a request that nobody has decided yet.
    ///
    /// # Errors
    /// [`StorageError::Taken`] when the user code is in use.
    pub fn add_device_request(
        &self,
        code: &HashedSecret,
        request: &DeviceRequest,
    ) -> Result<(), StorageError> {
        let row = Row {
            code_hash: code.as_bytes().to_vec(),
            user_code: request.user_code.clone(),
            client_id: request.client_id.clone(),
            scope: request.scope.to_string(),
            audience: request.audience.clone(),
            state: PENDING.to_owned(),
            user_id: None,
            browser_session_id: None,
            password_epoch: None,
            auth_time: None,
            amr: None,
            session_id: request.session_id.clone(),
            expires_at: request.expires_at.0,
            client_ip: request.client_ip.clone(),
            device: request.device.clone(),
        };
        self.write(move |connection| {
            diesel::insert_into(device_requests::table).values(row).execute(connection)?;
            Ok(())
        })
    }

    /// The request of a device code.
    ///
    /// # Errors
    /// [`StorageError`]; `Ok(None)` when there is none.
    pub fn device_request(&self, code: &HashedSecret) -> Result<Option<DeviceRequest>, StorageError> {
        let found = device_requests::table.find(code.as_bytes()).select(Row::as_select());
        let row: Option<Row> = self.read(|connection| Ok(found.first(connection).optional()?))?;
        row.map(Row::into_request).transpose()
    }

    /// The request of a user code that is not decided and has not expired.
    ///
    /// # Errors
    /// [`StorageError`]; `Ok(None)` when there is none.
    pub fn pending_device_request(
        &self,
        user_code: &str,
        now: Timestamp,
    ) -> Result<Option<DeviceRequest>, StorageError> {
        let found = device_requests::table
            .filter(device_requests::user_code.eq(user_code))
            .filter(device_requests::state.eq(PENDING))
            .filter(device_requests::expires_at.gt(now.0))
            .select(Row::as_select());
        let row: Option<Row> = self.read(|connection| Ok(found.first(connection).optional()?))?;
        row.map(Row::into_request).transpose()
    }

    /// Decides a request, once. `Ok(false)` when it was decided before, or has expired.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn decide_device_request(
        &self,
        user_code: &str,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let (user_code, decision) = (user_code.to_owned(), decision.clone());
        self.write_audited(move |connection| {
            let pending = device_requests::table
                .filter(device_requests::user_code.eq(&user_code))
                .filter(device_requests::state.eq(PENDING))
                .filter(device_requests::expires_at.gt(now.0));
            let by = if let Decision::Allowed(by) = &decision { Some(by) } else { None };
            let set = (
                device_requests::state.eq(if by.is_some() { ALLOWED } else { DENIED }),
                device_requests::user_id.eq(by.map(|by| by.user_id.clone())),
                device_requests::browser_session_id.eq(by.map(|by| by.browser_session_id.clone())),
                device_requests::password_epoch.eq(by.map(|by| by.password_epoch)),
                device_requests::auth_time.eq(by.map(|by| by.auth_time.0)),
                device_requests::amr.eq(by.map(|by| by.amr.join(" "))),
            );
            let client: Option<String> = diesel::update(pending)
                .set(set)
                .returning(device_requests::client_id)
                .get_result(connection)
                .optional()?;
            let event = client.as_ref().zip(by).map(|(client, by)| {
                let event = Event::of(Action::ConsentGranted).by(Actor::User(by.user_id.clone()));
                event.user(&by.user_id).client(client).detail("for a device")
            });
            Ok((client.is_some(), event))
        })
    }
}

const PENDING: &str = "pending";
pub(super) const ALLOWED: &str = "allowed";
pub(super) const DENIED: &str = "denied";

impl Row {
    fn into_request(self) -> Result<DeviceRequest, StorageError> {
        let unreadable = || StorageError::Unreadable("a malformed device request".to_owned());
        let decision = match self.state.as_str() {
            PENDING => Decision::Pending,
            DENIED => Decision::Denied,
            ALLOWED => Decision::Allowed(AllowedBy {
                user_id: self.user_id.ok_or_else(unreadable)?,
                browser_session_id: self.browser_session_id.ok_or_else(unreadable)?,
                password_epoch: self.password_epoch.ok_or_else(unreadable)?,
                auth_time: Timestamp(self.auth_time.ok_or_else(unreadable)?),
                amr: words(&self.amr.unwrap_or_default()),
            }),
            _ => return Err(unreadable()),
        };
        Ok(DeviceRequest {
            scope: scope(&self.scope)?,
            user_code: self.user_code,
            client_id: self.client_id,
            audience: self.audience,
            decision,
            session_id: self.session_id,
            expires_at: Timestamp(self.expires_at),
            client_ip: self.client_ip,
            device: self.device,
        })
    }
}
