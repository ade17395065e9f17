#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[cfg(feature = "tonic")]
mod interceptor;
#[cfg(feature = "middleware")]
mod middleware;
mod source;

#[cfg(feature = "tonic")]
pub use interceptor::TokenInterceptor;
#[cfg(feature = "middleware")]
pub use middleware::TokenMiddleware;
pub use source::{Builder, TokenError, TokenSource};
