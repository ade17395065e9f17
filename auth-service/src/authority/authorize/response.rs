use std::sync::Arc;

use super::fault::{AuthorizeFault, RecipientFault};
use super::parameters::{Fault, Parameters};
use crate::authority::Authority;
use crate::clients::{Client, ClientId};

/// How a response reaches the client (OAuth 2.0 Multiple Response Type Encoding Practices, Form Post Response Mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseMode {
    Query,
    FormPost,
}

impl ResponseMode {
    pub const ALL: [Self; 2] = [Self::Query, Self::FormPost];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// A client, and the redirect URI that it is registered with: nothing is sent to any other. There is no way to make one but
/// [`Authority::recipient`].
#[derive(Debug, Clone)]
pub struct Recipient {
    pub client: Arc<Client>,
    /// As the request named it: registered, byte by byte.
    redirect_uri: String,
    mode: ResponseMode,
    /// As the client sent it.
    state: Option<String>,
    device: Option<DeviceAsking>,
}

/// A device that waits for the user's decision, in place of a redirect URI.
#[derive(Debug, Clone)]
pub(super) struct DeviceAsking {
    /// Without its dash.
    pub user_code: String,
    pub client_ip: Option<String>,
}

/// An answer to a client (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Debug, Clone)]
pub struct ClientResponse {
    pub recipient: Recipient,
    pub parameters: Vec<(&'static str, String)>,
}

impl Recipient {
    /// A device: nothing is sent, it asks by itself.
    pub(super) fn device_of(client: Arc<Client>, device: DeviceAsking) -> Self {
        Self {
            client,
            redirect_uri: String::new(),
            mode: ResponseMode::Query,
            state: None,
            device: Some(device),
        }
    }

    pub(super) fn device(&self) -> Option<&DeviceAsking> {
        self.device.as_ref()
    }

    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    #[must_use]
    pub fn mode(&self) -> ResponseMode {
        self.mode
    }

    /// Where the answer goes, as users read it.
    #[must_use]
    pub fn host(&self) -> &str {
        host_of(&self.redirect_uri)
    }

    /// An answer with the parameters that each has: `state`, and `iss` against the mix-up of two authorities.
    pub(super) fn answer(self, issuer: &str, mut parameters: Vec<(&'static str, String)>) -> ClientResponse {
        parameters.extend(self.state.clone().map(|state| ("state", state)));
        parameters.push(("iss", issuer.to_owned()));
        ClientResponse { recipient: self, parameters }
    }

    pub(super) fn refuse(self, issuer: &str, fault: AuthorizeFault) -> ClientResponse {
        let (error, description) = fault.words();
        let parameters = vec![("error", error.to_owned()), ("error_description", description.to_owned())];
        self.answer(issuer, parameters)
    }
}

impl ClientResponse {
    /// The redirect URI with the parameters in its query; what it had there stays (RFC 6749 section 3.1.2).
    #[must_use]
    pub fn location(&self) -> String {
        with_parameters(&self.recipient.redirect_uri, &self.parameters)
    }
}

impl Authority {
    /// Finds out whom a request comes from, before anything else of it is looked at.
    ///
    /// # Errors
    /// [`RecipientFault`]: nothing may be sent to what the request names.
    pub(super) fn recipient(&self, parameters: &Parameters) -> Result<Recipient, RecipientFault> {
        let malformed = |_: Fault| RecipientFault::Malformed;
        let id = parameters.get("client_id").map_err(malformed)?.ok_or(RecipientFault::NoClient)?;
        let client = ClientId::parse(id).and_then(|id| self.clients.enabled(&id));
        let client = client.ok_or(RecipientFault::UnknownClient)?;
        let named =
            parameters.get("redirect_uri").map_err(malformed)?.ok_or(RecipientFault::NoRedirectUri)?;
        if !client.login.redirect_uris.iter().any(|registered| registered.matches(named)) {
            return Err(RecipientFault::UnregisteredRedirectUri);
        }
        let mode = parameters.get("response_mode").ok().flatten().and_then(ResponseMode::parse);
        let state = parameters.get("state").ok().flatten().map(str::to_owned);
        let mode = mode.unwrap_or(ResponseMode::Query);
        Ok(Recipient { redirect_uri: named.to_owned(), mode, state, client, device: None })
    }
}

/// Where a URI leads, as users read it: the host of a website, what stands first in the link of an app.
#[must_use]
pub fn host_of(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

/// A URI with parameters in its query, behind those that it has.
pub(super) fn with_parameters<P, V>(uri: &str, parameters: P) -> String
where
    P: IntoIterator,
    P::Item: std::borrow::Borrow<(&'static str, V)>,
    V: AsRef<str>,
{
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{query}")
}
