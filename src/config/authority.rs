//! What stands between `//` and the path of a server's URL: who comes, with which password, and to which hosts.
//!
//! Must not know what kind of server it is, nor repeat any part of the URL in an error: a password with an unescaped `/` or `?`
//! lands anywhere in it.

use percent_encoding::percent_decode_str;

use super::Secret;

pub(super) const ENCODE: &str =
    "Percent-encode special characters in the user and password (@ is %40, / is %2F, ? is %3F, # is %23)";

/// Why a URL cannot be used, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlProblem {
    pub problem: String,
    pub remedy: String,
}

impl UrlProblem {
    pub(super) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}

/// `user:password@host:port,host:port`, decoded.
#[derive(Debug)]
pub(super) struct Authority {
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// In the order in which they are to be tried.
    pub hosts: Vec<Host>,
}

/// Where a server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Host {
    /// A name, an address without brackets, or a socket's folder. Empty for the default.
    pub name: String,
    pub port: Option<u16>,
}

impl Authority {
    /// `forms`: what such a URL looks like, for the mend of a mistake.
    pub(super) fn read(text: &str, forms: &str) -> Result<Self, UrlProblem> {
        let (mut user, mut password) = (None, None);
        let hosts = match text.rsplit_once('@') {
            Some((credentials, hosts)) => {
                let (name, said) =
                    credentials.split_once(':').map_or((credentials, None), |(user, said)| (user, Some(said)));
                user = Some(decoded(name)?).filter(|user| !user.is_empty());
                password = said.map(decoded).transpose()?.map(Secret::new);
                hosts
            }
            None => text,
        };
        let hosts = hosts.split(',').map(|host| Host::read(host, forms)).collect::<Result<_, _>>()?;
        Ok(Self { user, password, hosts })
    }
}

impl Host {
    fn read(text: &str, forms: &str) -> Result<Self, UrlProblem> {
        let (name, number) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((address, ""))) => (address, None),
            Some(Some((address, rest))) => (address, Some(rest.strip_prefix(':').ok_or_else(|| not_a_port(forms))?)),
            Some(None) => return Err(UrlProblem::new("its IPv6 address has no ]", forms)),
            None => text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number))),
        };
        let port = number.map(|number| port(number, forms)).transpose()?.flatten();
        Ok(Self { name: decoded(name)?, port })
    }
}

/// An empty port is none.
pub(super) fn port(text: &str, forms: &str) -> Result<Option<u16>, UrlProblem> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().ok().filter(|port| *port > 0).map(Some).ok_or_else(|| not_a_port(forms))
}

pub(super) fn decoded(text: &str) -> Result<String, UrlProblem> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| UrlProblem::new("it is not UTF-8", ENCODE))?;
    if decoded.contains('\0') {
        return Err(UrlProblem::new("it has a NUL character", ENCODE));
    }
    Ok(decoded.into_owned())
}

fn not_a_port(forms: &str) -> UrlProblem {
    UrlProblem::new("its port is not a number from 1 to 65535", format!("{ENCODE}. {forms}"))
}
