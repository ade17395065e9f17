use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use service_kit::networks::Networks;

/// Whose addresses may be asked: the public ones, and those of networks that the operator names.
#[derive(Debug, Clone, Default)]
pub struct Reachable(Networks);

/// IPv4 that is not public (IANA's registry of special-purpose addresses, RFC 6890), multicast and reserved.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// All that is public of IPv6 lies in here (RFC 4291 section 2.4) ...
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0], 3);

/// ... but for these: protocols with IPv4 inside or without a host (RFC 2928, RFC 3056), and examples (RFC 3849, RFC 9637).
const SPECIAL_V6: [Ipv6Net; 4] =
    [v6([0x2001, 0], 23), v6([0x2001, 0x0DB8], 32), v6([0x2002, 0], 16), v6([0x3FFF, 0], 20)];

/// How networks without IPv4 write addresses of IPv4 (RFC 6052).
const NAT64: Ipv6Net = v6([0x0064, 0xFF9B], 96);

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b]: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

impl Reachable {
    #[must_use]
    pub fn new(networks: Networks) -> Self {
        Self(networks)
    }

    pub(super) fn has_networks(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether an address may be asked; in clear text only where the operator's networks are.
    #[must_use]
    pub fn allows(&self, address: IpAddr, encrypted: bool) -> bool {
        let address = address.to_canonical();
        self.0.contains(address) || (encrypted && is_public(address))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests;
