//! `envoy.service.auth.v3.Authorization`: the same question from Envoy, over gRPC.

use std::sync::Arc;

use envoy_types::ext_authz::v3::pb::{
    Authorization, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue,
    HeaderValueOption, HttpResponse, HttpStatus, OkHttpResponse,
};
use envoy_types::pb::google::rpc;
use percent_encoding::percent_decode_str;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use shared_claims::{ClientCertificate, ProofHeader};
use tonic::{Code, Request, Response, Status};

use crate::gatekeeper::{Decision, Described, Gatekeeper};
use crate::identity::{identity_of, is_override_header, spellings};

pub struct EnvoyEndpoint {
    gatekeeper: Arc<Gatekeeper>,
}

impl EnvoyEndpoint {
    #[must_use]
    pub fn new(gatekeeper: Arc<Gatekeeper>) -> Self {
        Self { gatekeeper }
    }
}

#[tonic::async_trait]
impl Authorization for EnvoyEndpoint {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner();
        let malformed = |why| Ok(Response::new(answer(&Decision::Malformed(why))));
        let attributes = request.attributes.unwrap_or_default();
        let Some(http) = attributes.request.and_then(|about| about.http) else {
            return malformed("the proxy does not describe the request");
        };
        let shown = attributes.source.map(|source| source.certificate).filter(|text| !text.is_empty());
        let certificate = shown.map(|text| certificate(&text).ok_or(()));
        let Ok(certificate) = certificate.transpose() else {
            return malformed("the proxy shows a certificate that cannot be read");
        };
        // Envoy joins repeated headers by a comma, which no token holds.
        let decision = self
            .gatekeeper
            .decide(Described {
                method: &http.method,
                target: &http.path,
                authorization: http.headers.get("authorization").map(String::as_str).into_iter(),
                proofs: ProofHeader::of(http.headers.get("dpop").map(String::as_str).into_iter()),
                certificate,
                has_override: http.headers.keys().any(|name| is_override_header(name)),
            })
            .await;
        Ok(Response::new(answer(&decision)))
    }
}

/// What Envoy shows of its client with `include_peer_certificate`: PEM in the encoding of URLs. It never comes from the client itself.
fn certificate(text: &str) -> Option<ClientCertificate> {
    let pem: Vec<u8> = percent_decode_str(text).collect();
    CertificateDer::from_pem_slice(&pem).ok().map(|der| ClientCertificate::from_der(&der))
}

fn answer(decision: &Decision) -> CheckResponse {
    let (code, http_response) = match decision {
        Decision::Passes(claims) => {
            let headers: Vec<HeaderValueOption> = identity_of(claims.as_deref())
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| header(name, value))
                .collect();
            // What is set takes the place of the client's copy; every other spelling is removed, whether or not
            // Envoy was told to show it here.
            let is_set = |name: &String| {
                headers.iter().filter_map(|option| option.header.as_ref()).any(|header| header.key == *name)
            };
            // The token ends here: the application cannot leak what it never had.
            let token = std::iter::once("authorization".to_owned());
            let headers_to_remove = spellings().filter(|name| !is_set(name)).chain(token).collect();
            let ok = OkHttpResponse { headers, headers_to_remove, ..OkHttpResponse::default() };
            (Code::Ok, HttpResponse::OkResponse(ok))
        }
        refused @ (Decision::Rejected(_) | Decision::NoRule | Decision::Malformed(_)) => {
            (code_of(refused.http_status()), HttpResponse::DeniedResponse(denied(refused)))
        }
    };
    let status = rpc::Status { code: code as i32, ..rpc::Status::default() };
    CheckResponse { status: Some(status), http_response: Some(http_response), ..CheckResponse::default() }
}

fn denied(decision: &Decision) -> DeniedHttpResponse {
    let (error, description) = decision.words();
    let mut headers = vec![header("content-type", "application/json".to_owned())];
    headers.extend(decision.challenge().map(|challenge| header("www-authenticate", challenge)));
    DeniedHttpResponse {
        status: Some(HttpStatus { code: i32::from(decision.http_status()) }),
        headers,
        body: json!({"error": error, "error_description": description}).to_string(),
    }
}

fn header(name: &str, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value, ..HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

fn code_of(http_status: u16) -> Code {
    match http_status {
        400 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        503 => Code::Unavailable,
        _ => Code::PermissionDenied,
    }
}
