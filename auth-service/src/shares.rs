//! Places that are counted in all and for each holder, and are free again when they are dropped.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts places by who holds them.
#[derive(Clone)]
pub(crate) struct Shares<K>(Arc<Mutex<Taken<K>>>);

struct Taken<K> {
    all: usize,
    by_holder: HashMap<K, usize>,
}

/// One place; free again when it is dropped.
pub(crate) struct Share<K: Eq + Hash> {
    shares: Shares<K>,
    holder: K,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Taken { all: 0, by_holder: HashMap::new() })))
    }
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// Takes a place if `allows` says so of the places that are taken: in all, and by this holder.
    pub(crate) fn take(&self, holder: &K, allows: impl FnOnce(usize, usize) -> bool) -> Option<Share<K>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_holder = taken.by_holder.get(holder).copied().unwrap_or(0);
        if !allows(taken.all, of_holder) {
            return None;
        }
        taken.all += 1;
        taken.by_holder.insert(holder.clone(), of_holder + 1);
        Some(Share { shares: self.clone(), holder: holder.clone() })
    }

    /// How many places are taken, and by how many holders.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> (usize, usize) {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (taken.all, taken.by_holder.len())
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        match taken.by_holder.get_mut(&self.holder) {
            Some(1) | None => drop(taken.by_holder.remove(&self.holder)),
            Some(count) => *count -= 1,
        }
    }
}
