//! A sample resource service: what a team copies when it writes one.
//!
//! It keeps notes, each seen by its owner only, and verifies every token by itself with
//! `shared-claims`: it never calls the authority on the way of a request, and it starts from its
//! saved key set while the authority is away.
//!
//! | module | content |
//! |---|---|
//! | [`gateway`] | the sidecar: answers nginx, Traefik, Caddy and Envoy whether a request may pass |
//! | [`notes`] | the notes: a rule or two, one store, and the two protocols |
//! | [`encryption_key`] | the private key of an audience whose tokens are encrypted |
//! | [`settings`] [`startup`] | wiring |

pub mod encryption_key;
pub mod gateway;
pub mod notes;
pub mod settings;
pub mod startup;
