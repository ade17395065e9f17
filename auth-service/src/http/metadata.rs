//! Discovery (RFC 8414, OpenID Connect Discovery): one document at both places. It lists only what
//! works, and no URL in it depends on the request.

use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use service_kit::client_certificates::ClientCertificates;
use shared_claims::dpop::PROOF_ALGORITHMS;
use shared_claims::public_keys::SignatureAlgorithm;

use super::HttpState;
use super::caching::{self, read_only};
use super::pages::Locale;
use crate::authority::authorize::ResponseMode;
use crate::authority::grants::TOKEN_EXCHANGE;
use crate::browser_sessions::Acr;
use crate::clients::{
    GrantType, OFFLINE_SCOPE, OPENID_SCOPE, PRIVATE_KEY_JWT, SELF_SIGNED_TLS, TLS_CLIENT_AUTH,
};
use crate::keys::Algorithm;
use crate::users::SCOPE_CLAIMS;

/// The grants of the token endpoint.
const OFFERED_GRANTS: [GrantType; 4] = [
    GrantType::AuthorizationCode,
    GrantType::ClientCredentials,
    GrantType::DeviceCode,
    GrantType::RefreshToken,
];

/// The document, made once.
pub(super) struct Metadata {
    text: String,
    etag: String,
}

impl Metadata {
    pub(super) fn new(issuer: &str, certificates: &ClientCertificates) -> Self {
        let mut methods = vec!["client_secret_basic", "client_secret_post", PRIVATE_KEY_JWT];
        if certificates.issued_ones_count() {
            methods.push(TLS_CLIENT_AUTH);
        }
        if certificates.any_may_be_shown() {
            methods.push(SELF_SIGNED_TLS);
        }
        let grants = [&OFFERED_GRANTS.map(GrantType::as_str)[..], &[TOKEN_EXCHANGE]].concat();
        let with_public = [&methods[..], &["none"]].concat();
        let algorithms = json!(SignatureAlgorithm::NAMES);
        let at = |path: &str| format!("{issuer}{path}");
        let text = json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}/oauth2/token"),
            "introspection_endpoint": format!("{issuer}/oauth2/introspect"),
            "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
            "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
            "grant_types_supported": grants,
            "token_endpoint_auth_methods_supported": with_public,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": with_public,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "authorization_endpoint": at("/oauth2/authorize"),
            "device_authorization_endpoint": at("/oauth2/device_authorization"),
            "authorization_response_iss_parameter_supported": true,
            "response_types_supported": ["code"],
            "response_modes_supported": ResponseMode::ALL.map(ResponseMode::as_str),
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "userinfo_endpoint": at("/oauth2/userinfo"),
            "end_session_endpoint": at("/oauth2/logout"),
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
            "scopes_supported": scopes_supported(),
            "claims_supported": claims_supported(),
            "dpop_signing_alg_values_supported": PROOF_ALGORITHMS.split(' ').collect::<Vec<_>>(),
            "tls_client_certificate_bound_access_tokens": certificates.may_be_shown(),
            "claims_parameter_supported": true,
            "request_parameter_supported": false,
            // True where it is left out (OpenID Connect Discovery section 3).
            "request_uri_parameter_supported": false,
            "acr_values_supported": Acr::ALL.map(Acr::as_str),
            "ui_locales_supported": Locale::ALL.map(Locale::tag),
        })
        .to_string();
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        Self { etag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12])), text }
    }
}

/// Scopes with a meaning of their own (OpenID Connect Core sections 5.4 and 11).
fn scopes_supported() -> Vec<&'static str> {
    let of_claims = SCOPE_CLAIMS.map(|(scope, _)| scope);
    [OPENID_SCOPE].into_iter().chain(of_claims).chain([OFFLINE_SCOPE]).collect()
}

/// Claims of ID tokens and userinfo (OpenID Connect Core section 5.1).
fn claims_supported() -> Vec<&'static str> {
    let always = ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"];
    always
        .into_iter()
        .chain(SCOPE_CLAIMS.into_iter().flat_map(|(_, claims)| claims.iter().copied()))
        .collect()
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
