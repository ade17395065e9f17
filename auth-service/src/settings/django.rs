use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::import::{ActiveFlag, FieldMap};

/// Which tables and fields of a Django project say what. The defaults are those of `django.contrib.auth`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Django {
    /// `AUTH__DJANGO__USER_MODEL`: the model of accounts, `app.model`. Default `auth.user`.
    pub user_model: String,
    /// `AUTH__DJANGO__USER_TABLE`: its table, where it is not `app_model`. Default empty.
    pub user_table: String,
    /// `AUTH__DJANGO__USER_ID`: the field whose value is the `user_id` of tokens, as simplejwt's `USER_ID_FIELD`; `id`
    /// and `pk` are the primary key. Default `id`.
    pub user_id: String,
    /// `AUTH__DJANGO__USERNAME`: the field of names, as the model's `USERNAME_FIELD`. Default `username`.
    pub username: String,
    /// `AUTH__DJANGO__PASSWORD`. Default `password`.
    pub password: String,
    /// `AUTH__DJANGO__ACTIVE`: the field that says whether a user may log in, `!FIELD` for a field that says the
    /// opposite (a flag, or a time that is null), or `always`. Default `is_active`.
    pub active: String,
    /// `AUTH__DJANGO__EMAIL`. Default `email`.
    pub email: String,
    /// `AUTH__DJANGO__DATE_JOINED`. Default `date_joined`.
    pub date_joined: String,
    /// `AUTH__DJANGO__ATTRIBUTES`: fields that are kept, for `[claims]`; `groups` and `permissions` are lists of names.
    /// Default `username email first_name last_name is_staff is_superuser groups permissions`.
    pub attributes: String,
    /// `[django.roles]`, in the file only: a role by what gives it, a boolean field, `group:NAME` or
    /// `permission:APP.CODENAME`. Default `staff = "is_staff"`, `superuser = "is_superuser"`.
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
