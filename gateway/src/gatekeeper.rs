//! May this request, which a proxy has received, pass to what stands behind the proxy?

use std::sync::Arc;

use shared_claims::{AccessClaims, ClientCertificate, Credentials, Guard, ProofHeader, Rejection};

use crate::path::Target;
use crate::rules::{Needs, Rules};

/// Who may pass, as the rules say.
pub struct Gatekeeper {
    guard: Arc<Guard>,
    rules: Rules,
}

/// A request as the proxy describes it.
pub struct Described<'a, H> {
    pub method: &'a str,
    /// Path and query, as they were sent.
    pub target: &'a str,
    /// The values of all its `Authorization` headers.
    pub authorization: H,
    /// Its `DPoP` headers.
    pub proofs: ProofHeader<'a>,
    /// The certificate that its client has shown to the proxy.
    pub certificate: Option<ClientCertificate>,
    /// Whether it has a header by which an application may take it for another method or path.
    pub has_override: bool,
}

/// The answer.
#[derive(Debug)]
pub enum Decision {
    /// It passes; with the claims of its token, unless the rule asks for none.
    Passes(Option<Arc<AccessClaims>>),
    Rejected(Rejection),
    /// Its token may be good, but no rule lets it pass: 403.
    NoRule,
    /// The request cannot be decided: 400, with why.
    Malformed(&'static str),
}

impl Gatekeeper {
    #[must_use]
    pub fn new(guard: Arc<Guard>, rules: Rules) -> Self {
        Self { guard, rules }
    }

    pub async fn decide<'a>(&self, request: Described<'a, impl Iterator<Item = &'a str>>) -> Decision {
        let target = match Target::parse(request.target) {
            Ok(target) => target,
            Err(why) => return Decision::Malformed(why.0),
        };
        let mut authorization = request.authorization.peekable();
        if target.has_token && authorization.peek().is_some() {
            // RFC 6750 section 2: one way at a time, and this one never.
            return Decision::Malformed("a token stands in the header and in the query");
        }
        if (request.has_override || target.overrides_method) && !self.rules.pass_overrides {
            return Decision::Malformed("the request names another method or path for the application");
        }
        match self.rules.of(request.method, &target) {
            Err(why) => Decision::Malformed(why.0),
            Ok(None) => Decision::NoRule,
            Ok(Some(Needs::Nothing)) => Decision::Passes(None),
            Ok(Some(Needs::Token(required))) => {
                let credentials = Credentials::new(authorization).with_certificate(request.certificate);
                let credentials = credentials.with_proof(request.proofs, request.method, request.target);
                let outcome = self.guard.authenticate_in_loop(credentials).await.and_then(|claims| {
                    self.guard.permits(&claims, required)?;
                    Ok(claims)
                });
                outcome.map_or_else(Decision::Rejected, |claims| Decision::Passes(Some(claims)))
            }
        }
    }
}

impl Decision {
    /// HTTP status code.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Passes(_) => 200,
            Self::Rejected(rejection) => rejection.http_status(),
            Self::NoRule => 403,
            Self::Malformed(_) => 400,
        }
    }

    /// The error code and the description of a refusal.
    #[must_use]
    pub fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Passes(_) => ("", ""),
            Self::Rejected(rejection) => {
                (rejection.error_code().unwrap_or("unauthorized"), rejection.description())
            }
            Self::NoRule => ("access_denied", "no rule lets this request pass"),
            Self::Malformed(why) => ("invalid_request", why),
        }
    }

    /// The value of `WWW-Authenticate`, where the status calls for one.
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        if let Self::Rejected(rejection) = self { rejection.challenge() } else { None }
    }
}
