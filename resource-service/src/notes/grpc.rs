//! `signet.notes.v1.NotesService`.

use std::sync::Arc;

use notes_proto::v1::notes_service_server::NotesService;
use notes_proto::v1::{
    CreateNoteRequest, DeleteNoteRequest, DeleteNoteResponse, GetNoteRequest, ListNotesRequest,
    ListNotesResponse, Note as NoteMessage,
};
use shared_claims::tonic::authorized;
use tonic::{Request, Response, Status};

use super::{Note, NoteError, NoteStore, NoteText, NotesRead, NotesWrite, PageRequest};

/// Stands behind the interceptor of `shared-claims`, which has verified the token.
pub struct NotesEndpoints {
    store: Arc<NoteStore>,
}

impl NotesEndpoints {
    #[must_use]
    pub fn new(store: Arc<NoteStore>) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl NotesService for NotesEndpoints {
    async fn list_notes(
        &self,
        request: Request<ListNotesRequest>,
    ) -> Result<Response<ListNotesResponse>, Status> {
        let claims = authorized::<NotesRead, _>(&request)?;
        let message = request.into_inner();
        let size = Some(message.page_size).filter(|size| *size != 0);
        let page = PageRequest::parse(size, &message.after).map_err(refuse)?;
        let page = self.store.blocking(move |store| store.list(&claims.sub, &page)).await.map_err(refuse)?;
        let notes = page.notes.into_iter().map(message_of).collect();
        Ok(Response::new(ListNotesResponse { notes, next_after: page.next_after.unwrap_or_default() }))
    }

    async fn create_note(
        &self,
        request: Request<CreateNoteRequest>,
    ) -> Result<Response<NoteMessage>, Status> {
        let claims = authorized::<NotesWrite, _>(&request)?;
        let text = NoteText::parse(request.into_inner().text).map_err(refuse)?;
        let note =
            self.store.blocking(move |store| store.create(&claims.sub, &text)).await.map_err(refuse)?;
        Ok(Response::new(message_of(note)))
    }

    async fn get_note(&self, request: Request<GetNoteRequest>) -> Result<Response<NoteMessage>, Status> {
        let claims = authorized::<NotesRead, _>(&request)?;
        let id = request.into_inner().id;
        let note = self.store.blocking(move |store| store.get(&claims.sub, &id)).await.map_err(refuse)?;
        Ok(Response::new(message_of(note)))
    }

    async fn delete_note(
        &self,
        request: Request<DeleteNoteRequest>,
    ) -> Result<Response<DeleteNoteResponse>, Status> {
        let claims = authorized::<NotesWrite, _>(&request)?;
        let id = request.into_inner().id;
        self.store.blocking(move |store| store.delete(&claims.sub, &id)).await.map_err(refuse)?;
        Ok(Response::new(DeleteNoteResponse {}))
    }
}

fn message_of(note: Note) -> NoteMessage {
    NoteMessage { id: note.id, text: note.text, created_at: note.created_at }
}

fn refuse(error: NoteError) -> Status {
    error.log();
    let text = error.to_string();
    match error {
        NoteError::Invalid(_) => Status::invalid_argument(text),
        NoteError::NotFound => Status::not_found(text),
        NoteError::Unavailable(_) => Status::unavailable(text),
    }
}
