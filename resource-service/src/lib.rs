//! A sample resource service: what a team copies when it writes one.
//!
//! It keeps notes, each seen by its owner only, and verifies every token by itself with
//! `shared-claims`: it never calls the authority on the way of a request, and it starts from its
//! saved key set while the authority is away.
//!
//! | module | content |
//! |---|---|
//! | [`notes`] | the notes: a rule or two, one store, and the two protocols |
//! | [`settings`] [`startup`] | wiring |

pub mod notes;
pub mod settings;
pub mod startup;
