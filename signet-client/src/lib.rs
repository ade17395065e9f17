//! Gets client tokens from Signet (RFC 6749 section 4.4), keeps them, renews them before they expire, and attaches them to
//! calls.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use signet_client::TokenSource;
//!
//! let tokens = TokenSource::builder("https://auth.example.com", "billing", "the client's secret")
//!     .audience("orders")
//!     .build()?;
//! let http = reqwest::Client::new();
//! let orders = tokens.authorize(http.get("https://orders.example.com/orders")).await?.send().await?;
//! # Ok(())
//! # }
//! ```
//!
//! One token serves all calls of a process. It is renewed in the background once four fifths of its life have passed: no call
//! waits for that, and a short outage of the authority is not noticed. With the feature `tonic`, [`TokenSource::interceptor`]
//! does the same for gRPC.

#![warn(missing_docs)]

#[cfg(feature = "tonic")]
mod interceptor;
mod source;

#[cfg(feature = "tonic")]
pub use interceptor::TokenInterceptor;
pub use source::{Builder, TokenError, TokenSource};
