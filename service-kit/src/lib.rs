//! What both binaries need to be good services, and nothing of what they are for.
//!
//! | module | what it does |
//! |---|---|
//! | [`settings`] | defaults, then a TOML file, then the environment; unknown keys by name |
//! | [`duration`] | `30s`, `5m`, `24h` |
//! | [`logging`] | text or JSON lines on standard error |
//! | [`run`] | serving until a signal, and a bounded drain |
//! | [`accept`] | listeners that survive unresponsive clients and exhausted file descriptors |
//! | [`secret_file`] | files that hold a secret |
//! | [`signals`] | SIGTERM and SIGINT |
//! | [`healthcheck`] | asks `/readyz`, for images without a shell |
//! | [`metrics`] [`http_metrics`] | counts, times and the process itself, for Prometheus |
//! | [`client_certificates`] | which certificate a client has shown, when a proxy may stand in between |
//! | [`client_ip`] | who calls, when a proxy may stand in between |
//! | [`cors`] | which browser applications of other origins may call |
//! | [`tls`] | TLS of the listeners, with a certificate that is loaded again |
//! | [`traces`] | spans by OTLP, `traceparent` in and out |
//! | [`observe`] [`grpc`] [`request_id`] [`refusal`] | around every request: an id, a count, one line in the log, a span |
//! | [`version`] | version and commit |

pub mod accept;
pub mod client_certificates;
pub mod client_ip;
pub mod cors;
pub mod duration;
pub mod grpc;
pub mod healthcheck;
pub mod http_metrics;
pub mod logging;
pub mod metrics;
pub mod networks;
pub mod observe;
pub mod reference;
pub mod refusal;
mod replay;
pub mod request_id;
pub mod run;
pub mod secret_file;
pub mod settings;
pub mod signals;
pub mod tls;
pub mod traces;
mod unauthenticated;
pub mod version;
