//! The frames of a message are counted alike however their bytes arrive. First byte: most frames; second: piece.
#![no_main]

#[expect(dead_code, reason = "not all of it is fed")]
#[path = "../../src/transport/websocket/fragments.rs"]
mod fragments;

use fragments::Meter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [most, piece, wire @ ..] = input else { return };
    let (most, piece) = (usize::from(*most), usize::from(*piece).max(1));
    let passes = |piece: usize| {
        let mut meter = Meter::new(most);
        wire.chunks(piece).all(|bytes| meter.pass(bytes).is_ok())
    };
    let at_once = passes(wire.len().max(1));
    assert_eq!(at_once, passes(1));
    assert_eq!(at_once, passes(piece));
    // Every frame has two bytes at least.
    assert!(at_once || wire.len() > 2 * most);
});
