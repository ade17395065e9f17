use std::collections::BTreeMap;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use crate::import::{ActiveFlag, FieldMap};

/// Which tables and fields of a Django project say what. The defaults are those of `django.contrib.auth`.
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Django {
    /// User model that `import django` reads: `app.model`.
    pub user_model: String,
    /// Its table, if that is not `app_model`.
    pub user_table: String,
    /// Field that simplejwt used as `USER_ID_FIELD`; `id` and `pk` are the primary key.
    pub user_id: String,
    /// Field of the username, `USERNAME_FIELD` of the model.
    pub username: String,
    /// Field of the password hash.
    pub password: String,
    /// Field that allows a user to log in; `!FIELD` for a field that forbids it (a flag, or a time), or `always`.
    pub active: String,
    /// Field of the e-mail address.
    pub email: String,
    /// Field of the time at which the user was created.
    pub date_joined: String,
    /// Fields that are kept for `[claims]`, separated by spaces; `groups` and `permissions` are lists of names.
    pub attributes: String,
    /// Roles, each with what grants it: a boolean field, `group:NAME` or `permission:APP.CODENAME`. Default: `staff =
    /// "is_staff"`, `superuser = "is_superuser"`.
    pub roles: BTreeMap<String, String>,
}

impl Default for Django {
    fn default() -> Self {
        Self {
            user_model: "auth.user".to_owned(),
            user_table: String::new(),
            user_id: "id".to_owned(),
            username: "username".to_owned(),
            password: "password".to_owned(),
            active: "is_active".to_owned(),
            email: "email".to_owned(),
            date_joined: "date_joined".to_owned(),
            attributes: "username email first_name last_name is_staff is_superuser groups permissions"
                .to_owned(),
            roles: BTreeMap::new(),
        }
    }
}

impl Django {
    #[must_use]
    pub fn field_map(&self) -> FieldMap {
        let user_model = self.user_model.to_lowercase();
        let user_table = if self.user_table.is_empty() {
            user_model.replacen('.', "_", 1)
        } else {
            self.user_table.clone()
        };
        let usual = [("staff", "is_staff"), ("superuser", "is_superuser")];
        let usual = || usual.map(|(role, field)| (role.to_owned(), field.to_owned())).into();
        FieldMap {
            user_model,
            user_table,
            user_id: self.user_id.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            active: ActiveFlag::parse(&self.active),
            email: self.email.clone(),
            date_joined: self.date_joined.clone(),
            attributes: self.attributes.split_whitespace().map(str::to_owned).collect(),
            roles: if self.roles.is_empty() { usual() } else { self.roles.clone() },
        }
    }
}
