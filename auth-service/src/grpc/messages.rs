//! Answers as messages, and texts of messages as the core takes them.

use shared_claims::Confirmation;
use signet_proto::auth::v1::{self as message, ClientToken, IntrospectResponse, TokenPair};

use crate::authority::tokens::{Introspection, IssuedTokens};

/// proto3 has no absent text: an empty one is not given.
pub(super) fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn pair(issued: IssuedTokens) -> TokenPair {
    TokenPair {
        token_type: issued.token_type().to_owned(),
        access_token: issued.access_token,
        refresh_token: issued.refresh_token.unwrap_or_default(),
        expires_in: issued.expires_in,
        scope: issued.scope,
    }
}

pub(super) fn client_token(issued: IssuedTokens) -> ClientToken {
    ClientToken {
        token_type: issued.token_type().to_owned(),
        access_token: issued.access_token,
        expires_in: issued.expires_in,
        scope: issued.scope,
    }
}

fn confirmation(cnf: Confirmation) -> message::Confirmation {
    match cnf {
        Confirmation::Key(key) => message::Confirmation { jkt: key.to_string(), ..Default::default() },
        Confirmation::Certificate(certificate) => {
            message::Confirmation { x5t_s256: certificate.to_string(), ..Default::default() }
        }
        // A kind that is not known here must not pass for none.
        _ => message::Confirmation::default(),
    }
}

pub(super) fn introspection(answer: Introspection) -> IntrospectResponse {
    match answer {
        Introspection::Inactive => IntrospectResponse::default(),
        Introspection::Active(token) => IntrospectResponse {
            active: true,
            token_type: token.token_type.to_owned(),
            scope: token.scope,
            client_id: token.client_id,
            username: token.username.unwrap_or_default(),
            sub: token.sub,
            aud: token.aud,
            iss: token.iss,
            jti: token.jti,
            exp: token.exp,
            iat: token.iat,
            cnf: token.cnf.map(confirmation),
        },
    }
}
