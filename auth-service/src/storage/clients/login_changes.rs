use diesel::prelude::*;

use super::joined;
use crate::clients::{ClientId, ClientLoginChange, Pkce};
use crate::storage::connection::AnyConnection;
use crate::storage::error::StorageError;
use crate::storage::schema::clients;

/// Changes how users log in at a client: what was changed, for the audit log.
pub(in crate::storage) fn update_login(
    connection: &mut AnyConnection,
    id: &ClientId,
    change: &ClientLoginChange,
) -> Result<Vec<String>, StorageError> {
    if change.is_empty() {
        return Ok(Vec::new());
    }
    let uris = change.redirect_uris.as_deref().map(joined);
    let post_logout = change.post_logout_redirect_uris.as_deref().map(joined);
    let algorithm = change.id_token_algorithm.map(|algorithm| algorithm.as_str().to_owned());
    let backchannel = change.backchannel_logout_uri.clone();
    let texts = [
        ("name", change.name.clone()),
        ("redirect_uris", uris.clone()),
        ("post_logout_redirect_uris", post_logout.clone()),
        ("backchannel_logout_uri", backchannel.clone().map(Option::unwrap_or_default)),
        ("id_token_algorithm", algorithm.clone()),
        ("pkce", change.pkce.map(|pkce| format!("{pkce:?}").to_lowercase())),
        ("first_party", change.first_party.map(|first_party| first_party.to_string())),
    ];
    let set = (
        change.name.clone().map(|name| clients::name.eq(name)),
        uris.map(|uris| clients::redirect_uris.eq(uris)),
        post_logout.map(|uris| clients::post_logout_redirect_uris.eq(uris)),
        backchannel.map(|uri| clients::backchannel_logout_uri.eq(uri)),
        algorithm.map(|algorithm| clients::id_token_algorithm.eq(algorithm)),
        change.pkce.map(|pkce| clients::pkce_optional.eq(pkce == Pkce::Optional)),
        change.first_party.map(|first_party| clients::first_party.eq(first_party)),
    );
    diesel::update(clients::table.find(id.as_str())).set(set).execute(connection)?;
    Ok(texts.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name} {value}"))).collect())
}
