use super::RedirectUri;
use crate::keys::Algorithm;

/// How users log in at a client (OpenID Connect Dynamic Client Registration section 2); of a client without redirect URIs
/// nothing here has a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientLogin {
    /// What users see; empty for the ID.
    pub name: String,
    /// Where an authorization code may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a browser may go after a logout (OpenID Connect RP-Initiated Logout).
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Told when a browser session ends (OpenID Connect Back-Channel Logout).
    pub backchannel_logout_uri: Option<String>,
    /// What signs its ID tokens.
    pub id_token_algorithm: Algorithm,
    pub pkce: Pkce,
    /// The operator's own: its users are not asked for consent.
    pub first_party: bool,
}

impl Default for ClientLogin {
    fn default() -> Self {
        Self {
            name: String::new(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            // What a client expects that has asked for none (OpenID Connect Core section 3.1.3.7).
            id_token_algorithm: Algorithm::Rs256,
            pkce: Pkce::Required,
            first_party: false,
        }
    }
}

/// Whether a client has to send a code challenge (RFC 7636).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pkce {
    #[default]
    Required,
    /// For confidential clients alone, that know none.
    Optional,
}

/// Changes of it; `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct ClientLoginChange {
    pub name: Option<String>,
    pub redirect_uris: Option<Vec<RedirectUri>>,
    pub post_logout_redirect_uris: Option<Vec<RedirectUri>>,
    pub backchannel_logout_uri: Option<Option<String>>,
    pub id_token_algorithm: Option<Algorithm>,
    pub pkce: Option<Pkce>,
    pub first_party: Option<bool>,
}

impl ClientLoginChange {
    /// What becomes of a login by this change.
    #[must_use]
    pub fn applied_to(self, login: ClientLogin) -> ClientLogin {
        ClientLogin {
            name: self.name.unwrap_or(login.name),
            redirect_uris: self.redirect_uris.unwrap_or(login.redirect_uris),
            post_logout_redirect_uris: self
                .post_logout_redirect_uris
                .unwrap_or(login.post_logout_redirect_uris),
            backchannel_logout_uri: self.backchannel_logout_uri.unwrap_or(login.backchannel_logout_uri),
            id_token_algorithm: self.id_token_algorithm.unwrap_or(login.id_token_algorithm),
            pkce: self.pkce.unwrap_or(login.pkce),
            first_party: self.first_party.unwrap_or(login.first_party),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            name,
            redirect_uris,
            post_logout_redirect_uris,
            backchannel_logout_uri,
            id_token_algorithm,
            pkce,
            first_party,
        } = self;
        name.is_none()
            && redirect_uris.is_none()
            && post_logout_redirect_uris.is_none()
            && backchannel_logout_uri.is_none()
            && id_token_algorithm.is_none()
            && pkce.is_none()
            && first_party.is_none()
    }
}
