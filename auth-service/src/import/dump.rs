//! What `manage.py dumpdata` wrote. Read twice: first for what records refer to, then for the accounts.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::django::{blacklisted, user};
use super::dump_file::DumpFile;
use super::elements::Elements;
use super::names::Names;
use super::values::key;
use super::{FieldMap, Item, Problem, Source};

const OUTSTANDING: &str = "token_blacklist.outstandingtoken";
const BLACKLISTED: &str = "token_blacklist.blacklistedtoken";

/// A file of records.
pub struct Dump {
    path: PathBuf,
    bytes: u64,
    map: FieldMap,
}

/// The fields are left as they are until it is known that they matter.
#[derive(Deserialize)]
struct Record<'a> {
    model: String,
    #[serde(default)]
    pk: Value,
    #[serde(borrow)]
    fields: &'a RawValue,
}

/// What the first reading found.
#[derive(Default)]
struct Known {
    names: Names,
    /// Keys of the outstanding tokens that are blacklisted: numbers, as Django makes them, or whatever else they are.
    blacklisted: HashSet<u64>,
    blacklisted_otherwise: HashSet<String>,
}

impl Known {
    fn blacklist(&mut self, token: &Value) {
        match token.as_u64() {
            Some(number) => drop(self.blacklisted.insert(number)),
            None => self.blacklisted_otherwise.extend(key(token)),
        }
    }

    fn is_blacklisted(&self, token: &Value) -> bool {
        match token.as_u64() {
            Some(number) => self.blacklisted.contains(&number),
            None => key(token).is_some_and(|key| self.blacklisted_otherwise.contains(&key)),
        }
    }
}

impl Dump {
    /// # Errors
    /// One line that names the file.
    pub fn open(path: &Path, map: FieldMap) -> Result<Self, String> {
        let metadata = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if !metadata.is_file() {
            return Err(format!("{}: is no file; it is read twice, so a pipe will not do", path.display()));
        }
        DumpFile::open(path).map_err(|what| format!("{}: {what}", path.display()))?;
        Ok(Self { path: path.to_owned(), bytes: metadata.len().max(1), map })
    }

    /// Goes through the file: each record, or why there is none, with the part of the file that has been read.
    fn records(
        &self,
        mut each: impl FnMut(u64, Result<Record<'_>, String>, f64) -> Result<(), String>,
    ) -> Result<(), String> {
        let file = DumpFile::open(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))?;
        let position = file.position();
        let mut elements = Elements::new(file);
        for number in 1.. {
            #[expect(clippy::cast_precision_loss, reason = "for a progress bar")]
            let part = position.get() as f64 / self.bytes as f64;
            match elements.next() {
                Ok(None) => break,
                Ok(Some(octets)) => {
                    let record =
                        serde_json::from_slice(octets).map_err(|error| format!("is no record: {error}"));
                    each(number, record, part)?;
                }
                Err(broken) => {
                    each(number, Err(broken.to_string()), part)?;
                    if !broken.goes_on() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn learn(&self) -> Result<Known, String> {
        let mut known = Known::default();
        self.records(|_, record, _| {
            // Broken records are reported at the second reading.
            let Ok(record) = record else { return Ok(()) };
            match record.model.as_str() {
                "contenttypes.contenttype" | "auth.permission" | "auth.group" => {
                    if let Some(fields) = fields(&record) {
                        known.names.learn(&record.model, &record.pk, &fields);
                    }
                }
                BLACKLISTED => {
                    if let Some(token) = fields(&record).as_ref().and_then(|fields| fields.get("token")) {
                        known.blacklist(token);
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(known)
    }
}

impl Source for Dump {
    fn each(&mut self, found: &mut dyn FnMut(Item, f64) -> Result<(), String>) -> Result<(), String> {
        let known = self.learn()?;
        self.records(|number, record, part| {
            let problem = |pk: String, what: String| {
                Item::Broken(Problem { record: number, pk, name: String::new(), what })
            };
            let record = match record {
                Ok(record) => record,
                Err(what) => return found(problem(String::new(), what), part),
            };
            let wanted = record.model == self.map.user_model
                || record.model == OUTSTANDING && known.is_blacklisted(&record.pk);
            if !wanted {
                return Ok(());
            }
            let Some(fields) = fields(&record) else {
                return found(
                    problem(
                        key(&record.pk).unwrap_or_default(),
                        "has fields that are no JSON object".to_owned(),
                    ),
                    part,
                );
            };
            let item = if record.model == OUTSTANDING {
                blacklisted(number, &record.pk, &fields)
            } else {
                user(&self.map, &known.names, number, &record.pk, &fields)
            };
            found(item, part)
        })
    }
}

fn fields(record: &Record<'_>) -> Option<Map<String, Value>> {
    serde_json::from_str(record.fields.get()).ok()
}
