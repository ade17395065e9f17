//! The pages that users see: compiled into the binary, escaped by the templates, and without a script that anything depends on.

mod brand;
mod texts;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;

use crate::authority::authorize::Account;

pub(super) use brand::{Brand, routes};
pub(super) use texts::{Locale, Texts, with};

/// What a page may load and where its forms go. Forms of ours lead to a page of ours, never to a redirect: browsers apply
/// `form-action` to every hop behind a form, and an application may send its users on to anywhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Of the page whose form goes to the application. What it holds is escaped, and the application is registered.
const FORM_POST_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What all pages have around them.
pub(super) struct Shell<'a> {
    pub locale: Locale,
    pub brand: &'a Brand,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignIn<'a> {
    pub shell: &'a Shell<'a>,
    pub t: &'static Texts,
    pub to: String,
    pub username: String,
    pub problem: Option<String>,
    pub action: String,
    pub interaction: String,
}

#[derive(Template)]
#[template(path = "second_factor.html")]
pub(super) struct SecondFactor<'a> {
    pub shell: &'a Shell<'a>,
    pub t: &'static Texts,
    pub problem: Option<String>,
    pub action: String,
    pub interaction: String,
}

#[derive(Template)]
#[template(path = "accounts.html")]
pub(super) struct Accounts<'a> {
    pub shell: &'a Shell<'a>,
    pub t: &'static Texts,
    pub to: String,
    pub accounts: Vec<Account>,
    pub action: String,
    pub interaction: String,
}

#[derive(Template)]
#[template(path = "consent.html")]
pub(super) struct Consent<'a> {
    pub shell: &'a Shell<'a>,
    pub t: &'static Texts,
    pub signed_in_as: String,
    pub wants: String,
    pub scopes: Vec<String>,
    pub audience: Option<String>,
    pub is_unproved: bool,
    /// What to recognise the device by.
    pub device: Vec<String>,
    /// Where the answer goes; a device gets none.
    pub sent_to: Option<String>,
    pub action: String,
    pub interaction: String,
}

/// The code of a device.
#[derive(Template)]
#[template(path = "device.html")]
pub(super) struct Device<'a> {
    pub shell: &'a Shell<'a>,
    pub t: &'static Texts,
    pub user_code: String,
    pub is_wrong: bool,
    pub action: String,
}

/// After a form, in place of a redirect.
#[derive(Template)]
#[template(path = "go_on.html")]
pub(super) struct GoOn<'a> {
    pub shell: &'a Shell<'a>,
    pub t: &'static Texts,
    pub location: String,
    pub to: String,
}

#[derive(Template)]
#[template(path = "form_post.html")]
pub(super) struct FormPost<'a> {
    pub shell: &'a Shell<'a>,
    pub t: &'static Texts,
    pub script: &'a str,
    pub location: String,
    pub parameters: Vec<(&'static str, String)>,
    pub to: String,
}

#[derive(Template)]
#[template(path = "logout.html")]
pub(super) struct LogoutQuestion<'a> {
    pub shell: &'a Shell<'a>,
    pub t: &'static Texts,
    pub question: String,
    pub action: String,
    pub interaction: String,
}

#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct Message<'a> {
    pub shell: &'a Shell<'a>,
    pub title: &'a str,
    pub lines: Vec<&'a str>,
    pub detail: Option<String>,
}

/// A page as it is sent: kept by nobody, framed by nobody.
pub(super) fn page(status: StatusCode, page: &impl Template) -> HttpResponse {
    send(HttpResponse::build(status), page, POLICY, "same-origin")
}

/// The page that leads to the application: it is not told where its user comes from.
pub(super) fn leaving(page: &impl Template) -> HttpResponse {
    send(HttpResponse::Ok(), page, POLICY, "no-referrer")
}

/// The page that sends a form to the application.
pub(super) fn form_post(page: &FormPost<'_>) -> HttpResponse {
    send(HttpResponse::Ok(), page, FORM_POST_POLICY, "no-referrer")
}

fn send(
    mut response: HttpResponseBuilder,
    page: &impl Template,
    policy: &'static str,
    referrer: &'static str,
) -> HttpResponse {
    let Ok(text) = page.render() else {
        // Templates of texts alone do not fail.
        return HttpResponse::InternalServerError().finish();
    };
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((REFERRER_POLICY, referrer))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text)
}
