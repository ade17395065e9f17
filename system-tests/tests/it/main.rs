//! Black-box tests of the whole: one binary, a module a subject.

mod bad_input;
mod clients;
mod compose;
mod django;
mod draining;
mod encrypted_tokens;
mod feed_faults;
mod feeds;
mod gateway;
mod hostile_tokens;
mod keys;
mod life_cycle;
mod logs;
mod lying_authority;
mod metrics;
mod notes;
mod oracle;
mod outages;
mod overload;
mod power_cut;
mod published;
mod refresh_under_fire;
mod sessions;
mod settings;
mod simplejwt_contract;
mod walk;
