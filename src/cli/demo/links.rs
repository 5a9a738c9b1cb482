//! The demo's links: a short one a board, and the long one that it leads to, with a token of its own.
//!
//! Must not know how a board looks.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use pulso_demo::{Business, KIOSK};

use crate::access::token::{Holder, MintError, mint};
use crate::clock::Clock;
use crate::config::Secret;

/// Where the short links begin.
pub(super) const PREFIX: &str = "/demo";
/// How long a link's token is good.
const LINK_LIFE: Duration = Duration::from_hours(7 * 24);

listed! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Board {
        Everything,
        Citas,
        Cocina,
        Caja,
        Clinica,
        Kiosko,
    }
}

/// What the links are made of.
pub(super) struct Links {
    negocio: String,
    owner: String,
    restaurant: String,
    secret: Secret,
    clock: Clock,
}

impl Board {
    /// The path of its short link.
    pub(super) fn path(self) -> String {
        match self.name() {
            "" => PREFIX.to_owned(),
            name => format!("{PREFIX}/{name}"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Everything => "",
            Self::Citas => "citas",
            Self::Cocina => "cocina",
            Self::Caja => "caja",
            Self::Clinica => "clinica",
            Self::Kiosko => "kiosko",
        }
    }

    /// What is to be seen there.
    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Everything => "everything at once",
            Self::Citas => "the appointments, and who waits",
            Self::Cocina => "the restaurant's orders, and how late they are",
            Self::Caja => "the sales, and those of each hour",
            Self::Clinica => "the orders of a clinic's rooms",
            Self::Kiosko => "what a guest in room 101 sees of them",
        }
    }
}

impl Links {
    pub(super) fn new(business: &Business, secret: &Secret, clock: Clock) -> Self {
        let Business { negocio_id, owner_id, restaurant_id, .. } = business;
        let (negocio, owner, restaurant) = (negocio_id.clone(), owner_id.clone(), restaurant_id.clone());
        Self { negocio, owner, restaurant, secret: secret.clone(), clock }
    }

    /// The board whose short link this is; a slash at its end does no harm.
    pub(super) fn board(path: &str) -> Option<Board> {
        let path = path.strip_suffix('/').unwrap_or(path);
        Board::ALL.iter().copied().find(|board| board.path() == path)
    }

    /// Where a board is: the page, and who looks at it in the fragment.
    pub(super) fn long(&self, board: Board) -> Result<String, MintError> {
        let Self { negocio, restaurant, .. } = self;
        let negocios = || vec![negocio.clone()];
        let holder = || Holder::user(&self.owner);
        let (holder, rest) = match board {
            Board::Everything => (
                Holder {
                    negocios: negocios(),
                    restaurant: Some(restaurant.clone()),
                    role: Some("ADMIN".to_owned()),
                    ..holder()
                },
                format!(
                    "&negocio={negocio}&abiertos=pedidos-abiertos:{restaurant}&llegadas=pedidos-clinica:{negocio}&consulta=cocina:{restaurant}&consulta=sala-de-espera:{negocio}&consulta=ventas-por-hora:{negocio}"
                ),
            ),
            Board::Citas => (holder(), format!("&negocio={negocio}&consulta=sala-de-espera:{negocio}")),
            Board::Cocina => (
                Holder { restaurant: Some(restaurant.clone()), ..holder() },
                format!("&abiertos=pedidos-abiertos:{restaurant}&consulta=cocina:{restaurant}"),
            ),
            Board::Caja => {
                (Holder { negocios: negocios(), ..holder() }, format!("&consulta=ventas-por-hora:{negocio}"))
            }
            Board::Clinica => (
                Holder { negocios: negocios(), role: Some("ADMIN".to_owned()), ..holder() },
                format!("&llegadas=pedidos-clinica:{negocio}"),
            ),
            Board::Kiosko => return Ok(format!("/#device={KIOSK}")),
        };
        let token = mint(&self.secret, &holder, LINK_LIFE, self.clock.now())?;
        Ok(format!("/#token={token}{rest}"))
    }
}

/// What the links begin with, and whether other machines can follow them.
pub(super) fn host(listens: SocketAddr) -> (String, bool) {
    let port = listens.port();
    match listens.ip() {
        // A browser's `localhost` is these; elsewhere in 127.0.0.0/8 it would find nobody.
        IpAddr::V4(Ipv4Addr::LOCALHOST) | IpAddr::V6(Ipv6Addr::LOCALHOST) => {
            (format!("http://localhost:{port}"), false)
        }
        ip if ip.is_loopback() => (format!("http://{listens}"), false),
        ip if ip.is_unspecified() => match own_address(ip) {
            Ok(ip) if !ip.is_loopback() => (format!("http://{}", SocketAddr::new(ip, port)), true),
            // A machine without a network has nobody else to show it to.
            _ => (format!("http://localhost:{port}"), false),
        },
        _ => (format!("http://{listens}"), true),
    }
}

/// The address of this machine that others reach: that of the way to the outside. Nothing is sent.
fn own_address(wildcard: IpAddr) -> io::Result<IpAddr> {
    // Addresses for documents, which lead where all that is not local leads.
    let outside: IpAddr = match wildcard {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = UdpSocket::bind((wildcard, 0))?;
    socket.connect((outside, 9))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_board_has_a_short_link_that_leads_back_to_it() {
        for board in Board::ALL {
            assert_eq!(Links::board(&board.path()), Some(*board));
            assert_eq!(Links::board(&format!("{}/", board.path())), Some(*board));
        }
        for path in ["/", "/demos", "/demo/otro", "/demo/citas/otra", "/demo//"] {
            assert_eq!(Links::board(path), None, "{path}");
        }
    }

    #[test]
    fn who_listens_for_itself_alone_is_localhost() {
        assert_eq!(host("127.0.0.1:80".parse().unwrap()), ("http://localhost:80".to_owned(), false));
        assert_eq!(host("[::1]:80".parse().unwrap()), ("http://localhost:80".to_owned(), false));
        assert_eq!(host("127.0.0.2:80".parse().unwrap()), ("http://127.0.0.2:80".to_owned(), false));
        assert_eq!(host("192.0.2.7:80".parse().unwrap()), ("http://192.0.2.7:80".to_owned(), true));
    }
}
