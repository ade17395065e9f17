//! The authority that a process follows, how fresh what it knows is, and what it says about that.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use metrics::{describe_gauge, gauge};
use serde_json::json;
use service_kit::client_certificates::ClientCertificates;
use service_kit::networks::Networks;
use service_kit::run;
use shared_claims::{Authority, Guard, ProofVerifier, Verifier};
use tokio_util::sync::CancellationToken;

use crate::encryption_key;
use crate::settings;

/// What a process verifies tokens for, and by what.
pub struct Followed<'a> {
    /// `aud` that a token must contain.
    pub audience: &'a str,
    /// URLs that proofs may be made for, separated by commas; none accepts no token that is bound to a key.
    pub service_urls: &'a str,
    /// Folder of the last good state of keys and revocations.
    pub data_dir: &'a Path,
    /// Private keys of an audience with encrypted tokens.
    pub decryption_key_file: Option<&'a Path>,
    pub allow_rsa_decryption: bool,
    pub authority: &'a settings::Authority,
    /// Proxies that hand on the certificates of their clients.
    pub client_cert_proxies: &'a Networks,
}

/// An authority that is followed until the process stops.
#[derive(Clone)]
pub struct Following {
    pub authority: Arc<Authority>,
    /// Lets requests pass by what is known.
    pub guard: Arc<Guard>,
    /// Which certificates clients may show.
    pub certificates: ClientCertificates,
    stale_after: Duration,
}

impl Following {
    /// Begins with what was saved, if there is something. To be called within a runtime.
    ///
    /// # Errors
    /// One line: a setting or a file that cannot work.
    pub fn start(followed: &Followed<'_>, stop: &CancellationToken) -> Result<Self, String> {
        let mut verifier = Verifier::builder(&followed.authority.issuer, followed.audience);
        if let Some(file) = followed.decryption_key_file {
            verifier = verifier.decryption(encryption_key::read(file, followed.allow_rsa_decryption)?);
        }
        let settings = followed.authority.followed(followed.data_dir)?;
        let authority = Authority::start(settings, stop.clone()).map_err(|error| error.to_string())?;
        let guard = Guard::new(verifier.build(), Arc::clone(&authority));
        let guard = Arc::new(match proofs_of(followed.service_urls)? {
            Some(proofs) => guard.with_proofs(proofs),
            None => guard,
        });
        let stale_after = followed.authority.stale_after;
        tokio::spawn(tell_of_staleness(Arc::clone(&authority), stale_after, stop.clone()));
        describe_metrics();
        let certificates = ClientCertificates::behind(followed.client_cert_proxies.clone());
        Ok(Self { authority, guard, certificates, stale_after })
    }

    /// `/healthz` and `/readyz`.
    pub fn routes(&self, app: &mut web::ServiceConfig) {
        app.app_data(web::Data::new(self.clone()))
            .route("/healthz", web::get().to(alive))
            .route("/readyz", web::get().to(ready));
    }

    /// The gauges that are read off when someone asks for them.
    pub fn sample_metrics(&self) {
        let authority = &self.authority;
        gauge!("signet_ready").set(u8::from(authority.is_ready() && !run::is_draining()));
        let age = authority.freshness().age().map_or(f64::INFINITY, |age| age.as_secs_f64());
        gauge!("signet_authority_last_contact_seconds").set(age);
        #[expect(clippy::cast_precision_loss, reason = "a gauge holds no more")]
        gauge!("signet_refused_updates").set(authority.refused_updates() as f64);
    }
}

fn proofs_of(service_urls: &str) -> Result<Option<ProofVerifier>, String> {
    let urls: Vec<&str> = service_urls.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
    if urls.is_empty() {
        return Ok(None);
    }
    ProofVerifier::new(urls).map(Some).map_err(|error| format!("service_urls: {error}"))
}

/// Logs once that contact with the authority is lost, and once that it is restored.
async fn tell_of_staleness(authority: Arc<Authority>, stale_after: Duration, stop: CancellationToken) {
    let mut stale = false;
    // A start deserves as much time.
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(stale_after) => {}
    }
    while !stop.is_cancelled() {
        let freshness = authority.freshness();
        if !freshness.is_within(stale_after) && !std::mem::replace(&mut stale, true) {
            tracing::warn!(last_contact = ?freshness.age(), "stale: no contact with the authority");
        }
        if freshness.is_within(stale_after) && std::mem::take(&mut stale) {
            tracing::info!("contact with the authority is restored");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// Ready as soon as there are keys to verify with, also old ones from the disk. How old what is known of
/// the authority is stands beside it: what follows from that is each route's own policy.
async fn ready(following: web::Data<Following>) -> HttpResponse {
    if run::is_draining() {
        return not_ready("this service is about to stop");
    }
    let authority = &following.authority;
    if authority.is_ready() {
        let freshness = authority.freshness();
        return HttpResponse::Ok().json(json!({
            "status": "ready",
            "authority": {
                "stale": !freshness.is_within(following.stale_after),
                "last_contact_ms_ago": freshness.age().map(|age| age.as_millis()),
                "refused_updates": authority.refused_updates(),
            },
        }));
    }
    not_ready("the authority's keys or revocations have not arrived yet")
}

fn not_ready(missing: &str) -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header(("Retry-After", "1"))
        .json(json!({"status": "not ready", "missing": missing}))
}

fn describe_metrics() {
    describe_gauge!("signet_ready", "1 when there are keys to verify with");
    describe_gauge!(
        "signet_authority_last_contact_seconds",
        "Time since the last contact with the authority; infinite if there was none"
    );
    describe_gauge!(
        "signet_refused_updates",
        "Updates of the authority that were refused because they are invalid"
    );
}
