//! Django's own database: the same records as in a dump, made by it.

use serde_json::{Map, Value};

use crate::import::django::{blacklisted, user};
use crate::import::names::Names;
use crate::import::{FieldMap, Item, Source};
use crate::storage::{DatabaseUrl, DjangoTables};

/// A database that is read and never written.
pub struct DjangoDatabase {
    tables: DjangoTables,
    map: FieldMap,
}

impl DjangoDatabase {
    /// # Errors
    /// One line that names the database without its password.
    pub fn open(url: &DatabaseUrl, map: FieldMap) -> Result<Self, String> {
        let tables = DjangoTables::open(url, &map.user_table, &map.user_model);
        Ok(Self { tables: tables.map_err(|error| format!("{url}: {error}"))?, map })
    }
}

impl Source for DjangoDatabase {
    fn each(&mut self, found: &mut dyn FnMut(Item, f64) -> Result<(), String>) -> Result<(), String> {
        let mut names = Names::default();
        self.tables.groups(&mut |pk, fields| {
            names.learn("auth.group", &pk, &parsed(&fields)?);
            Ok(())
        })?;
        let map = &self.map;
        self.tables
            .users(&mut |pk, fields, part| found(user(map, &names, 0, &pk, &parsed(&fields)?), part))?;
        self.tables.blacklisted_tokens(&mut |pk, fields| found(blacklisted(0, &pk, &parsed(&fields)?), 1.0))
    }
}

fn parsed(fields: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(fields).map_err(|error| format!("a row is no JSON object: {error}"))
}
