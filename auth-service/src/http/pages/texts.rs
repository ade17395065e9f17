//! What the pages say, in each language. A text that is missing in one of them does not compile.

mod de;
mod en;
mod es;
mod fr;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Locale {
    En,
    De,
    Fr,
    Es,
}

impl Locale {
    pub(in crate::http) const ALL: [Self; 4] = [Self::En, Self::De, Self::Fr, Self::Es];

    /// The language tag (RFC 5646).
    pub(in crate::http) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
        }
    }

    /// The first of a list of tags that is ours, by its language alone: `de-AT` is `de`. Separated by spaces (`ui_locales`) or
    /// commas, with weights that are in order nearly always (`Accept-Language`).
    pub(in crate::http) fn first_of(tags: &str) -> Option<Self> {
        tags.split([' ', ',']).find_map(|tag| {
            let language = tag.split([';', '-']).next().unwrap_or_default().trim();
            Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(language))
        })
    }

    pub(in crate::http) fn texts(self) -> &'static Texts {
        match self {
            Self::En => &en::TEXTS,
            Self::De => &de::TEXTS,
            Self::Fr => &fr::TEXTS,
            Self::Es => &es::TEXTS,
        }
    }
}

/// The texts of one language. `{}` stands for a name.
pub(in crate::http) struct Texts {
    pub sign_in: &'static str,
    pub sign_in_to: &'static str,
    pub username: &'static str,
    pub password: &'static str,
    pub next: &'static str,
    pub wrong_credentials: &'static str,
    pub wrong_code: &'static str,
    pub too_many: &'static str,
    pub started_again: &'static str,
    pub second_factor: &'static str,
    pub second_factor_hint: &'static str,
    pub code: &'static str,
    pub choose_account: &'static str,
    pub another_account: &'static str,
    pub consent: &'static str,
    pub consent_wants: &'static str,
    pub signed_in_as: &'static str,
    pub consent_audience: &'static str,
    pub consent_unproved: &'static str,
    pub sent_to: &'static str,
    pub allow: &'static str,
    pub refuse: &'static str,
    pub scope_openid: &'static str,
    pub scope_profile: &'static str,
    pub scope_email: &'static str,
    pub scope_address: &'static str,
    pub scope_phone: &'static str,
    pub scope_offline: &'static str,
    pub scope_other: &'static str,
    pub going_on: &'static str,
    pub go_on_to: &'static str,
    pub logout: &'static str,
    pub logout_question: &'static str,
    pub stay: &'static str,
    pub logged_out: &'static str,
    pub logged_out_hint: &'static str,
    pub stopped: &'static str,
    pub stopped_client: &'static str,
    pub stopped_redirect: &'static str,
    pub stopped_request: &'static str,
    pub stopped_page: &'static str,
    pub go_back: &'static str,
    pub unavailable: &'static str,
    pub unavailable_hint: &'static str,
    pub for_operators: &'static str,
    pub device: &'static str,
    pub device_hint: &'static str,
    pub device_code: &'static str,
    pub device_wrong: &'static str,
    pub consent_device: &'static str,
    pub consent_device_ip: &'static str,
    pub device_allowed: &'static str,
    pub device_allowed_hint: &'static str,
    pub device_denied: &'static str,
}

impl Texts {
    /// What a scope allows, in words.
    pub(in crate::http) fn of_scope(&self, scope: &str) -> String {
        match scope {
            "openid" => self.scope_openid.to_owned(),
            "profile" => self.scope_profile.to_owned(),
            "email" => self.scope_email.to_owned(),
            "address" => self.scope_address.to_owned(),
            "phone" => self.scope_phone.to_owned(),
            "offline_access" => self.scope_offline.to_owned(),
            other => with(self.scope_other, other),
        }
    }
}

/// A text with its name.
pub(in crate::http) fn with(text: &str, name: &str) -> String {
    text.replacen("{}", name, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_that_is_ours_is_taken() {
        assert_eq!(Locale::first_of("de-AT,de;q=0.9,en;q=0.8"), Some(Locale::De));
        assert_eq!(Locale::first_of("nl fr-CA en"), Some(Locale::Fr));
        assert_eq!(Locale::first_of("ES"), Some(Locale::Es));
        assert_eq!(Locale::first_of("nl,pt"), None);
        assert_eq!(Locale::first_of(""), None);
        assert_eq!(Locale::first_of("german"), None);
    }

    #[test]
    fn a_name_stands_in_every_language_where_it_stands_in_one() {
        let named = |texts: &Texts| {
            [
                texts.sign_in_to,
                texts.too_many,
                texts.consent_wants,
                texts.signed_in_as,
                texts.consent_audience,
                texts.sent_to,
                texts.scope_other,
                texts.go_on_to,
                texts.logout_question,
                texts.for_operators,
                texts.consent_device,
                texts.consent_device_ip,
            ]
            .iter()
            .all(|text| text.matches("{}").count() == 1)
        };
        assert!(Locale::ALL.iter().all(|locale| named(locale.texts())));
    }
}
