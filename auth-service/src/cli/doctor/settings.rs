//! What the settings say: issuer, listeners, audience, the key of the previous issuer.

use std::net::{IpAddr, SocketAddr, TcpListener};

use url::Url;

use super::Findings;
use crate::clock::{Clock, SystemClock};
use crate::settings::Settings;

/// `aud` of the sample: a token for it is accepted by everyone who kept the default.
const SAMPLE_AUDIENCE: &str = "notes";

pub(super) fn check(settings: &Settings, unknown: &[String], found: &mut Findings) {
    for message in unknown {
        found.fail("settings", message);
    }
    check_issuer(settings, found);
    if settings.simplejwt.enabled && settings.simplejwt.audience == SAMPLE_AUDIENCE {
        let advice = "name your services: set simplejwt.audience, and AUDIENCE there";
        found.warn("audience", format!("tokens of users are for {SAMPLE_AUDIENCE:?}, the sample: {advice}"));
    }
    let certificates = settings.tls.client_certificates();
    match certificates.and_then(|certificates| settings.tls.load(&certificates)) {
        Ok(Some(_)) => found.ok("tls", "certificate and key belong together"),
        Ok(None) => check_plain(settings, found),
        Err(wrong) => found.fail("tls", wrong),
    }
    if unknown.is_empty() {
        found.ok("settings", format!("issuer {}", settings.issuer));
    }
}

fn check_issuer(settings: &Settings, found: &mut Findings) {
    let Ok(issuer) = Url::parse(&settings.issuer) else { return };
    let host = issuer.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if issuer.scheme() == "http" && !is_local {
        found.warn("issuer", "it is not https: tokens and passwords can be read on their way");
    }
    let (port, listens) = (issuer.port_or_known_default(), settings.http.bind.port());
    if is_local && listens != 0 && port != Some(listens) {
        let named = port.unwrap_or_default();
        found.warn(
            "issuer",
            format!("it names port {named}, and http.bind port {listens}: clients find nothing, unless a proxy is there"),
        );
    }
}

/// Client secrets and passwords pass through both.
fn check_plain(settings: &Settings, found: &mut Findings) {
    for (what, bind) in [("http", settings.http.bind), ("grpc", settings.grpc.bind)] {
        if !bind.ip().is_loopback() {
            let advice = "set tls.certificate_file, or let only a proxy that ends TLS reach it";
            found.warn("tls", format!("{what}.bind {bind} accepts other machines without TLS: {advice}"));
        }
    }
}

/// The key of the previous issuer is needed only until its last refresh token has expired.
pub(super) fn check_old_key(settings: &Settings, clock: &SystemClock, found: &mut Findings) {
    let (Some(file), Some(until)) = (&settings.simplejwt.legacy_key_file, settings.simplejwt.legacy_until)
    else {
        return;
    };
    let left = until.0.saturating_sub(clock.now().0) / 3_600_000;
    match left {
        ..=0 => found.warn("old key", format!("{} is no longer needed: remove it", file.display())),
        hours => found.ok("old key", format!("its refresh tokens are exchanged for another {hours} h")),
    }
}

pub(super) fn check_listeners(settings: &Settings, found: &mut Findings) {
    let listeners = [
        ("http", Some(settings.http.bind)),
        ("grpc", Some(settings.grpc.bind)),
        ("metrics", settings.metrics.bind),
    ];
    for (what, bind) in listeners {
        check_listener(what, bind, settings, found);
    }
}

/// Free, or taken by an authority that answers.
fn check_listener(what: &'static str, bind: Option<SocketAddr>, settings: &Settings, found: &mut Findings) {
    let Some(bind) = bind else { return found.ok(what, "off") };
    let http = settings.http.bind;
    match TcpListener::bind(bind) {
        Ok(_) => found.ok(what, format!("{bind} is free")),
        Err(error) => match service_kit::healthcheck::ask(http, settings.tls.is_on()) {
            Ok(()) => found.ok(what, format!("{bind} is in use by an authority that is ready")),
            Err(_) => found.fail(what, format!("{bind}: {error}, and no authority is ready at {http}")),
        },
    }
}
