#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod clock;
#[cfg(feature = "tonic")]
mod interceptor;
mod key;
#[cfg(feature = "middleware")]
mod middleware;
mod source;

#[cfg(feature = "tonic")]
pub use interceptor::TokenInterceptor;
pub use key::{ProofKey, ProofRequest};
#[cfg(feature = "middleware")]
pub use middleware::TokenMiddleware;
pub use source::{Builder, TokenError, TokenSource};
