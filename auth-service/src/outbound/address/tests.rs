use super::*;

fn allows(networks: &[&str], address: &str, encrypted: bool) -> bool {
    let networks = Networks::parse(&networks.join(",")).unwrap();
    Reachable::new(networks).allows(address.parse().unwrap(), encrypted)
}

#[test]
fn only_public_addresses_may_be_asked() {
    let public = "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 \
         172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 \
         2606:4700::1111 2a00::1 2001:200::1 64:ff9b::1.1.1.1 ::ffff:1.1.1.1";
    let special = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255 169.254.169.254 \
         172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 \
         198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 \
         ::1.1.1.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::10.0.0.1 64:ff9b:1::1.1.1.1 100::1 2001::1 2001:10::1 \
         2001:db8::1 2002:7f00:1:: 3fff::1 4000::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 \
         ff02::1";
    assert_eq!(public.split(' ').find(|address| !allows(&[], address, true)), None);
    assert_eq!(special.split(' ').find(|address| allows(&[], address, true)), None);
    assert_eq!(public.split(' ').find(|address| allows(&[], address, false)), None, "in clear text");
}

#[test]
fn the_operators_networks_may_be_asked_also_in_clear_text() {
    for encrypted in [true, false] {
        assert!(allows(&["10.1.0.0/16", "::1/128"], "10.1.2.3", encrypted));
        assert!(allows(&["10.1.0.0/16", "::1/128"], "::ffff:10.1.2.3", encrypted), "as the same address");
        assert!(allows(&["10.1.0.0/16", "::1/128"], "::1", encrypted));
        assert!(!allows(&["10.1.0.0/16", "::1/128"], "10.2.0.1", encrypted));
    }
}
