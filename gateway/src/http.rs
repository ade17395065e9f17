//! `/verify`: 200 lets pass, everything else does not.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde_json::json;
use shared_claims::{ClientCertificate, ProofHeader};

use crate::gatekeeper::{Decision, Described, Gatekeeper};
use crate::identity::{identity_of, is_identity_header, is_override_header};
use crate::rule_settings::Proxy;

/// What `/verify` works with.
pub struct Verify {
    pub gatekeeper: Arc<Gatekeeper>,
    pub proxy: Proxy,
}

/// Whatever the method: proxies ask by GET, or by that of the request.
pub fn routes(app: &mut ServiceConfig) {
    app.route("/verify", web::to(verify));
}

async fn verify(request: HttpRequest, verify: Data<Verify>) -> HttpResponse {
    answer(&decide(&request, &verify).await)
}

async fn decide(request: &HttpRequest, verify: &Verify) -> Decision {
    let (method, target) = verify.proxy.headers();
    let (Some(method), Some(target)) = (single(request, method), single(request, target)) else {
        return Decision::Malformed("the proxy does not describe the request");
    };
    // A copy that the client sent would reach an application which reads dash and underscore alike.
    if request.headers().keys().any(|name| is_identity_header(name.as_str())) {
        return Decision::Malformed("the request has an identity header of its own");
    }
    let authorization =
        request.headers().get_all(AUTHORIZATION).map(|value| value.to_str().unwrap_or("Bearer"));
    let has_override = request.headers().keys().any(|name| is_override_header(name.as_str()));
    let proofs = request.headers().get_all("dpop").map(|value| value.to_str().unwrap_or_default());
    let proofs = ProofHeader::of(proofs);
    let certificate = request.extensions().get::<ClientCertificate>().copied();
    let described = Described { method, target, authorization, proofs, certificate, has_override };
    verify.gatekeeper.decide(described).await
}

/// The value of a header that is there once.
fn single<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let mut values = request.headers().get_all(name);
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

fn answer(decision: &Decision) -> HttpResponse {
    let status = StatusCode::from_u16(decision.http_status()).unwrap_or(StatusCode::FORBIDDEN);
    let mut response = HttpResponse::build(status);
    if let Decision::Passes(claims) = decision {
        for (name, value) in identity_of(claims.as_deref()) {
            // The value is visible ASCII, the name one of ours.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.insert_header((HeaderName::from_static(name), value));
            }
        }
        return response.finish();
    }
    if let Some(challenge) = decision.challenge() {
        response.insert_header((WWW_AUTHENTICATE, challenge));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((RETRY_AFTER, "1"));
    }
    let (error, description) = decision.words();
    response.json(json!({"error": error, "error_description": description}))
}
