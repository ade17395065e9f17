use shared_claims::strict::{Members, StrictValue, WrongType};

use super::AssertionFault;
use super::fault::LONGEST_LIFE;
use crate::clients::Workload;

/// Longest `jti`, in bytes.
const MAX_JTI_BYTES: usize = 256;

/// Difference of clocks that is allowed on both sides, in seconds (FAPI 2.0 section 5.3.2.1).
const LEEWAY: u64 = 10;

/// The same of what a platform gives to its workloads: a cluster's default is an hour.
const LONGEST_WORKLOAD_LIFE: u64 = 86_400;

/// The claims of one whose signature holds. Whether they are for this request has not been looked at.
pub struct AssertionClaims<'a> {
    iss: Option<String>,
    sub: String,
    aud: AssertedAudience,
    jti: Option<String>,
    /// In seconds since the epoch, as are the others.
    exp: u64,
    nbf: Option<u64>,
    iat: Option<u64>,
    /// All of them.
    members: Members<'a>,
}

/// `aud` is a string or an array (RFC 7519 section 4.1.3), which makes a difference to some who read it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum AssertedAudience {
    One(String),
    Array(Vec<String>),
}

/// The ID of an assertion that may be used once, until when it is to be remembered.
#[derive(Debug, PartialEq, Eq)]
pub struct SingleUse<'a> {
    pub jti: &'a str,
    /// In seconds since the epoch.
    pub until: u64,
}

impl<'a> AssertionClaims<'a> {
    pub(super) fn read(members: Members<'a>) -> Result<Self, AssertionFault> {
        let claims = &members;
        let optional = |name: &'static str| {
            let found = claims.text(name).map_err(|WrongType| AssertionFault::Claim(name))?;
            Ok(found.map(str::to_owned))
        };
        let jti = optional("jti")?.filter(|jti| jti.len() <= MAX_JTI_BYTES);
        Ok(Self {
            iss: optional("iss")?,
            sub: optional("sub")?.ok_or(AssertionFault::Claim("sub"))?,
            aud: audience(claims.get("aud")).ok_or(AssertionFault::Claim("aud"))?,
            jti,
            exp: date(claims, "exp")?.ok_or(AssertionFault::Claim("exp"))?,
            nbf: date(claims, "nbf")?,
            iat: date(claims, "iat")?,
            members,
        })
    }

    /// Whether a client made it for this authority (RFC 7523 section 3, RFC 10070): the ID by which it can be used once.
    ///
    /// `aud` is the issuer alone, as a string: an authority that a client also talks to could use one that names several, or the
    /// URL of an endpoint that it calls its own.
    ///
    /// # Errors
    /// [`AssertionFault`].
    pub fn check_self_issued(
        &self,
        client_id: &str,
        issuer: &str,
        now: u64,
    ) -> Result<SingleUse<'_>, AssertionFault> {
        if self.iss.as_deref() != Some(client_id) {
            return Err(AssertionFault::Issuer);
        }
        if self.sub != client_id {
            return Err(AssertionFault::Subject);
        }
        if self.aud != AssertedAudience::One(issuer.to_owned()) {
            return Err(AssertionFault::Audience);
        }
        self.check_time(now, LONGEST_LIFE)?;
        let jti = self.jti.as_deref().ok_or(AssertionFault::Claim("jti"))?;
        Ok(SingleUse { jti, until: self.exp + LEEWAY })
    }

    /// Whether a platform gave it to this workload, for this authority. It may be used until it expires: the platform gives the same
    /// one to a program for minutes or hours.
    ///
    /// # Errors
    /// [`AssertionFault`].
    pub fn check_workload(
        &self,
        workload: &Workload,
        audience: &str,
        now: u64,
    ) -> Result<(), AssertionFault> {
        if !workload.is_issued_by(self.iss.as_deref(), &self.sub) {
            return Err(AssertionFault::Issuer);
        }
        if !workload.subject.matches(&self.sub) {
            return Err(AssertionFault::Subject);
        }
        // One that is for others too could be used by them.
        let for_us = match &self.aud {
            AssertedAudience::One(one) => one == audience,
            AssertedAudience::Array(all) => matches!(all.as_slice(), [only] if only == audience),
        };
        if !for_us {
            return Err(AssertionFault::Audience);
        }
        self.check_time(now, LONGEST_WORKLOAD_LIFE)?;
        let differs = |(path, expected): &(&String, &String)| self.claim_at(path).as_ref() != Some(*expected);
        match workload.claims.iter().find(differs) {
            None => Ok(()),
            Some((path, _)) => Err(AssertionFault::WorkloadClaim(path.clone())),
        }
    }

    /// A claim that is a string, a whole number or a boolean, written out.
    fn claim_at(&self, path: &str) -> Option<String> {
        let mut names = path.split('/');
        let mut value = self.members.get(names.next()?)?;
        for name in names {
            value = value.as_object()?.get(name)?;
        }
        if let StrictValue::Bool(truth) = value {
            return Some(truth.to_string());
        }
        let number = || value.as_i64().map(|number| number.to_string());
        value.as_str().map(str::to_owned).or_else(number)
    }

    /// Whether it is valid at `now`, and for `longest_life` at most.
    fn check_time(&self, now: u64, longest_life: u64) -> Result<(), AssertionFault> {
        if self.exp + LEEWAY <= now {
            return Err(AssertionFault::Expired);
        }
        if [self.nbf, self.iat].into_iter().flatten().any(|from| from > now + LEEWAY) {
            return Err(AssertionFault::NotYetValid);
        }
        if self.exp > now + longest_life + LEEWAY {
            return Err(AssertionFault::LivesTooLong);
        }
        Ok(())
    }
}

fn date(claims: &Members<'_>, name: &'static str) -> Result<Option<u64>, AssertionFault> {
    claims.numeric_date(name).map_err(|WrongType| AssertionFault::Claim(name))
}

fn audience(value: Option<&StrictValue<'_>>) -> Option<AssertedAudience> {
    let one = |value: &StrictValue<'_>| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let value = value?;
    match value.as_array() {
        Some(items) => items.iter().map(one).collect::<Option<_>>().map(AssertedAudience::Array),
        None => one(value).map(AssertedAudience::One),
    }
}
