//! A load for gRPC: so many connections, each with one call after the other, for so many seconds.
//! Prints JSON: calls, and the time of a call in microseconds at the median and at the 99th percentile.
//!
//! `grpc_load ADDRESS verify|issue CONNECTIONS SECONDS ID SECRET`

use std::time::{Duration, Instant};

use serde_json::json;
use signet_proto::auth::v1::token_service_client::TokenServiceClient;
use signet_proto::auth::v1::{IssueClientTokenRequest, VerifyRequest};
use system_tests::protocol::with_basic;
use tonic::transport::{Channel, Endpoint};

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, method, connections, seconds, id, secret] = &arguments[..] else {
        return Err("grpc_load ADDRESS verify|issue CONNECTIONS SECONDS ID SECRET".into());
    };
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..connections.parse::<usize>()? {
        let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
        let client = TokenServiceClient::new(channel);
        running.spawn(calls(client, method.clone(), (id.clone(), secret.clone()), end));
    }
    let mut times: Vec<u128> = Vec::new();
    for outcome in running.join_all().await {
        times.extend(outcome?);
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    println!("{}", json!({"calls": times.len(), "p50_us": at(50), "p99_us": at(99)}));
    Ok(())
}

async fn calls(
    mut client: TokenServiceClient<Channel>,
    method: String,
    (id, secret): (String, String),
    end: Instant,
) -> Result<Vec<u128>, Failed> {
    let mut times = Vec::new();
    while Instant::now() < end {
        let started = Instant::now();
        match method.as_str() {
            "verify" => drop(client.verify(with_basic(VerifyRequest::default(), &id, &secret)).await?),
            "issue" => {
                let call = with_basic(IssueClientTokenRequest::default(), &id, &secret);
                drop(client.issue_client_token(call).await?);
            }
            other => return Err(format!("no such method: {other}").into()),
        }
        times.push(started.elapsed().as_micros());
    }
    Ok(times)
}
