//! Entries of the audit log that an operator asks for.

use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::Storage;
use super::audit_row::AuditRow;
use super::error::StorageError;
use super::schema::audit;
use super::user_list::escaped;
use crate::audit::AuditEntry;
use crate::clock::Timestamp;

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub user_id: Option<String>,
    pub client_id: Option<String>,
    pub client_ip: Option<String>,
    /// The whole name of an action, `user.disabled`, or its beginning, `user.`.
    pub action: Option<String>,
    /// The first moment.
    pub since: Option<Timestamp>,
    /// The first moment after it.
    pub until: Option<Timestamp>,
}

macro_rules! filtered {
    ($filter:expr) => {{
        let AuditFilter { user_id, client_id, client_ip, action, since, until } = $filter;
        let action = action.as_deref().unwrap_or_default();
        let family = action.strip_suffix('.').map(|family| format!("{}%", escaped(&format!("{family}."))));
        audit::table
            .filter(
                audit::user_id
                    .eq(user_id.as_deref())
                    .assume_not_null()
                    .or(user_id.is_none().into_sql::<Bool>()),
            )
            .filter(
                audit::client_id
                    .eq(client_id.as_deref())
                    .assume_not_null()
                    .or(client_id.is_none().into_sql::<Bool>()),
            )
            .filter(
                audit::client_ip
                    .eq(client_ip.as_deref())
                    .assume_not_null()
                    .or(client_ip.is_none().into_sql::<Bool>()),
            )
            .filter(
                audit::action
                    .eq(action.to_owned())
                    .or(audit::action.like(family.unwrap_or_default()).escape('\\'))
                    .or(action.is_empty().into_sql::<Bool>()),
            )
            .filter(audit::at.ge(since.map_or(i64::MIN, |at| at.0)))
            .filter(audit::at.lt(until.map_or(i64::MAX, |at| at.0)))
    }};
}

impl Storage {
    /// At most `limit` entries behind a number, in order.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit_page(
        &self,
        filter: &AuditFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StorageError> {
        let page = filtered!(filter).filter(audit::seq.gt(after)).order(audit::seq).limit(limit.into());
        let rows: Vec<AuditRow> =
            self.read(|connection| Ok(page.select(AuditRow::as_select()).load(connection)?))?;
        Ok(rows.into_iter().map(|row| row.into_link().entry).collect())
    }

    /// The number before the newest `count` entries; 0 when there are no more.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit_before_newest(&self, filter: &AuditFilter, count: u32) -> Result<i64, StorageError> {
        let newest = filtered!(filter).order(audit::seq.desc()).offset(count.into()).select(audit::seq);
        let before: Option<i64> = self.read(|connection| Ok(newest.first(connection).optional()?))?;
        Ok(before.unwrap_or(0))
    }
}
