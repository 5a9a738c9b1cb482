//! A Redis URL as providers' consoles print it: which servers, how they are reached, and with what.
//!
//! Must not connect, nor repeat any part of the URL in an error.

use std::path::PathBuf;

use super::Secret;
use super::authority::{Authority, ENCODE, Host, UrlProblem, decoded};
use super::defaults::DEFAULT_REDIS_PORT;

pub(super) const FORMS: &str = "Write redis://user:password@host:6379/0, rediss://… for TLS, \
                                redis+sentinel://host:26379,host:26379/master or redis+cluster://host:6379,host:6379";
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// The Redis or Valkey that stands between the nodes of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisConfig {
    pub servers: RedisServers,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// Which of the server's numbered databases.
    pub database: u32,
    pub has_tls: bool,
    /// `REDIS_CA`: the authority that signs the servers' certificates; `None` for those that everybody trusts.
    pub authority: Option<PathBuf>,
    /// `REDIS_PREFIX`: what every key begins with. Installations with different ones share a server.
    pub prefix: String,
}

/// Where the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisServers {
    One(RedisHost),
    /// Who is asked which server is the master of that name.
    Sentinel {
        sentinels: Vec<RedisHost>,
        master: String,
    },
    /// Members that are asked which of them owns the slot; any may be named.
    Cluster(Vec<RedisHost>),
}

/// A server's name or address, and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisHost {
    pub name: String,
    pub port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    One,
    Sentinel,
    Cluster,
}

impl RedisConfig {
    pub fn parse(text: &str) -> Result<Self, UrlProblem> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| UrlProblem::new("it is not a valid URL", FORMS))?;
        let (has_tls, kind) = match scheme.to_ascii_lowercase().as_str() {
            "redis" | "valkey" => (false, Kind::One),
            "rediss" | "valkeys" => (true, Kind::One),
            "redis+sentinel" => (false, Kind::Sentinel),
            "rediss+sentinel" => (true, Kind::Sentinel),
            "redis+cluster" => (false, Kind::Cluster),
            "rediss+cluster" => (true, Kind::Cluster),
            _ => return Err(UrlProblem::new("it does not begin with redis:// or one of its relatives", FORMS)),
        };
        if rest.contains('#') {
            return Err(UrlProblem::new("it has a # that cuts it short", ENCODE));
        }
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = address.split_once('/').unwrap_or((address, ""));
        if path.contains('@') || query.contains('@') {
            return Err(UrlProblem::new("it has an @ where none belongs", format!("{ENCODE}. {FORMS}")));
        }
        if !query.is_empty() {
            let remedy =
                "Remove what stands after the ?; rediss:// is for TLS and REDIS_CA for an authority of your own";
            return Err(UrlProblem::new("it has parameters, and none is known", remedy));
        }
        let Authority { user, password, hosts } = Authority::read(authority, FORMS)?;
        if user.is_some() && password.is_none() {
            return Err(UrlProblem::new("it has a user without a password", FORMS));
        }
        let (servers, database) = servers(kind, &hosts, path)?;
        // Without a user an empty one is none; a user's own may be empty.
        let password = password.filter(|password| user.is_some() || !password.expose().is_empty());
        Ok(Self { servers, user, password, database, has_tls, ..Self::default() })
    }
}

/// What the hosts and the path come to, with the number of the database.
fn servers(kind: Kind, hosts: &[Host], path: &str) -> Result<(RedisServers, u32), UrlProblem> {
    let hosts: Vec<RedisHost> = hosts.iter().map(|host| RedisHost::read(host, kind)).collect::<Result<_, _>>()?;
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    Ok(match (kind, parts.as_slice()) {
        (Kind::One, [database]) => {
            let [host] = hosts.as_slice() else {
                let remedy = "Name one host, or write redis+sentinel:// or redis+cluster://";
                return Err(UrlProblem::new("it names several hosts that are no cluster", remedy));
            };
            (RedisServers::One(host.clone()), number(database)?)
        }
        (Kind::Sentinel, [""]) => {
            let remedy = "Write redis+sentinel://host:26379/master, with the name that the Sentinels have for it";
            return Err(UrlProblem::new("it does not name the master", remedy));
        }
        (Kind::Sentinel, [master]) => (RedisServers::Sentinel { sentinels: hosts, master: decoded(master)? }, 0),
        (Kind::Sentinel, [master, database]) => {
            (RedisServers::Sentinel { sentinels: hosts, master: decoded(master)? }, number(database)?)
        }
        (Kind::Cluster, ["" | "0"]) => (RedisServers::Cluster(hosts), 0),
        (Kind::Cluster, _) => {
            return Err(UrlProblem::new(
                "it names a database, and a cluster has none",
                "Remove what stands after the /",
            ));
        }
        _ => return Err(UrlProblem::new("its path has too many parts", FORMS)),
    })
}

fn number(text: &str) -> Result<u32, UrlProblem> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| UrlProblem::new("its database is not a number", FORMS))
}

impl RedisHost {
    fn read(host: &Host, kind: Kind) -> Result<Self, UrlProblem> {
        if host.name.is_empty() || host.name.contains(['/', ' ']) {
            return Err(UrlProblem::new("it names no host", FORMS));
        }
        let usual = if kind == Kind::Sentinel { DEFAULT_SENTINEL_PORT } else { DEFAULT_REDIS_PORT };
        Ok(Self { name: host.name.clone(), port: host.port.unwrap_or(usual) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> RedisConfig {
        RedisConfig::parse(url).unwrap_or_else(|problem| panic!("{url}: {problem:?}"))
    }

    fn host(name: &str, port: u16) -> RedisHost {
        RedisHost { name: name.to_owned(), port }
    }

    #[test]
    fn every_form_of_a_url_is_understood() {
        let plain = parsed("redis://cache");
        assert_eq!((plain.servers, plain.has_tls), (RedisServers::One(host("cache", 6379)), false));
        let whole = parsed("REDISS://ana:a%40b%2F@[::1]:6390/7");
        assert_eq!(whole.servers, RedisServers::One(host("::1", 6390)));
        assert_eq!((whole.user.as_deref(), whole.database, whole.has_tls), (Some("ana"), 7, true));
        assert_eq!(whole.password.unwrap().expose(), "a@b/");
        let keyed = parsed("redis://:secret@h/");
        assert_eq!((keyed.user, keyed.password.unwrap().expose()), (None, "secret"));
        assert_eq!(parsed("redis://:@h").password, None);
        let open = parsed("redis://ana:@h");
        assert_eq!((open.user.as_deref(), open.password.unwrap().expose()), (Some("ana"), ""));
        assert_eq!(
            parsed("redis+sentinel://s1,s2:5000/mymaster/3").servers,
            RedisServers::Sentinel {
                sentinels: vec![host("s1", 26379), host("s2", 5000)],
                master: "mymaster".to_owned()
            }
        );
        assert_eq!(parsed("redis+sentinel://s1/m/3").database, 3);
        let cluster = parsed("rediss+cluster://a,b:7001");
        assert_eq!(cluster.servers, RedisServers::Cluster(vec![host("a", 6379), host("b", 7001)]));
        assert!(cluster.has_tls);
    }

    #[test]
    fn what_cannot_be_used_is_said_without_any_part_of_it() {
        for (url, said) in [
            ("cache.example", "valid URL"),
            ("http://h", "begin with redis://"),
            ("redis://", "names no host"),
            ("redis://u:pa#ss@h", "a # that"),
            ("redis://u:pa/ss@h", "an @ where"),
            ("redis://u:pa?ss@h", "an @ where"),
            ("redis://u@h", "without a password"),
            ("redis://h:port", "its port"),
            ("redis://h:0", "its port"),
            ("redis://h/x", "not a number"),
            ("redis://h/1/2", "too many parts"),
            ("redis://a,b", "several hosts"),
            ("redis://h?db=1", "parameters"),
            ("redis+sentinel://h", "the master"),
            ("redis+cluster://h/1", "a cluster has none"),
            ("redis://[::1", "no ]"),
        ] {
            let problem = RedisConfig::parse(url).unwrap_err();
            assert!(problem.problem.contains(said), "{url}: {problem:?}");
            assert!(!format!("{problem:?}").contains("pa#ss") && !problem.remedy.is_empty());
        }
    }
}
