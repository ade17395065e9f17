use serde_json::{Value, json};

use crate::authority::Authority;
use crate::authority::admin::{NewUser, PasswordSet, UserCreated};
use crate::cli::output::{Output, secret_from_stdin};
use crate::cli::{Done, Failure};
use crate::secret::PlainSecret;

pub(super) fn create(
    authority: &Authority,
    output: &Output,
    username: &str,
    roles: Vec<String>,
    password_stdin: bool,
) -> Done {
    let new = NewUser { username, roles, password: password(password_stdin)? };
    let UserCreated { user, generated } = authority.create_user(new)?;
    let name = user.username.as_str();
    let mut document = json!({"username": name, "id": user.id, "roles": user.attributes.roles});
    let mut text = format!("created the user {name} ({})", user.id);
    show_generated(generated.as_ref(), &mut document, &mut text);
    output.result(&document, &text);
    Ok(())
}

pub(super) fn passwd(authority: &Authority, output: &Output, username: &str, password_stdin: bool) -> Done {
    let given = password(password_stdin)?;
    let PasswordSet { sessions_ended, generated } = authority.set_user_password(username, given)?;
    let mut document = json!({"username": username, "sessions_ended": sessions_ended});
    let mut text = format!("set the password of {username}; {sessions_ended} session(s) ended");
    show_generated(generated.as_ref(), &mut document, &mut text);
    output.result(&document, &text);
    Ok(())
}

fn password(from_stdin: bool) -> Result<Option<PlainSecret>, Failure> {
    Ok(from_stdin.then(secret_from_stdin).transpose()?)
}

fn show_generated(generated: Option<&PlainSecret>, document: &mut Value, text: &mut String) {
    if let Some(password) = generated {
        document["password"] = json!(password.expose());
        text.push_str(&format!("\npassword, shown once: {}", password.expose()));
    }
}
