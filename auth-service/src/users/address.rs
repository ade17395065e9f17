use super::spelling_key;

/// An e-mail address, syntactically valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// `None` for what no mail server would take.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let fits = (1..=64).contains(&local.len()) && domain.contains('.') && text.len() <= 254;
        let plain =
            text.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"<>(),;:\\\"[]".contains(c));
        (fits && plain && text.parse::<lettre::Address>().is_ok()).then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is compared.
    #[must_use]
    pub fn key(&self) -> String {
        spelling_key(&self.0)
    }
}
