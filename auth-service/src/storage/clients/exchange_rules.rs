use diesel::prelude::*;

use crate::audit::{Action, Event};
use crate::clients::{ClientId, ExchangeRule};
use crate::clock::Timestamp;
use crate::storage::error::StorageError;
use crate::storage::schema::exchange_rules;
use crate::storage::{Storage, count_up, scope};

#[derive(AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = exchange_rules)]
struct ExchangeRuleRow {
    client_id: String,
    from_audience: String,
    to_audience: String,
    scope: String,
    impersonates: bool,
}

impl Storage {
    /// Allows an exchange; a rule that is there takes the new scope.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn allow_exchange(&self, rule: &ExchangeRule, now: Timestamp) -> Result<(), StorageError> {
        let row = ExchangeRuleRow {
            client_id: rule.client_id.to_string(),
            from_audience: rule.from.clone(),
            to_audience: rule.to.clone(),
            scope: rule.scope.to_string(),
            impersonates: rule.impersonates,
        };
        self.write_audited(move |connection| {
            let ExchangeRuleRow { client_id, from_audience: from, to_audience: to, scope, impersonates } =
                &row;
            let detail = format!("from {from} to {to}, scope {scope}, impersonates {impersonates}");
            let event = Event::of(Action::ExchangeAllowed).client(client_id).detail(detail);
            let found = exchange_rules::table.find((client_id.clone(), from.clone(), to.clone()));
            let changed = diesel::update(found).set(&row).execute(connection)?;
            if changed == 0 {
                let row = (&row, exchange_rules::created_at.eq(now.0));
                diesel::insert_into(exchange_rules::table).values(row).execute(connection)?;
            }
            count_up(connection, "clients")?;
            Ok(((), Some(event)))
        })
    }

    /// `Ok(false)` when there is no such rule.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn deny_exchange(&self, client: &ClientId, from: &str, to: &str) -> Result<bool, StorageError> {
        let (client, from, to) = (client.to_string(), from.to_owned(), to.to_owned());
        self.write_audited(move |connection| {
            let found = exchange_rules::table.find((client.clone(), from.clone(), to.clone()));
            let denied = diesel::delete(found).execute(connection)? > 0;
            count_up(connection, "clients")?;
            let event =
                Event::of(Action::ExchangeDenied).client(&client).detail(format!("from {from} to {to}"));
            Ok((denied, denied.then_some(event)))
        })
    }

    /// By client and audiences.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn all_exchange_rules(&self) -> Result<Vec<ExchangeRule>, StorageError> {
        use exchange_rules::{client_id, from_audience, to_audience};
        let rows: Vec<ExchangeRuleRow> = self.look(|connection| {
            let all = exchange_rules::table.order((client_id, from_audience, to_audience));
            Ok(all.select(ExchangeRuleRow::as_select()).load(connection)?)
        })?;
        rows.into_iter().map(ExchangeRuleRow::read).collect()
    }
}

impl ExchangeRuleRow {
    fn read(self) -> Result<ExchangeRule, StorageError> {
        let unreadable =
            || StorageError::Unreadable("an exchange rule with a malformed client id".to_owned());
        Ok(ExchangeRule {
            client_id: ClientId::parse(&self.client_id).ok_or_else(unreadable)?,
            from: self.from_audience,
            to: self.to_audience,
            scope: scope(&self.scope)?,
            impersonates: self.impersonates,
        })
    }
}
