use std::time::Duration;

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::{replicas, verifiers};
use super::{Storage, words};
use crate::clock::Timestamp;
use crate::verifiers::{Changes, ConnectedVerifier};

/// A replica without a sign of life for this long is gone, and its verifiers with it.
const GONE: Duration = Duration::from_secs(15);

/// Rows in one statement: SQLite takes 32,766 values.
const MOST_AT_ONCE: usize = 1000;

impl Storage {
    /// Writes what has changed among the verifiers of a replica, and that it is alive. `Ok(false)` when the
    /// replica was not known, or was taken for dead: what did not change is not there either, then.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn save_verifiers(
        &self,
        replica: &str,
        changes: Changes,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let replica = replica.to_owned();
        self.write(move |connection| {
            // The replica's row first, here and where the dead are swept: who holds it may touch its verifiers.
            let alive = diesel::update(replicas::table.find(&replica))
                .set(replicas::seen_at.eq(now.0))
                .execute(connection)?;
            if alive == 0 {
                let row = (replicas::id.eq(&replica), replicas::seen_at.eq(now.0));
                diesel::insert_into(replicas::table).values(row).execute(connection)?;
            }
            let present = changes.present.iter().map(|verifier| verifier.id.clone());
            let replaced: Vec<String> = changes.gone.iter().cloned().chain(present).collect();
            for ids in replaced.chunks(MOST_AT_ONCE) {
                diesel::delete(verifiers::table.filter(verifiers::id.eq_any(ids))).execute(connection)?;
            }
            for verifiers in changes.present.chunks(MOST_AT_ONCE) {
                insert(connection, &replica, verifiers)?;
            }
            Ok(alive > 0)
        })
    }

    /// Deletes replicas without a sign of life, and their verifiers.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn forget_dead_replicas(&self, now: Timestamp) -> Result<(), StorageError> {
        self.write(move |connection| {
            let dead = replicas::table.filter(replicas::seen_at.lt(now.minus(GONE).0));
            let dead: Vec<String> = diesel::delete(dead).returning(replicas::id).get_results(connection)?;
            for id in dead {
                diesel::delete(verifiers::table.filter(verifiers::replica.eq(&id))).execute(connection)?;
            }
            Ok(())
        })
    }

    /// Every verifier that is connected to some replica, with the keys that it can verify with.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn connected_verifiers(&self, now: Timestamp) -> Result<Vec<ConnectedVerifier>, StorageError> {
        let alive = replicas::table.filter(replicas::seen_at.ge(now.minus(GONE).0)).select(replicas::id);
        let connected = verifiers::table
            .filter(verifiers::replica.eq_any(alive))
            .order((verifiers::client_id, verifiers::address))
            .select((verifiers::id, verifiers::client_id, verifiers::address, verifiers::kids));
        let rows: Vec<(String, String, String, String)> =
            self.read(|connection| Ok(connected.load(connection)?))?;
        let verifier = |(id, client_id, address, kids): (String, String, String, String)| ConnectedVerifier {
            id,
            client_id,
            address,
            kids: words(&kids),
        };
        Ok(rows.into_iter().map(verifier).collect())
    }
}

/// Many rows in one statement, which the two databases take by different traits.
fn insert(
    connection: &mut AnyConnection,
    replica: &str,
    present: &[ConnectedVerifier],
) -> Result<(), StorageError> {
    let row = |verifier: &ConnectedVerifier| {
        (
            verifiers::id.eq(verifier.id.clone()),
            verifiers::replica.eq(replica.to_owned()),
            verifiers::client_id.eq(verifier.client_id.clone()),
            verifiers::address.eq(verifier.address.clone()),
            verifiers::kids.eq(verifier.kids.join(" ")),
        )
    };
    let rows: Vec<_> = present.iter().map(row).collect();
    match connection {
        AnyConnection::Postgres(connection) => {
            diesel::insert_into(verifiers::table).values(rows).execute(connection)?
        }
        AnyConnection::Sqlite(connection) => {
            diesel::insert_into(verifiers::table).values(rows).execute(connection)?
        }
    };
    Ok(())
}
