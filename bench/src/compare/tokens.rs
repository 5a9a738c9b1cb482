//! What a handshake costs by how its token was signed, and where the same token comes again and again.

use std::sync::Arc;

use pulso_harness::{Claims, SECRET, SigningKey, jwks};

use super::Comparison;
use super::connect::{Connected, WARM_UP, connect_seats};
use crate::peer::{Peer, Setting};
use crate::sheet::CPU_CONNECT;
use crate::swarm::{Framing, Script, Seat};
use crate::town;
use crate::world::JWKS;

/// What all others are compared with.
pub const BASE: &str = "HS256";
/// One token for all, as after a restart each client brings the one that it had.
pub const AGAIN: &str = "ES256 again";

/// How one of them signs.
type Sign<'a> = &'a dyn Fn(&Claims) -> String;

pub fn measure(run: &mut Comparison<'_>) {
    let count = run.scaled(5_000, 1_000);
    let keys = [SigningKey::rsa("rsa"), SigningKey::p256("p256"), SigningKey::ed25519("ed")];
    run.world.scratch().write(JWKS, &jwks(&keys.each_ref()));
    let [rsa, p256, ed25519] = &keys;
    let cases: [(&str, Sign<'_>); 5] = [
        (BASE, &|claims| claims.sign(SECRET)),
        ("RS256", &|claims| rsa.token(claims)),
        ("ES256", &|claims| p256.token(claims)),
        ("EdDSA", &|claims| ed25519.token(claims)),
        (AGAIN, &|claims| p256.token(claims)),
    ];
    let script = Arc::new(Script {
        framing: Framing::WebSocket,
        until: vec!["{\"type\":\"pong\""],
        message: "{\"type\":\"newSale\"",
        number: "\"saleId\":",
    });
    run.interleave(&format!("tokens: {count} handshakes of each kind"), &[Peer::Pulso], |run, peer, place| {
        for (case, sign) in cases {
            let server = run.start(peer, Setting::Keys);
            let one = sign(&Claims::user(&town::user(0)));
            let seats = (0..count + WARM_UP as u32).map(|number| {
                let token = if case == AGAIN { one.clone() } else { sign(&Claims::user(&town::user(number))) };
                Seat::web_socket(&script, &format!("/ws?token={token}"), &[r#"{"type":"ping"}"#], 0)
            });
            let Connected { spent, .. } = connect_seats(&server, seats.collect(), |_| {});
            run.note("tokens", case, place, &[(CPU_CONNECT, spent.each(u64::from(count)))]);
        }
    });
}
