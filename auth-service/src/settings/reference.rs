use documented::DocumentedFields;
use service_kit::logging::Log;
use service_kit::metrics::Metrics;
use service_kit::reference::{self, Setting};
use service_kit::tls::Tls;
use service_kit::traces::Traces;

use super::{
    Accounts, Audit, Backup, Bootstrap, BrowserSessions, Database, Device, Django, Dpop, Grpc, Http, Keys,
    Limits, Mail, OpenId, Outbound, Pages, Passwords, Settings, SimpleJwt, Sweep, Tokens, Webhook,
};

/// Every setting, with its default and its meaning.
///
/// # Errors
/// The key of a setting without a doc comment.
pub fn reference() -> Result<Vec<Setting>, String> {
    reference::settings("AUTH", &[], &Settings::default(), docs)
}

fn docs(section: &str, field: &str) -> Option<&'static str> {
    let found = match section {
        "" => Settings::get_field_docs(field),
        "accounts" => Accounts::get_field_docs(field),
        "audit" => Audit::get_field_docs(field),
        "backup" => Backup::get_field_docs(field),
        "bootstrap" => Bootstrap::get_field_docs(field),
        "browser_sessions" => BrowserSessions::get_field_docs(field),
        "claims_webhook" => Webhook::get_field_docs(field),
        "database" => Database::get_field_docs(field),
        "device" => Device::get_field_docs(field),
        "django" => Django::get_field_docs(field),
        "dpop" => Dpop::get_field_docs(field),
        "grpc" => Grpc::get_field_docs(field),
        "http" => Http::get_field_docs(field),
        "keys" => Keys::get_field_docs(field),
        "limits" => Limits::get_field_docs(field),
        "log" => Log::get_field_docs(field),
        "mail" => Mail::get_field_docs(field),
        "metrics" => Metrics::get_field_docs(field),
        "openid" => OpenId::get_field_docs(field),
        "outbound" => Outbound::get_field_docs(field),
        "pages" => Pages::get_field_docs(field),
        "passwords" => Passwords::get_field_docs(field),
        "simplejwt" => SimpleJwt::get_field_docs(field),
        "sweep" => Sweep::get_field_docs(field),
        "tls" => Tls::get_field_docs(field),
        "tokens" => Tokens::get_field_docs(field),
        "traces" => Traces::get_field_docs(field),
        _ => return None,
    };
    found.ok()
}
