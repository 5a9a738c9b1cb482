//! What is written is read, and what nobody of ours wrote is told as that.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::{Canal, DeviceId, NegocioId, RestauranteId};

const NAMES: [&str; 2] = ["order:new", "item:status_changed"];

fn draft() -> impl Strategy<Value = Draft> {
    let id = prop_oneof![".{0,8}", Just("{a}:b:\0".to_owned()), Just("x".repeat(200))];
    let payload = prop_oneof![Just("{}".to_owned()), "[a-z ñ\"\\\\\n\0]{0,9}".prop_map(|text| format!("{text:?}"))];
    let payload = payload.prop_filter("JSON", |text| json(text).is_some());
    (id, 0..5, 0..3_usize, payload).prop_map(|(id, kind, name, payload)| {
        let channel = match kind {
            0 => Channel::Canal(Canal::new(NegocioId::new(&id), "n")),
            1 => Channel::Negocio(Some(NegocioId::new(&id))),
            2 => Channel::Restaurante(RestauranteId::new(&id)),
            3 => Channel::Device(DeviceId::new(&id)),
            _ => Channel::StaffOrders(None),
        };
        Draft::named(channel, ["", NAMES[0], NAMES[1]][name], payload)
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let answered = (100..600_u16, 0..9_u8).prop_map(|(status, n)| Answered { status, body: format!("{{\"n\":{n}}}") });
    let call = (".{0,9}", ".{0,9}", answered).prop_map(|(path, key, answered)| Keyed { path, key, answered });
    let events = (proptest::option::of(call), vec(draft(), 0..5)).prop_map(|(call, drafts)| Events { call, drafts });
    let numbers = any::<[u64; 8]>();
    let beat =
        (".{0,9}", ".{0,9}", any::<u8>(), any::<i64>(), numbers).prop_map(|(name, version, format, since, n)| {
            let position = Position { events: n[0], now: n[1] };
            Beat {
                name,
                version,
                format,
                count: n[2],
                since,
                clients: n[3],
                position,
                lag: n[7],
                fingerprints: [n[4], n[5], n[6]],
            }
        });
    prop_oneof![
        4 => events.prop_map(Entry::Events),
        1 => (".{0,9}", any::<i64>()).prop_map(|(user, at)| {
            Entry::Dismissed(Dismissal::User { user: UserId::new(&user), at })
        }),
        1 => ".{0,9}".prop_map(|id| Entry::Dismissed(Dismissal::Listeners(Channel::Device(DeviceId::new(&id))))),
        1 => ".{0,9}".prop_map(|tenant| Entry::Pending(Tenant::new(&tenant))),
        1 => (".{0,9}", proptest::option::of(".{0,9}")).prop_map(|(negocio, said)| {
            Entry::Told(Told { channel: Channel::Estadisticas(NegocioId::new(&negocio)), said })
        }),
        1 => Just(Entry::Anything),
        1 => beat.prop_map(Entry::Beat),
        1 => Just(Entry::Leave),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_with_another_first_id_it_is_the_same(
        entry in entry(), node in any::<u64>(), tag in any::<u64>(), first in 1..u64::MAX,
    ) {
        let node = NodeId(node);
        let body = write(*FORMATS.end(), node, tag, &entry);
        prop_assert_eq!(read(&body, &NAMES), Ok(Read { node, tag, first: None, entry: entry.clone() }));
        let again = with_first(&body, first);
        prop_assert_eq!(read(&again, &NAMES), Ok(Read { node, tag, first: Some(first), entry }));
    }

    #[test]
    fn no_piece_of_an_entry_is_an_entry(entry in entry(), length in any::<prop::sample::Index>()) {
        let body = write(1, NodeId(1), 7, &entry);
        let piece = body.slice(..length.index(body.len()));
        prop_assert_eq!(read(&piece, &NAMES), Err(Unreadable::Garbage));
        let mut longer = body.to_vec();
        longer.push(0);
        prop_assert_eq!(read(&longer.into(), &NAMES), Err(Unreadable::Garbage));
    }

    #[test]
    fn garbage_of_every_kind_is_read_as_nothing_worse(
        kind in prop::sample::select(&b"EDPBLx"[..]), noise in vec(any::<u8>(), 0..60),
    ) {
        let mut body = vec![*FORMATS.end(), kind];
        body.extend(noise);
        let _ = read(&with_first(&body.into(), 7), &NAMES);
    }
}

#[test]
fn lengths_that_lie_ask_for_no_memory() {
    let body = write(1, NodeId(1), 7, &Entry::Events(Events { call: None, drafts: Vec::new() }));
    let mut lie = body.to_vec();
    let count = lie.len() - 8;
    lie[count..].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(read(&lie.into(), &NAMES), Err(Unreadable::Garbage));
}

#[test]
fn what_a_newer_version_writes_is_unknown_and_no_garbage() {
    let body = write(1, NodeId(1), 7, &Entry::Leave);
    for (at, value) in [(0, FORMATS.end() + 1), (1, b'z')] {
        let mut newer = body.to_vec();
        newer[at] = value;
        assert_eq!(read(&newer.into(), &NAMES), Err(Unreadable::Unknown));
    }
}

#[test]
fn only_events_that_clients_can_be_sent_are_events() {
    let draft = |channel: Channel, event, payload: &str| Draft::named(channel, event, payload);
    for draft in [
        draft(Channel::Sync(Tenant::new("")), "", "{}"),
        draft(Channel::User(UserId::new("ana")), "", "{}"),
        draft(Channel::Negocio(None), "no name of ours", "{}"),
        draft(Channel::Negocio(None), "", "{"),
        draft(Channel::Negocio(None), "", "{}\u{0}"),
    ] {
        let body = write(1, NodeId(1), 7, &Entry::Events(Events { call: None, drafts: vec![draft.clone()] }));
        assert_eq!(read(&body, &NAMES), Err(Unreadable::Garbage), "{draft:?}");
    }
}
