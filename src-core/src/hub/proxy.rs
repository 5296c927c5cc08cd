//! The system's proxy on the way to a hub elsewhere, and what it says instead of the hub.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{StatusCode, Url};
use sendense_types::{AppError, ErrorKind, Retry};
use sendense_words as words;
use serde_json::Value;

use super::address;

/// The proxy between this computer and a hub.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    /// Host and port; a user and a password, if it wants any, are not kept here.
    name: String,
    /// It passes on what is encrypted and cannot answer in place of the hub.
    is_tunnel: bool,
}

impl Proxy {
    /// The one the system has for this address. None for this computer.
    pub(super) fn before(base: &Url) -> Option<Self> {
        if address::is_loopback(base) {
            return None;
        }
        let found = Matcher::from_system().intercept(&base.as_str().parse().ok()?)?;
        let (host, port) = (found.uri().host()?, found.uri().port_u16());
        Some(Self {
            name: match port {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
            is_tunnel: base.scheme() == "https",
        })
    }

    /// What it means that no connection came about, for `reason` in the words of the libraries; `None` where the proxy
    /// has nothing to do with it.
    pub(super) fn no_connection(&self, hub: &str, reason: &str) -> Option<AppError> {
        if !self.is_tunnel {
            return Some(self.unreachable());
        }
        let (_, tunnel) = reason.split_once("tunnel error: ")?;
        Some(if tunnel.starts_with("proxy authorization required") {
            self.wants_sign_in()
        } else if tunnel.starts_with("failed to create underlying connection") {
            self.unreachable()
        } else {
            self.refused(hub)
        })
    }

    /// What an answer means that is the proxy's own; `None` for one of the hub.
    pub(super) fn answered(&self, hub: &str, status: StatusCode, body: &[u8]) -> Option<AppError> {
        let is_hubs = || serde_json::from_slice::<Value>(body).is_ok();
        match status {
            _ if self.is_tunnel => None,
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Some(self.wants_sign_in()),
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT if !is_hubs() => {
                Some(self.refused(hub))
            }
            _ => None,
        }
    }

    fn unreachable(&self) -> AppError {
        self.failure(words::failures::proxy_unreachable(&self.name))
    }

    fn wants_sign_in(&self) -> AppError {
        self.failure(words::failures::proxy_sign_in(&self.name))
    }

    fn refused(&self, hub: &str) -> AppError {
        self.failure(words::failures::proxy_refused(&self.name, hub))
    }

    fn failure(&self, message: String) -> AppError {
        AppError::new(ErrorKind::Offline, message, Retry::Manual)
            .with_hint(words::failures::proxy_hint())
    }
}
