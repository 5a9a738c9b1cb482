//! `LISTEN_ADDR`, `PORT`, `WS_ALLOWED_ORIGINS` and `TRUSTED_PROXIES`.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::config::origin::{Origin, OriginError};
use crate::config::reader::{Reader, quote};
use crate::config::{AllowedOrigins, ListenConfig};

pub(super) const DEFAULT_PORT: u16 = 8080;

pub(super) fn read(reader: &mut Reader<'_>) -> ListenConfig {
    let (address, port) = address_and_port(reader, Ipv4Addr::UNSPECIFIED);
    ListenConfig { address, port, origins: origins(reader), trusted_proxies: proxies(reader) }
}

/// The demo listens on this machine only, lets every page connect and honours nothing but `LISTEN_ADDR` and `PORT`.
pub(super) fn read_demo(reader: &mut Reader<'_>) -> ListenConfig {
    let (address, port) = address_and_port(reader, Ipv4Addr::LOCALHOST);
    ListenConfig { address, port, origins: AllowedOrigins::Any, trusted_proxies: Vec::new() }
}

fn address_and_port(reader: &mut Reader<'_>, default: Ipv4Addr) -> (IpAddr, u16) {
    let port = reader.number("PORT", DEFAULT_PORT, 0..=u16::MAX);
    let address = match reader.text("LISTEN_ADDR") {
        None => default.into(),
        Some(text) => text.trim_matches(['[', ']']).parse().unwrap_or_else(|_| {
            let remedy = "Write an IP address such as 0.0.0.0, 127.0.0.1 or ::; the port is PORT's";
            reader.mistake("LISTEN_ADDR", format!("{} is not an IP address", quote(&text)), remedy);
            default.into()
        }),
    };
    (address, port)
}

fn origins(reader: &mut Reader<'_>) -> AllowedOrigins {
    const VARIABLE: &str = "WS_ALLOWED_ORIGINS";
    let Some(listed) = reader.list(VARIABLE) else { return AllowedOrigins::SameOriginAndLocalhost };
    if listed.iter().any(|origin| origin == "*") {
        if listed.len() > 1 {
            reader.mistake(VARIABLE, "`*` stands beside other origins", "Write `*` alone, or only the others");
        }
        return AllowedOrigins::Any;
    }
    let mut origins = Vec::new();
    for text in listed {
        let lower = text.to_ascii_lowercase();
        let (problem, remedy) = match Origin::parse(&lower) {
            _ if lower == "null" => {
                origins.push(lower);
                continue;
            }
            Ok(_) => {
                origins.push(lower);
                continue;
            }
            Err(OriginError::Path) => {
                let bare: Vec<_> = text.splitn(4, '/').take(3).collect();
                (
                    "ends in a slash or has a path, which browsers never send",
                    format!("Write {}", quote(&bare.join("/"))),
                )
            }
            Err(OriginError::NoScheme | OriginError::Authority) => (
                "is not an origin",
                "Write scheme://host or scheme://host:port, such as https://panel.example.com; or file://, or null"
                    .into(),
            ),
        };
        reader.mistake(VARIABLE, format!("{} {problem}", quote(&text)), remedy);
    }
    AllowedOrigins::Listed(origins)
}

fn proxies(reader: &mut Reader<'_>) -> Vec<IpNet> {
    let mut nets = Vec::new();
    for text in reader.list("TRUSTED_PROXIES").unwrap_or_default() {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(net) => nets.push(net.trunc()),
            Err(_) => reader.mistake(
                "TRUSTED_PROXIES",
                format!("{} is not an address or network", quote(&text)),
                "Write addresses or networks such as 10.0.0.1 or 10.0.0.0/8",
            ),
        }
    }
    nets
}
