//! The gateway beside a proxy: may this request, which the proxy has received, pass to what stands behind it?
//!
//! Two protocols: `GET /verify` for nginx `auth_request`, Traefik ForwardAuth and Caddy `forward_auth`, and
//! Envoy's `ext_authz` over gRPC. Both answer from memory. What no rule names does not pass.
//!
//! | module | content |
//! |---|---|
//! | [`gatekeeper`] | a decision for a request as the proxy describes it |
//! | [`path`] | a request target, read in exactly one way or refused |
//! | [`rules`] [`rule_settings`] | what a method and a path need |
//! | [`identity`] | names the caller to the application, in headers |
//! | [`http`] [`envoy`] | the two protocols |
//! | [`settings`] [`startup`] | wiring |

pub mod envoy;
pub mod gatekeeper;
pub mod http;
pub mod identity;
mod near;
pub mod path;
pub mod rule_settings;
pub mod rules;
pub mod settings;
pub mod startup;
