//! Compatibility with simplejwt: sliding tokens, and the exchange of tokens of the previous issuer.

mod blacklist;
mod exchange;
mod read;
mod sliding;
