use actix_web::web;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

/// The description of all of these endpoints.
#[derive(OpenApi)]
#[openapi(
    info(title = "Signet accounts", description = "Self-service for users: registration, password, e-mail address, second factor, sessions.", license(identifier = "MIT OR Apache-2.0")),
    paths(
        super::registration::register, super::registration::confirm_registration,
        super::password::ask_for_reset, super::password::reset_password, super::password::change_password,
        super::email::change_email, super::email::confirm_email,
        super::second_factor::begin_second_factor, super::second_factor::confirm_second_factor,
        super::second_factor::remove_second_factor,
        super::sessions::sessions, super::sessions::end_other_sessions, super::sessions::end_session,
        super::profile::account_token, super::profile::me,
    ),
    modifiers(&AccessTokens),
)]
struct Description;

struct AccessTokens;

impl Modify for AccessTokens {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token from /api/token/"))
            .build();
        let components = description.components.get_or_insert_with(Default::default);
        components.add_security_scheme("access_token", SecurityScheme::Http(scheme));
    }
}

/// The description itself, and a page that shows it, from the binary alone.
pub(super) fn routes(app: &mut web::ServiceConfig, base: &str) {
    let page = SwaggerUi::new(format!("{base}/docs/{{_:.*}}"));
    app.service(page.url(format!("{base}/api/openapi.json"), Description::openapi()));
    let to_page = format!("{base}/docs/");
    app.service(web::redirect(format!("{base}/docs"), to_page));
}
