//! `/device`: where users enter the code that their device shows (RFC 8628 section 3.3).

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::answer::{Leave, Renderer, respond, unreadable};
use super::cookies::browser_of_form;
use super::form::Fields;
use crate::authority::authorize::DevicePage;
use crate::http::HttpState;

/// With `user_code`, from the complete address, it is filled in; the user sends it all the same.
pub(super) async fn enter(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let fields = Fields::of_query(&request);
    let user_code = fields.map(|mut fields| fields.take("user_code")).unwrap_or_default();
    let user_code = user_code.chars().filter(|c| c.is_ascii_alphabetic() || *c == '-').take(20).collect();
    Renderer::new(&request, &state, None).device(DevicePage::Enter { user_code, is_wrong: false })
}

pub(super) async fn entered(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> HttpResponse {
    let fields = Fields::read(&request, payload).await;
    let entered = fields.map(|mut fields| fields.take("user_code")).unwrap_or_default();
    let Some(browser) = browser_of_form(&request, &state) else {
        return unreadable(&request, &state);
    };
    let answer = state.blocking.run(move |authority| authority.submit_user_code(&entered, &browser)).await;
    respond(&request, &state, answer, Leave::Page)
}
