//! What the address of a hub says about the way there.

/// Whether others on the network can read what is sent to the hub at this address, as people write it: another computer,
/// and no encryption. Not while what is typed may still become `https`.
pub fn is_readable_on_the_way(address: &str) -> bool {
    let address = address.trim();
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let host = rest.split('/').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => host.split(':').next(),
    };
    let host = host.unwrap_or_default();
    scheme.eq_ignore_ascii_case("http")
        && !host.is_empty()
        && !"https://".starts_with(address)
        && !is_loopback(host)
}

/// Whether a host is this computer; an IPv6 address without brackets, as the URL standard writes it.
pub fn is_loopback(host: &str) -> bool {
    let is_v4 = |host: &str| {
        host.bytes()
            .all(|byte| byte == b'.' || byte.is_ascii_digit())
    };
    host.eq_ignore_ascii_case("localhost")
        || host == "::1"
        || host.starts_with("127.") && is_v4(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contract H34.
    #[test]
    fn only_other_computers_without_encryption_are_warned_about() {
        for address in [
            "backup.example.com",
            "10.0.0.5:8082",
            "http://hub/",
            " HTTP://hub:80/api/v1 ",
            "[2001:db8::1]:8082",
            "127.0.0.1.example.com",
        ] {
            assert!(is_readable_on_the_way(address), "{address}");
        }
        for address in [
            "",
            "http",
            "https:/",
            "https://hub:8443",
            "HTTPS://hub",
            "localhost:8082",
            "http://127.0.0.1:8082",
            "http://[::1]:8082/",
        ] {
            assert!(!is_readable_on_the_way(address), "{address}");
        }
    }
}
