//! What the demo prints for its visitors: where to look, and what else to try.
//!
//! Must not know how a link is made.

use pulso_demo::{ADMIN, Business, CLINIC_PASSWORD, KITCHEN, PASSWORD, WAITER};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::keys::Keys;
use super::links::{Board, Links};
use crate::access::token::MintError;

pub(super) struct Invitation<'a> {
    /// What every link begins with.
    pub(super) host: &'a str,
    /// Other machines can follow the links.
    pub(super) is_for_others: bool,
    pub(super) links: &'a Links,
    pub(super) keys: &'a Keys,
    pub(super) business: &'a Business,
}

impl Invitation<'_> {
    pub(super) fn text(&self) -> Result<String, MintError> {
        let Self { host, links, .. } = self;
        let Business { name, negocio_id, .. } = self.business;
        let everything = links.long(Board::Everything)?;
        let kiosk = links.long(Board::Kiosko)?;
        let (secret, hook_key, cloud_key) = (self.keys.jwt.expose(), self.keys.hook.expose(), self.keys.cloud.expose());
        let (boards, code) = (self.boards(), self.code());
        Ok(format!(
            r#"{name} is open. Watch its appointments, sales, restaurant and clinic live:

  {host}{everything}

and what a guest in room 101 of the clinic sees of the orders there:

  {host}{kiosk}

Shorter, and a board each:

{boards}{code}
Rows are written to an embedded SQLite, then a hook is called, as your API would:

  curl -X POST {host}/notify/cita -H 'Content-Type: application/json' \
    -d '{{"negocio_id":"{negocio_id}","action":"updated"}}'

A hook that carries data wants its key:

  curl -X POST {host}/notify/mesa -H 'X-API-Key: {hook_key}' -H 'Content-Type: application/json' \
    -d '{{"negocio_id":"{negocio_id}","tableId":7,"action":"status_changed","status":"reserved"}}'

The walk-throughs' own APIs are played here too:

  restaurant   POST {host}/api/v1/auth/login   {WAITER} or {KITCHEN}, {PASSWORD}
  clinic       POST {host}/api/auth/login      {ADMIN}, {CLINIC_PASSWORD}
  order sync   {host}/sync                     CLOUD_API_KEY={cloud_key}

`pulso token` signs for it with JWT_SECRET={secret}

Ctrl-C ends it and leaves nothing behind.

"#
        ))
    }

    fn boards(&self) -> String {
        let line = |board: &Board| format!("  {:<36} {}\n", format!("{}{}", self.host, board.path()), board.about());
        Board::ALL.iter().map(line).collect()
    }

    /// For a phone's camera, where a phone can come.
    fn code(&self) -> String {
        if !self.is_for_others {
            return String::new();
        }
        let link = format!("{}{}", self.host, Board::Everything.path());
        // What is too long for a code is followed by hand.
        QrCode::new(link).map_or_else(
            |_| String::new(),
            |code| {
                format!(
                    "\n{}\n",
                    code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
                )
            },
        )
    }
}
