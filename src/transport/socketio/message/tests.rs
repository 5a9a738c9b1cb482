//! Packets as clients send them, and as they do not.

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Message<'_> {
    Message::parse(text).unwrap_or_else(|_| panic!("{text}"))
}

fn event(name: &str) -> What<'static> {
    What::Event(Some(name.to_owned()))
}

#[test]
fn every_packet_of_a_client_is_read_with_its_namespace() {
    for (text, namespace, what) in [
        ("0", "/", What::Connect(None)),
        ("0/sync", "/sync", What::Connect(None)),
        ("0/sync,", "/sync", What::Connect(None)),
        ("0/sync,{\"apiKey\":\"k\"}", "/sync", What::Connect(Some("{\"apiKey\":\"k\"}"))),
        ("0/,{}", "/", What::Connect(Some("{}"))),
        ("0{\"a\":[1,2]}", "/", What::Connect(Some("{\"a\":[1,2]}"))),
        ("0/sync?x=1,", "/sync?x=1", What::Connect(None)),
        ("0[1]", "/", What::Connect(Some("[1]"))),
        ("0\"text\"", "/", What::Connect(Some("\"text\""))),
        ("1", "/", What::Disconnect),
        ("1/sync,", "/sync", What::Disconnect),
        ("2[\"x\"]", "/", event("x")),
        ("2/sync,[\"sync:orders\",{\"a\":1}]", "/sync", event("sync:orders")),
        ("2[ \"\\u0078\" , 1]", "/", event("x")),
        ("2[5]", "/", What::Event(None)),
        ("2[\"\\ud83d\"]", "/", What::Event(None)),
        ("2", "/", What::Event(None)),
        ("217[\"x\"]", "/", event("x")),
        ("2/sync,99999999999999999999999[\"x\"]", "/sync", event("x")),
        ("35[1]", "/", What::Acknowledgement),
        ("3[]", "/", What::Acknowledgement),
        ("4{\"message\":\"x\"}", "/", What::Refusal),
    ] {
        assert_eq!(parsed(text), Message { namespace, what, attachments: 0 }, "{text}");
    }
}

#[test]
fn attachments_are_counted_and_bounded() {
    for (text, attachments) in [
        ("51-[\"x\",{\"_placeholder\":true,\"num\":0}]", 1),
        ("510-[\"x\"]", 10),
        ("52-/sync,7[\"x\"]", 2),
        ("61-9[{\"_placeholder\":true,\"num\":0}]", 1),
    ] {
        assert_eq!(parsed(text).attachments, attachments, "{text}");
    }
    for text in ["5[\"x\"]", "5-[\"x\"]", "50-[\"x\"]", "511-[\"x\"]", "5100000-[\"x\"]", "5+1-[\"x\"]", "51", "6"] {
        assert_eq!(Message::parse(text), Err(Malformed), "{text}");
    }
}

#[test]
fn what_the_original_refuses_is_no_packet() {
    for text in [
        "",
        "7[]",
        "9",
        "x",
        "é",
        "0{\"token\":",
        "0{} {}",
        "0sync,{}",
        "1{}",
        "2{",
        "2{}",
        "2[]",
        "2[null]",
        "2[{}]",
        "2abc[\"x\"]",
        "2[\"x",
        "2[\"disconnect\"]",
        "2[\"connect\"]",
        "3{}",
        "3x",
    ] {
        assert_eq!(Message::parse(text), Err(Malformed), "{text}");
    }
    let deep = format!("2[\"x\",{}", "[".repeat(10_000));
    assert_eq!(Message::parse(&deep), Err(Malformed));
    let closed = format!("{deep}{}]", "]".repeat(10_000));
    assert_eq!(parsed(&closed).what, event("x"));
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "[0-9]?[0-9/,-]{0,4}.{0,40}") {
        if let Ok(message) = Message::parse(&text) {
            prop_assert!(text.contains(message.namespace) || message.namespace == "/");
            prop_assert!(message.attachments <= MOST_ATTACHMENTS);
        }
    }

    #[test]
    fn the_name_of_an_event_is_the_one_it_was_given(name in ".{0,20}", number in 0..1_000_000_u64, rest in 0..9_i32) {
        prop_assume!(!RESERVED.contains(&name.as_str()));
        let text = format!("2/sync,{number}{}", serde_json::json!([name.clone(), rest]));
        prop_assert_eq!(parsed(&text).what, What::Event(Some(name)));
    }
}
