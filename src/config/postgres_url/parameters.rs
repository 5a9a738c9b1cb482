//! What stands after the `?`: parameters of libpq and of other clients.
//!
//! A parameter that means nothing here is passed over. One that names tables is understood. One that asks for more
//! protection than a connection would have is granted, or refused by its name.

use super::SessionAttrs;
use crate::config::authority::{UrlProblem, decoded};

const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Parameters about TLS that ask for nothing that would have to be granted.
const HARMLESS_SSL: [&str; 14] = [
    "sslcompression",
    "sslsni",
    "sslnegotiation",
    "sslfactory",
    "sslfactoryarg",
    "sslhostnameverifier",
    "sslpasswordcallback",
    "sslresponsetimeout",
    "sslkeylogfile",
    "sslinline",
    "sslcertmode",
    "sslmode",
    "sslaccept",
    "ssl_max_protocol_version",
];

/// How clients call the schema that their tables are in, without case, `_`, `-` and spaces.
const SCHEMA: &str = "schema";
const PATHS: [&str; 2] = ["currentschema", "searchpath"];

/// Names and values, decoded, in their order.
pub(super) struct Parameters(Vec<(String, String)>);

/// What they come to.
pub(super) struct Understood {
    pub wanted: SessionAttrs,
    pub search_path: Option<String>,
    pub files: Vec<(&'static str, String)>,
    /// What the driver is given, by the names that it knows.
    pub passed_on: Vec<(&'static str, String)>,
}

impl Parameters {
    pub(super) fn read(query: &str) -> Result<Self, UrlProblem> {
        let read = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?;
            // Some write a space so.
            let value = if is_options(&name) { decoded(&value.replace('+', " "))? } else { decoded(value)? };
            Ok((name, value))
        };
        query.split('&').filter(|pair| !pair.is_empty()).map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The last one of that name: a later one replaces an earlier one. Empty counts as not there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.any(&[name])
    }

    fn any(&self, names: &[&str]) -> Option<&str> {
        let found = self.0.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// As [`Self::get`], however it is spelt.
    fn spelt(&self, plain_name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(name, _)| plain(name) == plain_name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn understand(&self) -> Result<Understood, UrlProblem> {
        self.refuse_what_is_not_granted()?;
        let (options, paths_of_options) = self.options();
        let search_path = self.search_path(paths_of_options)?;
        let root = self.any(&["sslrootcert", "ssl-root-cert", "ssl-ca"]);
        let (cert, key) = (self.any(&["sslcert", "ssl-cert"]), self.any(&["sslkey", "ssl-key"]));
        if cert.is_some() != key.is_some() {
            let missing = if cert.is_some() { "sslcert comes without sslkey" } else { "sslkey comes without sslcert" };
            return Err(UrlProblem::new(
                format!("its {missing}"),
                "Name both files of the client's certificate; the authority that signed the server's is sslrootcert",
            ));
        }
        let is_system = root == Some("system");
        let root = root.filter(|_| !is_system);
        let mode = self.ssl_mode(is_system, root.is_some())?;
        let mut passed_on = Vec::new();
        let mut files = Vec::new();
        for (name, file) in [("sslrootcert", root), ("sslcert", cert), ("sslkey", key)] {
            if let Some(file) = file {
                files.push((name, file.to_owned()));
                passed_on.push((name, file.to_owned()));
            }
        }
        if let Some(mode) = mode {
            passed_on.push(("sslmode", mode.to_owned()));
        }
        if let Some(name) = self.get("application_name") {
            passed_on.push(("application_name", name.to_owned()));
        }
        if !options.is_empty() {
            passed_on.push(("options", options));
        }
        Ok(Understood { wanted: self.wanted()?, search_path, files, passed_on })
    }

    fn refuse_what_is_not_granted(&self) -> Result<(), UrlProblem> {
        const VERIFY: &str = "Remove it, and write sslmode=verify-full, which checks who the server is";
        let without = "Remove it; Pulso uses PEM files without a password";
        for (name, remedy) in [
            ("require_auth", VERIFY),
            ("sslcrl", VERIFY),
            ("sslcrldir", VERIFY),
            ("requirepeer", "Remove it; the socket's folder should be one that only the server's user may write to"),
            ("sslidentity", "Write sslcert and sslkey, two PEM files, instead"),
            ("sslpassword", without),
            ("service", "Write what the service file says into the URL"),
        ] {
            if self.get(name).is_some() {
                return Err(refused(name, remedy));
            }
        }
        for (name, value, remedy) in [
            ("gssencmode", "require", "Write sslmode=verify-full instead"),
            ("sslcertmode", "require", VERIFY),
            (
                "ssl_min_protocol_version",
                "TLSv1.3",
                "Write TLSv1.2, or let the server's ssl_min_protocol_version ask for it",
            ),
        ] {
            if self.get(name).is_some_and(|said| said.eq_ignore_ascii_case(value)) {
                return Err(refused(&format!("{name}={value}"), remedy));
            }
        }
        // Older ones are never spoken.
        let lowest = self.get("ssl_min_protocol_version").map(str::to_ascii_lowercase);
        if lowest.is_some_and(|lowest| !["tlsv1", "tlsv1.1", "tlsv1.2"].contains(&lowest.as_str())) {
            return Err(refused("ssl_min_protocol_version", "Write TLSv1.2"));
        }
        let known = |name: &str| {
            HARMLESS_SSL.contains(&name)
                || ["ssl", "sslrootcert", "sslcert", "sslkey", "ssl_min_protocol_version"].contains(&name)
                || ["ssl-mode", "ssl-root-cert", "ssl-ca", "ssl-cert", "ssl-key"].contains(&name)
                || ["sslcrl", "sslcrldir", "sslidentity", "sslpassword"].contains(&name)
        };
        // A mistyped sslmode must be seen.
        if self
            .0
            .iter()
            .any(|(name, _)| name.to_ascii_lowercase().starts_with("ssl") && !known(&name.to_ascii_lowercase()))
        {
            return Err(UrlProblem::new(
                "it has an unknown ssl… parameter",
                "Known are sslmode, sslrootcert, sslcert, sslkey and sslaccept",
            ));
        }
        Ok(())
    }

    /// How the connection is to be protected: the strictest of what is asked for.
    fn ssl_mode(&self, by_system: bool, has_root: bool) -> Result<Option<&'static str>, UrlProblem> {
        let unknown = || UrlProblem::new("its sslmode is unknown", format!("Write one of: {}", SSL_MODES.join(", ")));
        let known = |mode: &str| SSL_MODES.iter().find(|known| known.eq_ignore_ascii_case(mode)).copied();
        let said = match self.any(&["sslmode", "ssl-mode"]).or_else(|| self.mode_of_ssl()) {
            Some(mode) if mode.eq_ignore_ascii_case("no-verify") => Some("require"),
            Some(mode) => Some(known(mode).ok_or_else(unknown)?),
            None => None,
        };
        let accepts = self.get("sslaccept");
        if accepts.is_some_and(|accepts| accepts != "strict" && accepts != "accept_invalid_certs") {
            return Err(UrlProblem::new("its sslaccept is unknown", "Write strict, or sslmode=verify-full"));
        }
        // Each is granted by a certificate that is checked: what binds a channel to its server, and to nobody in between.
        let demands = [
            ("sslrootcert=system", by_system),
            ("sslaccept=strict", accepts == Some("strict")),
            ("channel_binding=require", self.get("channel_binding") == Some("require")),
        ];
        if let Some((demand, _)) = demands.iter().find(|(_, is_made)| *is_made) {
            if said == Some("disable")
                || (by_system && matches!(said, Some("allow" | "prefer" | "require" | "verify-ca")))
            {
                return Err(UrlProblem::new(
                    format!("its sslmode is weaker than its {demand}"),
                    "Write sslmode=verify-full, or remove the other one",
                ));
            }
            return Ok(Some("verify-full"));
        }
        Ok(match said {
            // As psql has it: an authority is named to be asked.
            Some("require") if has_root => Some("verify-ca"),
            // The driver has no second attempt with TLS; the other way round it has.
            Some("allow") => Some("prefer"),
            said => said,
        })
    }

    /// `ssl=true` and its like, of clients without libpq.
    fn mode_of_ssl(&self) -> Option<&str> {
        match self.get("ssl").or_else(|| self.get("requiressl")).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0" | "no" | "off") => None,
            Some("1" | "true" | "yes" | "on") if self.get("ssl").is_some() => Some("verify-full"),
            Some("1" | "true" | "yes" | "on") => Some("require"),
            Some(_) => self.get("ssl"),
        }
    }

    fn wanted(&self) -> Result<SessionAttrs, UrlProblem> {
        let Some(said) = self
            .spelt("targetsessionattrs")
            .or_else(|| self.spelt("targetsessionattributes"))
            .or_else(|| self.spelt("targetservertype"))
        else {
            return Ok(SessionAttrs::Any);
        };
        Ok(match plain(said).as_str() {
            "any" => SessionAttrs::Any,
            "readwrite" => SessionAttrs::ReadWrite,
            "readonly" => SessionAttrs::ReadOnly,
            "primary" | "master" => SessionAttrs::Primary,
            "standby" | "secondary" | "slave" => SessionAttrs::Standby,
            "preferstandby" | "prefersecondary" | "preferslave" => SessionAttrs::PreferStandby,
            _ => {
                return Err(UrlProblem::new(
                    "its target_session_attrs is unknown",
                    "Write any, read-write, read-only, primary, standby or prefer-standby",
                ));
            }
        })
    }

    /// The settings for the server, without those of the path, and these.
    fn options(&self) -> (String, Vec<String>) {
        let (mut rest, mut paths) = (Vec::new(), Vec::new());
        for (name, value) in self.0.iter().filter(|(name, _)| is_options(name)) {
            if let Some(setting) = name.strip_prefix("options[").and_then(|name| name.strip_suffix(']')) {
                if plain(setting) == "searchpath" {
                    paths.push(value.clone());
                } else {
                    rest.push(format!("-c {}", escaped(&format!("{setting}={value}"))));
                }
                continue;
            }
            let mut words = words(value).into_iter();
            while let Some(word) = words.next() {
                let setting = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
                    Some("") => words.next(),
                    Some(setting) => Some(setting.to_owned()),
                    None => None,
                };
                match setting.as_deref().and_then(|setting| setting.split_once('=')) {
                    Some((setting, path)) if plain(setting) == "searchpath" => paths.push(path.to_owned()),
                    Some(_) => rest.push(format!("-c {}", escaped(&setting.unwrap_or_default()))),
                    None => rest.push(escaped(&word)),
                }
            }
        }
        (rest.join(" "), paths)
    }

    /// The path that is named, in whichever client's words.
    fn search_path(&self, of_options: Vec<String>) -> Result<Option<String>, UrlProblem> {
        let mut paths = of_options;
        paths.extend(PATHS.iter().filter_map(|name| self.spelt(name).map(str::to_owned)));
        // Names to the letter.
        let quoted = |name: &str| format!("\"{}\"", name.trim().trim_matches('"').replace('"', "\"\""));
        paths.extend(self.spelt(SCHEMA).map(|names| names.split(',').map(quoted).collect::<Vec<_>>().join(", ")));
        paths.retain(|path| !path.trim().is_empty());
        let Some(path) = paths.first().cloned() else { return Ok(None) };
        let same = |a: &str, b: &str| a.replace(['"', ' '], "") == b.replace(['"', ' '], "");
        if paths.iter().any(|other| !same(other, &path)) {
            return Err(UrlProblem::new(
                "it names the schema in several ways that differ",
                "Keep one of schema, currentSchema, search_path and options=-csearch_path=…",
            ));
        }
        if path.chars().any(char::is_control) {
            return Err(UrlProblem::new(
                "its schema's name has a control character",
                "Write it as it is in the database",
            ));
        }
        Ok(Some(path))
    }
}

fn is_options(name: &str) -> bool {
    name == "options" || name.starts_with("options[")
}

/// A name without what clients spell differently.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| !matches!(letter, '_' | '-' | ' ')).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The words of `options`, of which a backslash escapes the next letter.
fn words(options: &str) -> Vec<String> {
    let (mut words, mut word, mut letters) = (Vec::new(), String::new(), options.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.extend(letters.next()),
            letter if letter.is_ascii_whitespace() => words.push(std::mem::take(&mut word)),
            letter => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn escaped(word: &str) -> String {
    word.replace('\\', "\\\\").replace(' ', "\\ ")
}

/// A parameter that cannot be granted.
fn refused(name: &str, remedy: impl Into<String>) -> UrlProblem {
    UrlProblem::new(format!("its {name} asks for what Pulso does not do"), remedy)
}
