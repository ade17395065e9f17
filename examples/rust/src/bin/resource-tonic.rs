//! A resource service with tonic: `resource-tonic https://auth.example.com notes 127.0.0.1:9095`.

use std::sync::Arc;

use notes_proto::v1::notes_service_server::{NotesService, NotesServiceServer};
use notes_proto::v1::{
    CreateNoteRequest, DeleteNoteRequest, DeleteNoteResponse, GetNoteRequest, ListNotesRequest,
    ListNotesResponse, Note,
};
use shared_claims::tonic::{Authenticated, authorized};
use shared_claims::{
    Authority, AuthoritySettings, CancellationToken, Guard, Required, Requirement, Verifier,
};
use tonic::{Request, Response, Status};

struct NotesRead;

impl Requirement for NotesRead {
    const REQUIRED: Required = Required::scope("notes:read");
}

struct Notes;

#[tonic::async_trait]
impl NotesService for Notes {
    async fn list_notes(
        &self,
        request: Request<ListNotesRequest>,
    ) -> Result<Response<ListNotesResponse>, Status> {
        let claims = authorized::<NotesRead, _>(&request)?;
        let text = format!("of {}", claims.sub);
        let note = Note { id: "1".to_owned(), text, ..Note::default() };
        Ok(Response::new(ListNotesResponse { notes: vec![note], next_after: String::new() }))
    }

    async fn create_note(&self, _: Request<CreateNoteRequest>) -> Result<Response<Note>, Status> {
        Err(Status::unimplemented("an example"))
    }

    async fn get_note(&self, _: Request<GetNoteRequest>) -> Result<Response<Note>, Status> {
        Err(Status::unimplemented("an example"))
    }

    async fn delete_note(
        &self,
        _: Request<DeleteNoteRequest>,
    ) -> Result<Response<DeleteNoteResponse>, Status> {
        Err(Status::unimplemented("an example"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [_, authority, audience, address] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: resource-tonic AUTHORITY AUDIENCE ADDRESS".into());
    };
    let followed = Authority::start(AuthoritySettings::of(authority), CancellationToken::new())?;
    let guard = Arc::new(Guard::new(Verifier::new(authority, audience), followed));
    let notes = Authenticated::new(NotesServiceServer::new(Notes), guard);
    Ok(tonic::transport::Server::builder().add_service(notes).serve(address.parse()?).await?)
}
