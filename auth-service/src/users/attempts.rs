//! How often may someone guess a password? By account, by client IP, and by both, whichever path and replica it comes
//! by: the count is kept in the database.
//!
//! The generic cell rate algorithm (ITU-T I.371): one instant a count. Each failure moves it on by a step; anyone who
//! is more than a window ahead of the clock has to wait.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use aws_lc_rs::hmac;

use crate::clock::Timestamp;
use crate::secret::hex;

/// The MAC key of the IDs of counts: the rows alone do not reveal whose they are.
pub struct CountKey(hmac::Key);

impl CountKey {
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

/// How many failures are allowed, and in which time.
#[derive(Debug, Clone, Copy)]
pub struct AttemptPolicy {
    /// What is counted. Counts of different things never meet, whatever they are called.
    pub realm: &'static str,
    /// Of one account, from one network.
    pub pair: u32,
    /// Of one account, from everywhere.
    pub account: u32,
    /// From one network, of whatever accounts.
    pub client_ip: u32,
    /// In which so many are forgotten again.
    pub window: Duration,
}

/// Where an attempt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp {
    pub address: IpAddr,
    /// It sends requests of others on, and is no proxy that is listed: all of its callers would count as one, and a
    /// hundred wrong names of one of them would lock out everybody.
    pub forwards: bool,
}

impl From<IpAddr> for ClientIp {
    fn from(address: IpAddr) -> Self {
        Self { address, forwards: false }
    }
}

/// One thing that failures are counted of. What it says is not kept: a name may be a password in the wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    pub id: String,
    most: u32,
    /// Of an account from everywhere: not asked of a network from which its owner has logged in.
    spares_the_owner: bool,
}

/// What a login counts as.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub counts: Vec<Count>,
    /// Names the account and the network together, where both are known: kept after a login, so that nobody who
    /// guesses elsewhere can keep the owner out.
    pub known: Option<String>,
    window: Duration,
}

/// An attempt that is refused for a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited {
    /// After which it may be tried.
    pub wait: Duration,
    /// ID of the count with the longest wait.
    pub count: String,
}

/// How long a network is remembered from which an account has logged in.
pub const KNOWN_FOR: Duration = Duration::from_secs(90 * 24 * 3600);

impl Attempt {
    /// Of a name from an address, as far as either is known; limits of 0 are none.
    #[must_use]
    pub fn new(
        key: &CountKey,
        policy: &AttemptPolicy,
        unverified_username: &str,
        client_ip: Option<ClientIp>,
    ) -> Self {
        let network = client_ip.map(|client_ip| network(client_ip.address));
        let of_client_ip =
            if client_ip.is_some_and(|client_ip| client_ip.forwards) { 0 } else { policy.client_ip };
        let count = |most, of: &[&str]| Count::new(key, most, &[&[policy.realm], of].concat());
        let of_account = count(policy.account, &["account", unverified_username]);
        let mut counts = vec![Count { spares_the_owner: true, ..of_account }];
        if let Some(network) = &network {
            counts.push(count(of_client_ip, &["peer", network]));
            counts.push(count(policy.pair, &["pair", unverified_username, network]));
        }
        for (wider, times) in client_ip.map(|client_ip| wider_networks(client_ip.address)).unwrap_or_default()
        {
            counts.push(count(of_client_ip.saturating_mul(times), &["peer", &wider]));
            counts.push(count(policy.pair.saturating_mul(times), &["pair", unverified_username, &wider]));
        }
        counts.retain(|count| count.most > 0);
        // They are taken in one order everywhere: two logins must not wait for each other.
        counts.sort_by(|one, other| one.id.cmp(&other.id));
        let known = network.as_deref().map(|network| count(1, &["known", unverified_username, network]).id);
        Self { counts, known, window: policy.window }
    }

    /// Why the attempt is refused, given where the counts stand; `None` when it may be tried now.
    #[must_use]
    pub fn limited(&self, stands: impl Fn(&str) -> Option<Timestamp>, now: Timestamp) -> Option<Limited> {
        let is_known = self.known.as_deref().and_then(&stands).is_some_and(|until| until > now);
        let limited = |count: &Count| {
            if is_known && count.spares_the_owner {
                return None;
            }
            let until = stands(&count.id).filter(|until| self.is_possible(*until, now))?;
            // One more step must fit into the window.
            let earliest = until.plus(self.step(count)).minus(self.window);
            (earliest > now).then(|| Limited { wait: earliest.distance(now), count: count.id.clone() })
        };
        self.counts.iter().filter_map(limited).max_by_key(|limited| limited.wait)
    }

    /// Where a count stands after one more failure.
    #[must_use]
    pub fn failed(&self, count: &Count, until: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let until = until.filter(|until| self.is_possible(*until, now)).unwrap_or(now);
        until.max(now).plus(self.step(count)).min(self.furthest(now))
    }

    /// The count after an attempt turned out not to be a failure.
    #[must_use]
    pub fn given_back(&self, count: &Count, until: Timestamp) -> Timestamp {
        until.minus(self.step(count))
    }

    /// A count that lies further ahead than it can was set by a clock that had jumped.
    fn is_possible(&self, until: Timestamp, now: Timestamp) -> bool {
        until <= self.furthest(now)
    }

    /// A window ahead, and another one for guesses that were under way at one moment.
    fn furthest(&self, now: Timestamp) -> Timestamp {
        now.plus(self.window * 2)
    }

    fn step(&self, count: &Count) -> Duration {
        self.window / count.most.max(1)
    }
}

impl Count {
    fn new(key: &CountKey, most: u32, of: &[&str]) -> Self {
        let mut context = hmac::Context::with_key(&key.0);
        for part in of {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        Self { id: hex(&context.sign().as_ref()[..16]), most, spares_the_owner: false }
    }
}

/// A client with one IPv6 address has 2^64 of them.
fn network(client_ip: IpAddr) -> String {
    match client_ip.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => of_bits(address, 64),
    }
}

/// Providers hand out networks of 56 and 48 bits too: those who have one share a limit that is so many times as high.
fn wider_networks(client_ip: IpAddr) -> Vec<(String, u32)> {
    match client_ip.to_canonical() {
        IpAddr::V4(_) => Vec::new(),
        IpAddr::V6(address) => {
            vec![(format!("{}/56", of_bits(address, 56)), 2), (format!("{}/48", of_bits(address, 48)), 4)]
        }
    }
}

fn of_bits(address: Ipv6Addr, bits: u32) -> String {
    Ipv6Addr::from(u128::from(address) >> (128 - bits) << (128 - bits)).to_string()
}

#[cfg(test)]
mod tests;
