//! A `postgres://` URL as psql, JDBC, Prisma, pgx and providers' consoles print it: what it names, and what it asks for.
//!
//! Nothing that it asks for is passed over if passing it over would show other tables, or protect less. Must not connect, nor
//! repeat any part of the URL in an error: a password with an unescaped `/` or `?` lands anywhere in it.

mod parameters;
#[cfg(test)]
mod tests;

use url::form_urlencoded::Serializer;

use super::Secret;
use super::authority::{Authority, ENCODE, Host, UrlProblem, decoded, port};
use parameters::Parameters;

const FORMS: &str = "Write postgres://user:password@host:port/database";

/// What a URL means.
#[derive(Clone, Debug)]
pub struct PostgresUrl {
    /// A URL for each host, in the order in which they are to be tried.
    pub hosts: Vec<Secret>,
    pub wanted: SessionAttrs,
    /// What `search_path` is to be, as PostgreSQL's setting of that name is written.
    pub search_path: Option<String>,
    /// The files that it names, with the parameter that names each.
    pub files: Vec<(&'static str, String)>,
}

/// `target_session_attrs`: which of several hosts is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionAttrs {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// The parts of a URL before they are understood.
struct Parts {
    user: Option<String>,
    password: Option<String>,
    hosts: Vec<Host>,
    database: Option<String>,
}

impl PostgresUrl {
    pub fn parse(text: &str) -> Result<Self, UrlProblem> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| UrlProblem::new("it is not a valid URL", FORMS))?;
        if !scheme.eq_ignore_ascii_case("postgres") && !scheme.eq_ignore_ascii_case("postgresql") {
            return Err(UrlProblem::new("it does not begin with postgres:// or postgresql://", FORMS));
        }
        if rest.contains('#') {
            return Err(UrlProblem::new("it has a # that cuts it short", ENCODE));
        }
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = address.split_once('/').unwrap_or((address, ""));
        let mut parts = Parts::read(authority, path)?;
        let parameters = Parameters::read(query)?;
        let stray_at = query.contains('@') && parts.user.is_none() && parameters.get("user").is_none();
        if path.contains('@') || stray_at {
            return Err(UrlProblem::new("it has an @ where none belongs", format!("{ENCODE}. {FORMS}")));
        }
        parts.take_over(&parameters)?;
        let understood = parameters.understand()?;
        let hosts = parts.hosts.iter().map(|host| Secret::new(parts.url_of(host, &understood.passed_on))).collect();
        Ok(Self { hosts, wanted: understood.wanted, search_path: understood.search_path, files: understood.files })
    }
}

impl Parts {
    fn read(authority: &str, path: &str) -> Result<Self, UrlProblem> {
        let Authority { user, password, hosts } = Authority::read(authority, FORMS)?;
        let password = password.map(|password| password.expose().to_owned());
        let database = Some(decoded(path.trim_start_matches('/'))?).filter(|name| !name.is_empty());
        Ok(Self { user, password, hosts, database })
    }

    /// What is named after the `?` goes before what is named before it, as psql has it.
    fn take_over(&mut self, parameters: &Parameters) -> Result<(), UrlProblem> {
        let own = |name| parameters.get(name).map(str::to_owned);
        self.user = own("user").or(self.user.take());
        self.password = own("password").or(self.password.take());
        self.database = own("dbname").or(self.database.take());
        // An address goes before a name: it saves asking for it.
        if let Some(names) = parameters.get("hostaddr").or(parameters.get("host")) {
            let ports: Vec<Option<u16>> = self.hosts.iter().map(|host| host.port).collect();
            self.hosts = names.split(',').map(named).collect();
            give_ports(&mut self.hosts, &ports)?;
        }
        if let Some(ports) = parameters.get("port") {
            let ports: Vec<Option<u16>> = ports.split(',').map(|text| port(text, FORMS)).collect::<Result<_, _>>()?;
            give_ports(&mut self.hosts, &ports)?;
        }
        Ok(())
    }

    /// In the one form that the driver reads right whatever is in it.
    fn url_of(&self, host: &Host, parameters: &[(&'static str, String)]) -> String {
        const BEGINNING: &str = "postgres:///?";
        let mut query = Serializer::for_suffix(String::from(BEGINNING), BEGINNING.len());
        let port = host.port.map(|port| port.to_string());
        let name = Some(&host.name).filter(|name| !name.is_empty());
        for (key, value) in [
            ("host", name),
            ("port", port.as_ref()),
            ("user", self.user.as_ref()),
            ("password", self.password.as_ref()),
            ("dbname", self.database.as_ref()),
        ] {
            if let Some(value) = value {
                query.append_pair(key, value);
            }
        }
        query.extend_pairs(parameters);
        query.finish()
    }
}

fn named(name: &str) -> Host {
    Host { name: name.trim_start_matches('[').trim_end_matches(']').to_owned(), port: None }
}

/// One port for all, or one each.
fn give_ports(hosts: &mut [Host], ports: &[Option<u16>]) -> Result<(), UrlProblem> {
    match ports {
        [] => {}
        [one] => hosts.iter_mut().for_each(|host| host.port = *one),
        several if several.len() == hosts.len() => {
            hosts.iter_mut().zip(several).for_each(|(host, port)| host.port = *port);
        }
        _ => {
            return Err(UrlProblem::new(
                "it has more or fewer ports than hosts",
                "Write one port, or one for each host",
            ));
        }
    }
    Ok(())
}
