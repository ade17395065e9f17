//! Answers as messages, and texts of messages as the core takes them.

use signet_proto::auth::v1::{IntrospectResponse, TokenPair};

use crate::authority::tokens::{Introspection, IssuedTokens};

/// proto3 has no absent text: an empty one is not given.
pub(super) fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn pair(issued: IssuedTokens) -> TokenPair {
    TokenPair {
        access_token: issued.access_token,
        refresh_token: issued.refresh_token.unwrap_or_default(),
        expires_in: issued.expires_in,
        scope: issued.scope,
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
        },
    }
}
