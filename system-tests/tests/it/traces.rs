//! What a collector of traces is told.

use system_tests::collector::{Collector, hex, text};
use system_tests::protocol::{as_gateway, channel, client};
use system_tests::system::{GATEWAY, PASSWORD, USER, cli};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};

use notes_proto::v1::ListNotesRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rustix::process::Signal;
use signet_proto::auth::v1::ObtainPairRequest;
use system_tests::processes::Service;

on_both_databases! {
    a_request_is_a_child_of_its_callers_span_and_shows_where_its_time_went
}

const CALLERS_SPAN: &str = "00f067aa0ba902b7";

fn traceparent(trace_id: &str) -> String {
    format!("00-{trace_id}-{CALLERS_SPAN}-01")
}

fn named<'a>(spans: &'a [(String, Span)], name: &str) -> Option<&'a Span> {
    spans.iter().map(|(_, span)| span).find(|span| span.name == name)
}

/// A system whose two services export to `collector`.
async fn traced(database: Database, collector: &Collector) -> System {
    let endpoint = format!("http://{}", collector.address);
    let mut system =
        System::with(database, &[("AUTH__TRACES__ENDPOINT", &endpoint), ("AUTH__LOG__LEVEL", "trace")]).await;
    system.resource_env.insert("RESOURCE__TRACES__ENDPOINT".to_owned(), endpoint);
    system.restart_resource().await;
    system
}

async fn a_request_is_a_child_of_its_callers_span_and_shows_where_its_time_went(database: Database) {
    let collector = Collector::start().await;
    let system = traced(database, &collector).await;

    let by_http = "4bf92f3577b34da6a3ce929d0e0e4736";
    let form = [("username", USER), ("password", PASSWORD)];
    let request = system.http.post(system.auth_url("/api/token/")).form(&form);
    let answer = request.header("traceparent", traceparent(by_http)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let pair: serde_json::Value = answer.json().await.unwrap();
    let spans = collector.trace(by_http, |spans| named(spans, "POST /api/token/").is_some()).await;
    let server = named(&spans, "POST /api/token/").unwrap();
    assert_eq!((hex(&server.parent_span_id).as_str(), server.kind()), (CALLERS_SPAN, SpanKind::Server));
    assert_eq!(text(&server.attributes, "http.route").as_deref(), Some("/api/token/"));
    assert_eq!(text(&server.attributes, "http.response.status_code").as_deref(), Some("200"));
    for inner in ["hash password", "read", "write"] {
        let inner = named(&spans, inner).unwrap_or_else(|| panic!("no {inner}: {spans:?}"));
        assert_eq!(inner.parent_span_id, server.span_id);
        assert!(inner.start_time_unix_nano >= server.start_time_unix_nano);
        assert!(inner.end_time_unix_nano <= server.end_time_unix_nano);
    }
    assert!(system.auth.log().contains(&format!("trace={by_http}")), "the log names the trace");

    let by_grpc = "4bf92f3577b34da6a3ce929d0e0e4737";
    let wrong = ObtainPairRequest {
        username: USER.to_owned(),
        password: "a-wrong-password".to_owned(),
        ..ObtainPairRequest::default()
    };
    let mut call = as_gateway(&system, wrong);
    call.metadata_mut().insert("traceparent", traceparent(by_grpc).parse().unwrap());
    client(&system).await.obtain_pair(call).await.unwrap_err();
    let name = "signet.auth.v1.TokenService/ObtainPair";
    let spans = collector.trace(by_grpc, |spans| named(spans, name).is_some()).await;
    let server = named(&spans, name).unwrap();
    assert_eq!((hex(&server.parent_span_id).as_str(), server.kind()), (CALLERS_SPAN, SpanKind::Server));
    assert_eq!(text(&server.attributes, "rpc.grpc.status_code").as_deref(), Some("16"), "UNAUTHENTICATED");
    assert_eq!(server.status.as_ref().map_or(0, |status| status.code), 0, "and no fault of the server");
    assert_eq!(named(&spans, "hash password").unwrap().parent_span_id, server.span_id);

    let notes = "4bf92f3577b34da6a3ce929d0e0e4738";
    let access = pair["access"].as_str().unwrap();
    let request = system.http.get(system.resource_url("/notes?secret=in-the-query")).bearer_auth(access);
    assert_eq!(request.header("traceparent", traceparent(notes)).send().await.unwrap().status(), 200);
    let mut call = tonic::Request::new(ListNotesRequest::default());
    call.metadata_mut().insert("authorization", format!("Bearer {access}").parse().unwrap());
    call.metadata_mut().insert("traceparent", traceparent(notes).parse().unwrap());
    NotesServiceClient::new(channel(system.resource.grpc).await).list_notes(call).await.unwrap();
    let both = ["GET /notes", "signet.notes.v1.NotesService/ListNotes"];
    let spans = collector.trace(notes, |spans| both.iter().all(|name| named(spans, name).is_some())).await;
    assert!(spans.iter().all(|(service, _)| service == "resource-service"));
    let counted = system.resource.metrics_text().await;
    let series = "grpc_server_handled_total{grpc_service=\"signet.notes.v1.NotesService\",grpc_method=\"ListNotes\",grpc_code=\"OK\"} 1";
    assert!(counted.contains(series), "{counted}");

    // The other way: what the verifier asks of the authority is one trace over both.
    system.resource.signal(Signal::TERM);
    let watch = "signet.auth.v1.RevocationService/Watch";
    eventually("the feed is seen from both sides", || async {
        let spans = collector.spans();
        let asked = spans.iter().find(|(service, span)| {
            service == "resource-service" && span.name == "RevocationService/Watch"
        })?;
        let answered = spans.iter().find(|(service, span)| {
            service == "auth-service" && span.name == watch && span.trace_id == asked.1.trace_id
        })?;
        assert_eq!((asked.1.kind(), answered.1.kind()), (SpanKind::Client, SpanKind::Server));
        (answered.1.parent_span_id == asked.1.span_id).then_some(())
    })
    .await;

    let told = format!("{:?}", collector.spans());
    let refresh = pair["refresh"].as_str().unwrap();
    let mut secrets = vec![PASSWORD, USER, "a-wrong-password", "in-the-query"];
    secrets.extend([&*system.gateway_secret, &*system.notes_secret]);
    for token in [access, refresh] {
        secrets.extend(token.split('.').skip(1));
    }
    for secret in secrets {
        assert!(!told.contains(secret), "the collector was told: {secret}");
    }
}

#[tokio::test]
async fn documents_are_asked_for_in_a_trace_too() {
    let collector = Collector::start().await;
    let mut system = traced(Database::Sqlite, &collector).await;
    system.resource_env.remove("RESOURCE__AUTHORITY__CLIENT_ID");
    system.restart_resource().await;
    eventually("a question and its answer", || async {
        let spans = collector.spans();
        let mut asked =
            spans.iter().filter(|(service, span)| service == "resource-service" && span.name == "GET");
        let answered = |asked: &Span| {
            spans.iter().any(|(service, span)| {
                service == "auth-service"
                    && span.name == "GET /.well-known/jwks.json"
                    && span.parent_span_id == asked.span_id
            })
        };
        asked.any(|(_, span)| answered(span)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_is_away_costs_nobody_a_request_and_is_told_of() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{nobody}");
    let system = System::with(Database::Sqlite, &[("AUTH__TRACES__ENDPOINT", &endpoint)]).await;
    for _ in 0..20 {
        let machine = (GATEWAY, system.gateway_secret.as_str());
        Protocol::Http.client_token(&system, machine, ("", "")).await.unwrap();
    }
    eventually("the operator is told", || async {
        system.auth.log().contains("BatchSpanProcessor.ExportError").then_some(())
    })
    .await;
    let System { auth, .. } = system;
    assert_eq!(auth.stop().await.code(), Some(0), "nor does it hold up the end");
}

#[tokio::test]
async fn what_the_caller_does_not_keep_is_not_kept_and_a_ratio_of_nothing_keeps_nothing() {
    let collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let settings = [("AUTH__TRACES__ENDPOINT", endpoint.as_str()), ("AUTH__TRACES__RATIO", "0")];
    let folder = tempfile::tempdir().unwrap();
    let env = system_tests::system::auth_env(Database::Sqlite, folder.path(), &settings);
    let _ = cli(folder.path(), &env, &["audience", "create", "x"], "");
    let service = Service::start("auth-service", folder.path(), &env).await;
    let http = reqwest::Client::new();
    let get = |flags: &str| {
        let url = format!("http://{}/.well-known/jwks.json", service.http);
        let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{CALLERS_SPAN}-{flags}");
        http.get(url).header("traceparent", parent).send()
    };
    http.get(format!("http://{}/healthz", service.http)).send().await.unwrap();
    get("00").await.unwrap();
    get("01").await.unwrap();
    assert_eq!(service.stop().await.code(), Some(0));
    let names: Vec<_> = collector.spans().into_iter().map(|(_, span)| span.name).collect();
    assert_eq!(names, ["GET /.well-known/jwks.json"], "the one that its caller keeps, sent before the end");
}
