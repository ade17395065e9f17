//! What users do for their own accounts: `/api/account/v1/`, described in OpenAPI at `/docs`.

mod bodies;
mod errors;
mod openapi;

use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::DeserializeOwned;

use bodies::{
    Account, AccountToken, Confirmation, EmailChange, Ended, Otp, Password, PasswordChange, RecoveryCodes,
    Registration, Reset, ResetRequest, SecondFactor, SecondFactorRemoval, Session, SessionProof, Sessions,
    Token,
};
pub use errors::account_error;
use errors::{Problem, Refused, no_store};

use crate::authority::account::{self, Caller};
use crate::http::{HttpState, body, client_ip};
use crate::secret::PlainSecret;

/// Largest body at these endpoints, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

type Answer = Result<HttpResponse, Refused>;

pub fn routes(app: &mut web::ServiceConfig, base: &str) {
    let at = |path: &str| web::resource(format!("{base}/api/account/v1{path}"));
    app.service(at("/registration").route(web::post().to(register)))
        .service(at("/registration/confirm").route(web::post().to(confirm_registration)))
        .service(at("/password/reset").route(web::post().to(ask_for_reset)))
        .service(at("/password/reset/confirm").route(web::post().to(reset_password)))
        .service(at("/password").route(web::put().to(change_password)))
        .service(at("/email").route(web::put().to(change_email)))
        .service(at("/email/confirm").route(web::post().to(confirm_email)))
        .service(
            at("/second-factor")
                .route(web::post().to(begin_second_factor))
                .route(web::delete().to(remove_second_factor)),
        )
        .service(at("/second-factor/confirm").route(web::post().to(confirm_second_factor)))
        .service(at("/sessions").route(web::get().to(sessions)).route(web::delete().to(end_other_sessions)))
        .service(at("/sessions/{id}").route(web::delete().to(end_session)))
        .service(at("/token").route(web::post().to(account_token)))
        .service(at("/me").route(web::get().to(me)));
    openapi::routes(app, base);
}

/// Asks for an account. The answer is the same whatever is taken: what becomes of it stands in an e-mail.
#[utoipa::path(post, path = "/api/account/v1/registration", tag = "registration", request_body = Registration,
    responses((status = 202, description = "An e-mail was sent"), (status = 400, body = Problem),
        (status = 403, description = "Registration is switched off", body = Problem), (status = 429, body = Problem)))]
async fn register(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let body: Registration = read(&request, payload).await?;
    let registration = account::Registration {
        unverified_username: body.username,
        unverified_email: body.email,
        password: PlainSecret::new(body.password),
        client_ip: client_ip(&request, &state.proxies),
    };
    state.blocking.run(move |authority| authority.register(&registration)).await?;
    Ok(no_store(HttpResponse::Accepted()).finish())
}

/// Creates the user, by the token of the e-mail and the password of the registration.
#[utoipa::path(post, path = "/api/account/v1/registration/confirm", tag = "registration", request_body = Confirmation,
    responses((status = 204, description = "The user exists: log in"), (status = 400, body = Problem),
        (status = 403, description = "Not the password of the registration", body = Problem),
        (status = 409, description = "The username is taken", body = Problem), (status = 429, body = Problem)))]
async fn confirm_registration(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let Confirmation { token, password } = read(&request, payload).await?;
    let (password, client_ip) = (PlainSecret::new(password), client_ip(&request, &state.proxies));
    let work = move |authority: &crate::authority::Authority| {
        authority.confirm_registration(&token, &password, client_ip)
    };
    state.blocking.run(work).await?;
    Ok(done())
}

/// A token for the account endpoints, by a refresh token of a first-party application: that is shown to no service,
/// while an access token is shown to every one that it is for. The refresh token is not spent.
#[utoipa::path(post, path = "/api/account/v1/token", tag = "account", request_body = SessionProof,
    responses((status = 200, body = AccountToken), (status = 401, body = Problem)))]
async fn account_token(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let SessionProof { refresh } = read(&request, payload).await?;
    let issued = state.blocking.run(move |authority| authority.issue_account_token(&refresh)).await?;
    let body = AccountToken { access: issued.access_token, expires_in: issued.expires_in };
    Ok(no_store(HttpResponse::Ok()).json(body))
}

/// Requests an e-mail to reset the password. The answer does not tell whether a user has this address.
#[utoipa::path(post, path = "/api/account/v1/password/reset", tag = "password", request_body = ResetRequest,
    responses((status = 202, description = "If a user has this address, an e-mail was sent"),
        (status = 400, body = Problem), (status = 429, body = Problem)))]
async fn ask_for_reset(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let ResetRequest { email } = read(&request, payload).await?;
    let client_ip = client_ip(&request, &state.proxies);
    state.blocking.run(move |authority| authority.ask_for_reset(&email, client_ip)).await?;
    Ok(no_store(HttpResponse::Accepted()).finish())
}

/// Sets another password by the token of an e-mail; every session ends, and a second factor stays.
#[utoipa::path(post, path = "/api/account/v1/password/reset/confirm", tag = "password", request_body = Reset,
    responses((status = 204, description = "It is set: log in"), (status = 400, body = Problem)))]
async fn reset_password(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let body: Reset = read(&request, payload).await?;
    let new = PlainSecret::new(body.new_password);
    state.blocking.run(move |authority| authority.reset_password(&body.token, &new)).await?;
    Ok(done())
}

/// Changes the password; all other sessions end.
#[utoipa::path(put, path = "/api/account/v1/password", tag = "password", request_body = PasswordChange,
    security(("access_token" = [])),
    responses((status = 200, body = Ended), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, description = "The present password is wrong", body = Problem), (status = 429, body = Problem)))]
async fn change_password(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let body: PasswordChange = read(&request, payload).await?;
    let (present, new) = (PlainSecret::new(body.current_password), PlainSecret::new(body.new_password));
    let client_ip = client_ip(&request, &state.proxies);
    let work = move |authority: &crate::authority::Authority| {
        let caller = authority.authenticate_caller(&token, client_ip)?;
        authority.change_password(&caller, &present, &new)
    };
    let sessions_ended = state.blocking.run(work).await?;
    Ok(no_store(HttpResponse::Ok()).json(Ended { sessions_ended }))
}

/// Asks for an e-mail to a new address, by which it becomes the account's.
#[utoipa::path(put, path = "/api/account/v1/email", tag = "email", request_body = EmailChange,
    security(("access_token" = [])),
    responses((status = 202, description = "An e-mail was sent"), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 429, body = Problem)))]
async fn change_email(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let body: EmailChange = read(&request, payload).await?;
    let password = PlainSecret::new(body.current_password);
    as_caller(&request, &state, token, move |authority, caller| {
        authority.ask_for_email(caller, &password, &body.email)
    })
    .await?;
    Ok(no_store(HttpResponse::Accepted()).finish())
}

/// Makes the address the account's, by the token of the e-mail and a session of the same account.
#[utoipa::path(post, path = "/api/account/v1/email/confirm", tag = "email", request_body = Token,
    security(("access_token" = [])),
    responses((status = 204, description = "It is the account's"), (status = 400, body = Problem),
        (status = 401, body = Problem)))]
async fn confirm_email(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let access_token = bearer(&request, &state)?;
    let Token { token } = read(&request, payload).await?;
    as_caller(&request, &state, access_token, move |authority, caller| {
        authority.confirm_email(caller, &token)
    })
    .await?;
    Ok(done())
}

/// A secret for an authenticator app; one-time passwords are asked for once it is confirmed.
#[utoipa::path(post, path = "/api/account/v1/second-factor", tag = "second factor", request_body = Password,
    security(("access_token" = [])),
    responses((status = 200, body = SecondFactor), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, description = "One is in use", body = Problem), (status = 429, body = Problem)))]
async fn begin_second_factor(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let body: Password = read(&request, payload).await?;
    let password = PlainSecret::new(body.current_password);
    let new = as_caller(&request, &state, token, move |authority, caller| {
        authority.begin_second_factor(caller, &password)
    })
    .await?;
    let shown = SecondFactor { secret: new.secret.expose().to_owned(), uri: new.uri.expose().to_owned() };
    Ok(no_store(HttpResponse::Ok()).json(shown))
}

/// Puts it to use, and shows recovery codes, once.
#[utoipa::path(post, path = "/api/account/v1/second-factor/confirm", tag = "second factor", request_body = Otp,
    security(("access_token" = [])),
    responses((status = 200, body = RecoveryCodes), (status = 401, body = Problem),
        (status = 403, description = "The code is wrong", body = Problem), (status = 409, body = Problem),
        (status = 429, body = Problem)))]
async fn confirm_second_factor(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let Otp { otp } = read(&request, payload).await?;
    let otp = PlainSecret::new(otp);
    let codes = as_caller(&request, &state, token, move |authority, caller| {
        authority.confirm_second_factor(caller, &otp)
    })
    .await?;
    let recovery_codes = codes.iter().map(|code| code.expose().to_owned()).collect();
    Ok(no_store(HttpResponse::Ok()).json(RecoveryCodes { recovery_codes }))
}

/// Takes the second factor away.
#[utoipa::path(delete, path = "/api/account/v1/second-factor", tag = "second factor",
    request_body = SecondFactorRemoval, security(("access_token" = [])),
    responses((status = 204, description = "It is gone"), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, description = "There is none", body = Problem), (status = 429, body = Problem)))]
async fn remove_second_factor(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let body: SecondFactorRemoval = read(&request, payload).await?;
    let (password, otp) = (PlainSecret::new(body.current_password), body.otp.map(PlainSecret::new));
    as_caller(&request, &state, token, move |authority, caller| {
        authority.remove_second_factor(caller, &password, otp.as_ref())
    })
    .await?;
    Ok(done())
}

/// The sessions of the account that are alive.
#[utoipa::path(get, path = "/api/account/v1/sessions", tag = "sessions", security(("access_token" = [])),
    responses((status = 200, body = Sessions), (status = 401, body = Problem)))]
async fn sessions(request: HttpRequest, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let sessions = as_caller(&request, &state, token, |authority, caller| {
        let seen = authority.sessions_of(caller)?;
        let shown = |seen: crate::storage::SessionSeen| Session {
            current: seen.id == caller.session_id,
            id: seen.id,
            client_id: seen.client_id,
            device: seen.device,
            created_at: seen.created_at / 1000,
            last_used_at: seen.rotated_at / 1000,
            expires_at: seen.idle_expires_at.min(seen.expires_at) / 1000,
        };
        Ok(seen.into_iter().map(shown).collect())
    })
    .await?;
    Ok(no_store(HttpResponse::Ok()).json(Sessions { sessions }))
}

/// Ends all other sessions.
#[utoipa::path(delete, path = "/api/account/v1/sessions", tag = "sessions", security(("access_token" = [])),
    responses((status = 200, body = Ended), (status = 401, body = Problem)))]
async fn end_other_sessions(request: HttpRequest, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let ended = as_caller(&request, &state, token, |authority, caller| authority.end_other_sessions(caller));
    Ok(no_store(HttpResponse::Ok()).json(Ended { sessions_ended: ended.await? }))
}

/// Ends one session of the account.
#[utoipa::path(delete, path = "/api/account/v1/sessions/{id}", tag = "sessions", security(("access_token" = [])),
    params(("id" = String, Path, description = "As in the list")),
    responses((status = 204, description = "It has ended"), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn end_session(request: HttpRequest, id: Path<String>, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    as_caller(&request, &state, token, move |authority, caller| authority.end_own_session(caller, &id))
        .await?;
    Ok(done())
}

/// The caller's account.
#[utoipa::path(get, path = "/api/account/v1/me", tag = "account", security(("access_token" = [])),
    responses((status = 200, body = Account), (status = 401, body = Problem)))]
async fn me(request: HttpRequest, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let account = as_caller(&request, &state, token, |authority, caller| {
        let own = authority.own_account(caller)?;
        Ok(Account {
            id: own.user.id,
            username: own.user.username.as_str().to_owned(),
            email: own.email,
            email_verified: own.email_verified,
            roles: own.user.attributes.roles,
            second_factor: own.second_factor.confirmed,
            recovery_codes_left: own.second_factor.recovery_codes,
        })
    })
    .await?;
    Ok(no_store(HttpResponse::Ok()).json(account))
}

fn done() -> HttpResponse {
    no_store(HttpResponse::NoContent()).finish()
}

/// Runs what a caller asks for, once it is known who calls.
async fn as_caller<T: Send + 'static>(
    request: &HttpRequest,
    state: &HttpState,
    token: String,
    work: impl FnOnce(&crate::authority::Authority, &Caller) -> crate::error::Result<T> + Send + 'static,
) -> Result<T, Refused> {
    let client_ip = client_ip(request, &state.proxies);
    let work = move |authority: &crate::authority::Authority| {
        let caller = authority.authenticate_caller(&token, client_ip)?;
        work(authority, &caller)
    };
    Ok(state.blocking.run(work).await?)
}

/// The token of `Authorization` (RFC 6750 section 2.1), behind one of the words that are set.
fn bearer(request: &HttpRequest, state: &HttpState) -> Result<String, Refused> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else { return Err(Refused::NoToken) };
    let text = header.to_str().map_err(|_| Refused::NoToken)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refused::NoToken)?;
    let known = state.header_types.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    if known && !token.is_empty() { Ok(token.to_owned()) } else { Err(Refused::NoToken) }
}

async fn read<T: DeserializeOwned>(request: &HttpRequest, payload: Payload) -> Result<T, Refused> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Refused::NotJson);
    }
    let octets = body::read(request, payload, MAX_BODY_BYTES).await?;
    serde_json::from_slice(&octets).map_err(|error| Refused::Malformed(what_is_wrong(&error)))
}

/// Names the field and the place, never the value: it may be a password in the wrong place.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let named =
        ["missing field", "unknown field", "duplicate field"].iter().any(|known| text.starts_with(known));
    if named {
        text
    } else {
        format!(
            "the body is no JSON of the form that is asked for (line {}, column {})",
            error.line(),
            error.column()
        )
    }
}
