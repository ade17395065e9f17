use super::claims_parameter::RequestedClaims;
use super::fault::AuthorizeFault;
use crate::browser_sessions::Acr;

/// What the client wants shown, whether it is needed or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Nothing: an error where a page would be.
    pub none: bool,
    pub login: bool,
    pub consent: bool,
    pub select_account: bool,
}

/// How the user should prove who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AcrWish {
    /// Any of these will do; all do when there is none.
    pub any_of: Vec<Acr>,
    /// Whether anything else is an error.
    pub is_essential: bool,
    /// No class of ours will do.
    pub is_impossible: bool,
}

impl AcrWish {
    pub(super) fn is_met_by(&self, acr: Acr) -> bool {
        !self.is_impossible && (self.any_of.is_empty() || self.any_of.iter().any(|wanted| acr >= *wanted))
    }
}

impl Prompt {
    pub(super) fn parse(text: &str) -> Result<Self, AuthorizeFault> {
        let mut prompt = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => return Err(AuthorizeFault::InvalidRequest("`prompt` has an unknown value")),
            }
        }
        let others = prompt.login || prompt.consent || prompt.select_account;
        if prompt.none && others {
            return Err(AuthorizeFault::InvalidRequest("`prompt` has `none` beside other values"));
        }
        Ok(prompt)
    }
}

/// Essential ones come before those that are only wished for.
pub(super) fn acr_wish(values: Option<&str>, claims: &RequestedClaims) -> AcrWish {
    if !claims.essential_acr.is_empty() || claims.is_acr_impossible {
        let any_of = claims.essential_acr.clone();
        return AcrWish { any_of, is_essential: true, is_impossible: claims.is_acr_impossible };
    }
    let any_of = values.into_iter().flat_map(|values| values.split(' ')).filter_map(Acr::parse).collect();
    AcrWish { any_of, is_essential: false, is_impossible: false }
}
