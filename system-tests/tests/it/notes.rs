//! The sample resource service itself: notes, per owner, over both protocols.

use notes_proto::v1::notes_service_client::NotesServiceClient;
use notes_proto::v1::{CreateNoteRequest, DeleteNoteRequest, GetNoteRequest, ListNotesRequest};
use serde_json::{Value, json};
use system_tests::protocol::channel;
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, System};
use tonic::{Code, Request};

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

#[tokio::test]
async fn a_note_made_over_one_protocol_is_read_over_the_other_by_its_owner_only() {
    let system = System::start(Database::Sqlite).await;
    let owner = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    let gateway = (GATEWAY, system.gateway_secret.as_str());
    let stranger = Protocol::Http.client_token(&system, gateway, ("", "")).await.unwrap();
    let reader = Protocol::Http.client_token(&system, gateway, ("notes:read", "")).await.unwrap();
    let mut grpc = NotesServiceClient::new(channel(system.resource.grpc).await);

    let create = |text: &str| CreateNoteRequest { text: text.to_owned() };
    let made = grpc.create_note(with_token(create("by gRPC"), &owner)).await.unwrap().into_inner();
    let url = system.resource_url(&format!("/notes/{}", made.id));
    let read: Value = system.http.get(&url).bearer_auth(&owner).send().await.unwrap().json().await.unwrap();
    assert_eq!(read, json!({"id": made.id, "text": "by gRPC", "created_at": made.created_at}));

    let get = GetNoteRequest { id: made.id.clone() };
    let delete = DeleteNoteRequest { id: made.id.clone() };
    let refused = grpc.get_note(with_token(get.clone(), &stranger)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "another owner's note does not exist");
    let refused = grpc.delete_note(with_token(delete.clone(), &reader)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "the scope is missing");
    let refused = grpc.get_note(get.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "no token");
    let refused = grpc.create_note(with_token(create(" "), &owner)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let page = ListNotesRequest { page_size: 101, after: String::new() };
    assert_eq!(grpc.list_notes(with_token(page, &owner)).await.unwrap_err().code(), Code::InvalidArgument);

    grpc.delete_note(with_token(delete, &owner)).await.unwrap();
    assert_eq!(grpc.get_note(with_token(get, &owner)).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn pages_hold_every_note_once_and_in_order() {
    let system = System::start(Database::Sqlite).await;
    let owner = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    let url = system.resource_url("/notes");
    let mut made = Vec::new();
    for number in 0..7 {
        let request =
            system.http.post(&url).bearer_auth(&owner).json(&json!({"text": format!("note {number}")}));
        let note: Value = request.send().await.unwrap().json().await.unwrap();
        made.push(note["id"].as_str().unwrap().to_owned());
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    for _ in 0..4 {
        let request = system.http.get(format!("{url}?page_size=3&after={after}")).bearer_auth(&owner);
        let page: Value = request.send().await.unwrap().json().await.unwrap();
        let ids =
            page["notes"].as_array().unwrap().iter().map(|note| note["id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        match page["next_after"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    made.sort();
    assert_eq!(seen, made);
}
