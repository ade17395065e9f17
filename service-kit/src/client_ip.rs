//! Who calls, when a proxy may stand in between.

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use serde::{Deserialize, Serialize};

use crate::networks::Networks;

/// The proxies whose word is taken for who called them: networks, and no other hop.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct TrustedProxies(Networks);

impl TrustedProxies {
    /// The caller: the last address of `X-Forwarded-For` that is not one of the proxies, if one of them has sent it.
    /// Whatever stands further left was written by the caller.
    #[must_use]
    pub fn caller<'a>(&self, remote: IpAddr, forwarded: impl Iterator<Item = &'a str>) -> IpAddr {
        let mut caller = remote.to_canonical();
        let values: Vec<&str> = forwarded.collect();
        let mut hops = values.iter().rev().flat_map(|value| value.rsplit(','));
        while self.contains(caller) {
            let Some(hop) = hops.next() else { break };
            match address_of(hop.trim()) {
                Some(hop) => caller = hop.to_canonical(),
                // What cannot be read ends what can be known: every caller counts as the proxy then.
                None => {
                    UNREADABLE.call_once(|| {
                        tracing::warn!(
                            proxy = %caller,
                            "a trusted proxy sends X-Forwarded-For without an address: its callers count as one"
                        );
                    });
                    break;
                }
            }
        }
        caller
    }

    /// Whether a request was sent on by something of the operator's own network that is not listed: all of its callers
    /// would count as one. From elsewhere the header is anybody's, who would rid themselves of their own count by it.
    pub fn is_forwarded_by_stranger<'a>(
        &self,
        remote: IpAddr,
        mut forwarded: impl Iterator<Item = &'a str>,
    ) -> bool {
        let remote = remote.to_canonical();
        let forwards = forwarded.next().is_some() && is_internal(remote) && !self.contains(remote);
        if forwards {
            STRANGER.call_once(|| {
                tracing::warn!(
                    %remote,
                    "requests are forwarded by an address that is not in trusted_proxies: if it is a proxy of yours, \
                     list it, or its callers cannot be told apart"
                );
            });
        }
        forwards
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(address)
    }
}

/// Whether an address is given out within a network: loopback, RFC 1918, RFC 6598 (carriers, and proxies of clouds), link
/// local, unique local (RFC 4193).
fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && second & 0xC0 == 64;
            address.is_loopback() || address.is_private() || address.is_link_local() || shared
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

static UNREADABLE: Once = Once::new();
static STRANGER: Once = Once::new();

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:40001` (Azure, AWS), `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:40001`, in quotes or not.
fn address_of(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim_matches('"');
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_in_the_own_network_can_be_a_proxy_that_was_forgotten() {
        let proxies: TrustedProxies = serde_json::from_str("\"10.0.0.1\"").unwrap();
        let is_stranger = |remote: &str, forwarded: &[&str]| {
            proxies.is_forwarded_by_stranger(remote.parse().unwrap(), forwarded.iter().copied())
        };
        for remote in [
            "10.0.0.2",
            "172.20.0.5",
            "192.168.1.1",
            "127.0.0.1",
            "100.64.3.4",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.2",
        ] {
            assert!(is_stranger(remote, &["198.51.100.7"]), "{remote}");
            assert!(!is_stranger(remote, &[]), "{remote}");
        }
        // Anyone who calls from outside would rid themselves of their own count by the header.
        for remote in ["198.51.100.7", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:db8::1", "10.0.0.1"] {
            assert!(!is_stranger(remote, &["1"]), "{remote}");
        }
    }

    #[test]
    fn only_what_a_listed_proxy_has_written_is_trusted() {
        let proxies: TrustedProxies = serde_json::from_str("\"10.0.0.0/8, 127.0.0.1, fd00::/8\"").unwrap();
        let table = [
            ("192.0.2.1", vec!["198.51.100.7"], "192.0.2.1", "a stranger's word"),
            ("10.1.2.3", vec!["198.51.100.7"], "198.51.100.7", "a proxy's"),
            ("10.1.2.3", vec!["203.0.113.9, 198.51.100.7"], "198.51.100.7", "what the caller had sent it"),
            ("10.1.2.3", vec!["203.0.113.9", "198.51.100.7"], "198.51.100.7", "in two headers"),
            ("10.1.2.3", vec!["198.51.100.7, 10.9.9.9"], "198.51.100.7", "two proxies"),
            ("10.1.2.3", vec!["10.9.9.9"], "10.9.9.9", "a proxy that calls by itself"),
            ("10.1.2.3", vec!["198.51.100.7, unknown"], "10.1.2.3", "no address"),
            ("10.1.2.3", vec![], "10.1.2.3", "nothing"),
            ("10.1.2.3", vec!["203.0.113.9:40001"], "203.0.113.9", "with a port, as Azure and AWS write it"),
            ("10.1.2.3", vec!["192.0.2.1, 203.0.113.9:1"], "203.0.113.9", "behind what the caller wrote"),
            ("10.1.2.3", vec!["203.0.113.9:40001, 10.2.2.2:80"], "203.0.113.9", "two proxies with ports"),
            ("10.1.2.3", vec!["[2001:db8::1]:40001"], "2001:db8::1", "the other family with a port"),
            ("10.1.2.3", vec!["[2001:db8::1]"], "2001:db8::1", "in brackets"),
            ("10.1.2.3", vec!["\"[2001:db8::1]:4711\""], "2001:db8::1", "in quotes, as RFC 7239 has it"),
            ("10.1.2.3", vec!["203.0.113.9:70000"], "10.1.2.3", "a port that is none"),
            ("10.1.2.3", vec!["203.0.113.9:"], "10.1.2.3", "a port that is missing"),
            ("::ffff:10.1.2.3", vec!["2001:db8::1"], "2001:db8::1", "both families"),
            ("fd00::1", vec!["::ffff:198.51.100.7"], "198.51.100.7", "one written as the other"),
        ];
        for (remote, forwarded, expected, what) in table {
            let caller = proxies.caller(remote.parse().unwrap(), forwarded.into_iter());
            assert_eq!(caller.to_string(), expected, "{what}");
        }
        assert!(serde_json::from_str::<TrustedProxies>("\"10.0.0.0/33\"").is_err());
        assert!(serde_json::from_str::<TrustedProxies>("\"nginx\"").is_err());
    }
}
