//! Discovery (RFC 8414, OpenID Connect Discovery): one document at both places. It lists only what
//! works, and no URL in it depends on the request.

use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::HttpState;
use super::caching::{self, read_only};
use crate::clients::GrantType;

/// The document, made once.
pub(super) struct Metadata {
    text: String,
    etag: String,
}

impl Metadata {
    pub(super) fn new(issuer: &str) -> Self {
        let methods = json!(["client_secret_basic", "client_secret_post"]);
        let text = json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}/oauth2/token"),
            "introspection_endpoint": format!("{issuer}/oauth2/introspect"),
            "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
            "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
            "grant_types_supported": [GrantType::ClientCredentials.as_str(), GrantType::RefreshToken.as_str()],
            "token_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            // Members without a value are left out (RFC 8414 section 3.2): clients take an empty list of algorithms for
            // one that allows none. Response types come with the authorization endpoint.
            "subject_types_supported": ["public"],
        })
        .to_string();
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        Self { etag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12])), text }
    }
}

/// For an issuer with a path, RFC 8414 section 3 puts the path behind the well-known part and OpenID
/// Connect in front of it.
pub(super) fn routes(app: &mut web::ServiceConfig, base: &str) {
    let places = [
        format!("/.well-known/oauth-authorization-server{base}"),
        format!("{base}/.well-known/openid-configuration"),
    ];
    for place in places {
        app.service(read_only(&place, discovery));
    }
}

/// Metadata of the authorization server (RFC 8414); also at `/.well-known/oauth-authorization-server`.
#[utoipa::path(get, path = "/.well-known/openid-configuration", tag = "documents",
    responses((status = 200, body = Object), (status = 304, description = "Unchanged")))]
pub(super) async fn discovery(
    request: HttpRequest,
    state: web::Data<HttpState>,
    metadata: web::Data<Metadata>,
) -> HttpResponse {
    let (content_type, cache_control) = ("application/json", state.names_keys.clone());
    caching::document(&request, content_type, cache_control, &metadata.etag, metadata.text.clone())
}
