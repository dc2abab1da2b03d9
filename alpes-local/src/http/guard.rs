//! Whether a request may come from a web page of another site.
//!
//! The runtime listens on this machine only, but so do the browsers on this machine: a page of any site can send
//! requests to 127.0.0.1, and a site whose name leads there (DNS rebinding) could read the answers. SDKs, the AWS CLI
//! and functions send neither `Origin` nor `Sec-Fetch-Site`, so only pages are refused.

use super::Request;

/// The ends of host names that lead to this machine, or that only AWS can give to a server.
const OUR_DOMAINS: [&str; 3] = [
    ".localhost",
    ".localhost.localstack.cloud",
    ".amazonaws.com",
];

impl Request {
    /// True if the host of the request is this machine, so that no site's name stands for it.
    #[must_use]
    pub fn is_for_this_machine(&self) -> bool {
        let Some(host) = self.header("host") else {
            return true;
        };
        let name = host_name(host);
        ["127.0.0.1", "localhost", "[::1]"].contains(&name)
            || OUR_DOMAINS.iter().any(|domain| name.ends_with(domain))
    }

    /// True if a web page of another site sent the request.
    #[must_use]
    pub fn is_of_another_site(&self) -> bool {
        let site = self.header("sec-fetch-site");
        let is_of_another = matches!(site, Some("cross-site" | "same-site"));
        is_of_another
            || self
                .header("origin")
                .is_some_and(|origin| !self.is_own(origin))
    }

    fn is_own(&self, origin: &str) -> bool {
        let host = self.header("host").unwrap_or_default();
        origin.strip_prefix("http://") == Some(host)
    }
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Request {
        Request {
            method: http::Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect(),
            body: bytes::Bytes::new(),
            peer: std::net::SocketAddr::from(([127, 0, 0, 1], 1)),
        }
    }

    #[test]
    fn only_names_of_this_machine_are_its_hosts() {
        for host in [
            "127.0.0.1:4566",
            "localhost",
            "[::1]:4566",
            "bucket.localhost:4566",
            "a1b2.execute-api.us-east-1.amazonaws.com",
        ] {
            assert!(request(&[("host", host)]).is_for_this_machine(), "{host}");
        }
        assert!(request(&[]).is_for_this_machine());
        for host in ["evil.example:4566", "localhost.evil.example", "10.0.0.1"] {
            assert!(!request(&[("host", host)]).is_for_this_machine(), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_site_is_told_by_its_headers() {
        let host = ("host", "127.0.0.1:4566");
        assert!(!request(&[host]).is_of_another_site());
        assert!(!request(&[host, ("origin", "http://127.0.0.1:4566")]).is_of_another_site());
        assert!(!request(&[host, ("sec-fetch-site", "same-origin")]).is_of_another_site());
        for header in [
            ("origin", "http://evil.example"),
            ("origin", "http://127.0.0.1:5173"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert!(request(&[host, header]).is_of_another_site(), "{header:?}");
        }
    }
}
