//! A Django project on simplejwt moves in.

mod cut_over;
mod fleet;
mod guide;
mod import;
mod webhook;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use system_tests::Database;
use tempfile::TempDir;

use super::django::python;

/// The project of `project.py`, with a database of its own.
pub struct Project {
    pub folder: TempDir,
    /// Where its database is, as Signet names it.
    pub url: String,
}

impl Project {
    /// With settings of its own, as `project.py` reads them.
    pub fn new(database: Database, config: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match database {
            Database::Sqlite => format!("sqlite://{}/django.db", folder.path().display()),
            Database::Postgres => database.fresh(folder.path()),
        };
        fs::write(folder.path().join("project.py"), include_str!("project.py")).unwrap();
        fs::create_dir(folder.path().join("people")).unwrap();
        fs::write(folder.path().join("people/__init__.py"), "").unwrap();
        let models = config["models"].as_str().unwrap_or(include_str!("people.py"));
        fs::write(folder.path().join("people/models.py"), models).unwrap();
        let mut config = config.clone();
        if config["database"].is_null() {
            config["database"] = of_django(&url);
        }
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        Self { folder, url }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command of `manage.py`: what it prints.
    pub fn manage(&self, arguments: &[&str]) -> String {
        let output = Command::new(python())
            .arg(self.path("project.py"))
            .arg(self.path("config.json"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A dump of all that moves, as the guide has it made.
    pub fn dump(&self) -> PathBuf {
        let dump = self.path("dump.json");
        let to = dump.to_str().unwrap();
        self.manage(&["dumpdata", "contenttypes", "auth", "token_blacklist", "--output", to]);
        dump
    }

    /// The file that names its database.
    pub fn url_file(&self) -> PathBuf {
        let file = self.path("django.url");
        fs::write(&file, &self.url).unwrap();
        file
    }
}

/// `DATABASES["default"]`.
fn of_django(url: &str) -> Value {
    match url.strip_prefix("sqlite://") {
        Some(path) => json!({"ENGINE": "django.db.backends.sqlite3", "NAME": path}),
        None => {
            let url = reqwest::Url::parse(url).unwrap();
            json!({
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url.path().trim_start_matches('/'),
                "HOST": url.host_str(),
                "PORT": url.port(),
                "USER": url.username(),
                "PASSWORD": url.password(),
            })
        }
    }
}

/// A settings file, beside what the environment says.
pub fn settings_file(folder: &Path, text: &str) -> String {
    let file = folder.join("settings.toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}
