//! Where the broker is and how to get in: an address, a user, certificates. No network here.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;

/// Why a text is not a way to a broker.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccessError {
    /// The text is not a URL. It is not repeated, since it may hold a password.
    #[error("the broker's address is not a URL ({0}); write one like `mqtt://localhost:1883`")]
    NotAUrl(url::ParseError),
    /// Another scheme.
    #[error("the broker's address begins with `{0}:`; `mqtt:` and `mqtts:` (TLS) are known")]
    Scheme(String),
    /// No host.
    #[error("the broker's address names no host; write one like `mqtt://localhost:1883`")]
    NoHost,
    /// More than scheme, user, host and port.
    #[error("the broker's address goes on after the host with `{0}`, which has no meaning; leave it out")]
    Rest(String),
    /// A password without a user.
    #[error("the broker's address holds a password but no user")]
    PasswordWithoutUser,
    /// User or password is not UTF-8 once decoded.
    #[error("user or password in the broker's address is not UTF-8 once its `%` escapes are decoded")]
    NotUtf8,
    /// A password would cross a network in the clear.
    #[error(
        "the password for `{0}` would cross the network in the clear; use `mqtts://`, or set \
         `allow_plaintext_password` if that network is trusted"
    )]
    PlaintextPassword(String),
    /// Certificates without TLS.
    #[error("certificates are given, but the broker's address begins with `mqtt:`; use `mqtts://`")]
    CertificatesWithoutTls,
    /// A certificate of our own without one to check the broker with.
    #[error("a client certificate needs `ca` too, the certificate to check the broker with")]
    ClientCertificateWithoutCa,
}

/// User and password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// Where the broker is and how to get in. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    host: String,
    port: u16,
    tls: bool,
    login: Option<Login>,
    ca: Option<PathBuf>,
    client_certificate: Option<(PathBuf, PathBuf)>,
    allow_plaintext_password: bool,
}

impl Access {
    /// Reads `mqtt://[user:password@]host[:1883]` or `mqtts://…[:8883]`; `%` escapes stand for what cannot be written
    /// in a URL.
    pub fn parse(text: &str) -> Result<Self, AccessError> {
        let url = url::Url::parse(text).map_err(AccessError::NotAUrl)?;
        let (tls, port) = match url.scheme() {
            "mqtt" => (false, 1883),
            "mqtts" => (true, 8883),
            other => return Err(AccessError::Scheme(other.to_owned())),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(AccessError::NoHost)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(AccessError::Rest(url[url::Position::BeforePath..].to_owned()));
        }
        let decoded = |text| percent_decode_str(text).decode_utf8().map_err(|_| AccessError::NotUtf8);
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) => return Err(AccessError::PasswordWithoutUser),
            (user, password) => Some(Login {
                user: decoded(user)?.into_owned(),
                password: decoded(password.unwrap_or_default())?.into_owned(),
            }),
        };
        let port = url.port().unwrap_or(port);
        Ok(Self { host, port, tls, login, ca: None, client_certificate: None, allow_plaintext_password: false })
    }

    /// The same broker for this user, in plain text.
    #[must_use]
    pub fn with_login(self, user: &str, password: &str) -> Self {
        Self { login: Some(Login { user: user.to_owned(), password: password.to_owned() }), ..self }
    }

    /// Checks the broker with the certificates in this PEM file instead of the system's.
    #[must_use]
    pub fn with_ca(self, ca: PathBuf) -> Self {
        Self { ca: Some(ca), ..self }
    }

    /// Shows the broker a certificate of our own: PEM files of certificate chain and key.
    #[must_use]
    pub fn with_client_certificate(self, certificate: PathBuf, key: PathBuf) -> Self {
        Self { client_certificate: Some((certificate, key)), ..self }
    }

    /// Lets a password cross a network in the clear.
    #[must_use]
    pub fn with_plaintext_password_allowed(self, allowed: bool) -> Self {
        Self { allow_plaintext_password: allowed, ..self }
    }

    /// Whether all parts go together, and nothing secret would be seen by others.
    pub fn check(&self) -> Result<(), AccessError> {
        let in_the_clear = !self.tls && !self.is_loopback() && !self.allow_plaintext_password;
        if in_the_clear && self.login.as_ref().is_some_and(|login| !login.password.is_empty()) {
            return Err(AccessError::PlaintextPassword(self.host.clone()));
        }
        if !self.tls && (self.ca.is_some() || self.client_certificate.is_some()) {
            return Err(AccessError::CertificatesWithoutTls);
        }
        if self.client_certificate.is_some() && self.ca.is_none() {
            return Err(AccessError::ClientCertificateWithoutCa);
        }
        Ok(())
    }

    /// Whether the broker is on this machine.
    pub fn is_loopback(&self) -> bool {
        let name = self.host.to_ascii_lowercase();
        let localhost = name == "localhost" || name.ends_with(".localhost");
        localhost || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The broker's host name or address.
    pub fn host(&self) -> &str {
        &self.host
    }
    /// The broker's port.
    pub const fn port(&self) -> u16 {
        self.port
    }
    /// Whether the connection is encrypted.
    pub const fn is_tls(&self) -> bool {
        self.tls
    }
    pub(super) const fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }
    pub(super) fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }
    pub(super) fn client_certificate(&self) -> Option<(&Path, &Path)> {
        self.client_certificate.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()))
    }
}

impl fmt::Display for Access {
    /// The address without user and password: for logs, errors and pages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("address", &self.to_string())
            .field("login", &self.login.as_ref().map(|_| "…"))
            .field("ca", &self.ca)
            .field("client_certificate", &self.client_certificate.as_ref().map(|(certificate, _)| certificate))
            .field("allow_plaintext_password", &self.allow_plaintext_password)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_its_defaults_and_shown_without_secrets() {
        let access = Access::parse("mqtts://us%40er:p%2Fw%3Aé@broker.example").unwrap();
        assert_eq!(access.to_string(), "mqtts://broker.example:8883");
        let login = access.login().unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("us@er", "p/w:é"));
        assert!(!format!("{access:?}").contains("us@er") && !format!("{access:?}").contains("p/w"));
        assert_eq!(Access::parse("mqtt://[::1]/").unwrap().to_string(), "mqtt://[::1]:1883");
    }

    #[test]
    fn what_is_no_address_says_why_and_repeats_no_password() {
        for (text, says) in [
            ("localhost", "the broker's address is not a URL (relative URL without a base)"),
            ("http://h", "the broker's address begins with `http:`"),
            ("mqtt:///", "the broker's address names no host"),
            ("mqtt://h/topic", "the broker's address goes on after the host with `/topic`"),
            ("mqtt://:secret@h", "the broker's address holds a password but no user"),
            ("mqtt://u:%ff@h", "user or password in the broker's address is not UTF-8"),
        ] {
            let error = Access::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(says) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_stays_on_this_machine_or_goes_encrypted() {
        let check = |url| Access::parse(url).unwrap().check();
        for url in ["mqtt://u:p@localhost", "mqtt://u:p@127.0.0.9", "mqtt://u:p@[::1]", "mqtts://u:p@h", "mqtt://u@h"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        assert_eq!(check("mqtt://u:p@h"), Err(AccessError::PlaintextPassword("h".to_owned())));
        let allowed = Access::parse("mqtt://u:p@h").unwrap().with_plaintext_password_allowed(true);
        assert_eq!(allowed.check(), Ok(()));
    }

    #[test]
    fn certificates_need_each_other_and_tls() {
        let plain = Access::parse("mqtt://h").unwrap().with_ca("ca.pem".into());
        assert_eq!(plain.check(), Err(AccessError::CertificatesWithoutTls));
        let access = Access::parse("mqtts://h").unwrap().with_client_certificate("c.pem".into(), "k.pem".into());
        assert_eq!(access.check(), Err(AccessError::ClientCertificateWithoutCa));
        assert_eq!(access.with_ca("ca.pem".into()).check(), Ok(()));
    }
}
