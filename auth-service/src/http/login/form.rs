use actix_web::HttpRequest;
use actix_web::web::Payload;

use crate::http::{body, form};

/// Largest form of a page, in bytes: the request of the client comes back with it.
const MAX_BYTES: usize = 32 * 1024;

/// The fields of a form.
pub(super) struct Fields(pub(super) Vec<(String, String)>);

/// There is no form, or it is too large.
pub(super) struct NoForm;

impl Fields {
    pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Self, NoForm> {
        let body = body::read(request, payload, MAX_BYTES).await.map_err(|_| NoForm)?;
        form::parse(&body).map(Self).map_err(|_| NoForm)
    }

    pub(super) fn of_query(request: &HttpRequest) -> Result<Self, NoForm> {
        form::parse(request.query_string().as_bytes()).map(Self).map_err(|_| NoForm)
    }

    /// Empty where there is none.
    pub(super) fn take(&mut self, name: &str) -> String {
        let found = self.0.iter_mut().find(|(held, _)| held == name);
        found.map(|(_, value)| std::mem::take(value)).unwrap_or_default()
    }

    /// `None` where there is none, or it is empty.
    pub(super) fn take_some(&mut self, name: &str) -> Option<String> {
        Some(self.take(name)).filter(|value| !value.is_empty())
    }
}
