use std::time::Duration;

use diesel::prelude::*;

use super::error::StorageError;
use super::schema::{replicas, verifiers};
use super::{Storage, words};
use crate::clock::Timestamp;
use crate::verifiers::{Changes, ConnectedVerifier};

/// A replica that has not been heard of for this long is gone, and its verifiers with it.
const GONE: Duration = Duration::from_secs(15);

impl Storage {
    /// Writes what has changed among the verifiers of a replica, and that it is alive.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn save_verifiers(
        &self,
        replica: &str,
        changes: Changes,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let replica = replica.to_owned();
        self.write(move |connection| {
            let alive = diesel::update(replicas::table.find(&replica))
                .set(replicas::seen_at.eq(now.0))
                .execute(connection)?;
            if alive == 0 {
                diesel::insert_into(replicas::table)
                    .values((replicas::id.eq(&replica), replicas::seen_at.eq(now.0)))
                    .execute(connection)?;
            }
            for id in changes.gone {
                diesel::delete(verifiers::table.find(id)).execute(connection)?;
            }
            for verifier in changes.present {
                diesel::delete(verifiers::table.find(&verifier.id)).execute(connection)?;
                diesel::insert_into(verifiers::table)
                    .values((
                        verifiers::id.eq(verifier.id),
                        verifiers::replica.eq(&replica),
                        verifiers::client_id.eq(verifier.client_id),
                        verifiers::address.eq(verifier.address),
                        verifiers::kids.eq(verifier.kids.join(" ")),
                    ))
                    .execute(connection)?;
            }
            let dead = replicas::table.filter(replicas::seen_at.lt(now.minus(GONE).0)).select(replicas::id);
            let dead: Vec<String> = dead.load(connection)?;
            for id in dead {
                diesel::delete(verifiers::table.filter(verifiers::replica.eq(&id))).execute(connection)?;
                diesel::delete(replicas::table.find(&id)).execute(connection)?;
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
