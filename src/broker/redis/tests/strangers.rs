//! What somebody else writes into our keys: it is skipped, or named, and gone when it is gone.

use super::*;

#[tokio::test]
async fn entries_of_strangers_are_skipped_once_and_later_ones_arrive() {
    let server = Server::start();
    let line = way_to(&server).dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let mut position = Position::default();
    append(&*line, &identity, "one").await.unwrap();
    assert_eq!(read_on(&*line, &mut position).await, ["one"]);
    for fields in [&["x", "y"][..], &["b", ""], &["b", "1", "b", "2"], &["b", "not ours"]] {
        server.say(&[&["XADD", "{pulso}:events", "*"], fields].concat());
    }
    server.say(&["XADD", "{pulso}:now", "*", "b", "stranger"]);
    // What has our one field under an id of its own is for those who know what an entry says.
    assert_eq!(read_on(&*line, &mut position).await, ["stranger", "", "", "", ""]);
    append(&*line, &identity, "two").await.unwrap();
    assert_eq!(read_on(&*line, &mut position).await, ["two"]);
    let fresh = way_to(&server).dial().await.unwrap();
    let all = read_on(&*fresh, &mut Position::default()).await;
    assert_eq!(all, ["stranger", "one", "", "", "", "", "two"]);
}

#[tokio::test]
async fn an_id_somewhat_ahead_is_gone_behind() {
    let server = Server::start();
    let line = way_to(&server).dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let ahead = identity.now + 3_600_000_000;
    for stream in ["{pulso}:events", "{pulso}:now"] {
        server.say(&["XADD", stream, &format!("{ahead}-7"), "b", "from tomorrow"]);
    }
    let id = append(&*line, &identity, "ours").await.unwrap();
    assert!(id > ahead);
    assert_eq!(read_on(&*line, &mut Position::default()).await.last().unwrap(), "ours");
}

#[tokio::test]
async fn an_id_behind_which_none_would_fit_begins_the_log_anew() {
    let server = Server::start();
    let (line, reader) = (way_to(&server).dial().await.unwrap(), way_to(&server).dial().await.unwrap());
    let identity = line.identity().await.unwrap();
    append(&*line, &identity, "before").await.unwrap();
    let last = format!("{}-{}", u64::MAX, u64::MAX);
    server.say(&["XADD", "{pulso}:events", &last, "b", "the last of all"]);
    assert_eq!(append(&*line, &identity, "refused").await, Err(Trouble::Reborn));
    let anew = line.identity().await.unwrap();
    assert_ne!(anew.born, identity.born);
    append(&*line, &anew, "after").await.unwrap();
    let mut position = Position::default();
    assert_eq!(read_on(&*reader, &mut position).await, ["after"]);

    // Whoever reads it first begins it anew too; nothing of it moves the reader.
    reader.identity().await.unwrap();
    let before = position;
    server.say(&["XADD", "{pulso}:events", &last, "b", "the last of all"]);
    let read = reader.read(position, 10, Duration::ZERO).await.unwrap();
    assert!(read.len() == 1 && read[0].body.is_empty() && read[0].id == before.events, "{read:?}");
    assert_eq!(append(&*line, &anew, "refused").await, Err(Trouble::Reborn));
    let again = line.identity().await.unwrap();
    append(&*line, &again, "at last").await.unwrap();
    assert_eq!(read_on(&*reader, &mut position).await, ["at last"]);

    // What is worth nothing later is simply begun anew.
    server.say(&["XADD", "{pulso}:now", &last, "b", "the last of all"]);
    let body = Bytes::from_static(b"beat");
    let beat =
        Append { stream: Stream::Now, body: &body, ids: 1, floor: 0, born: &again.born, call: None, watched: None };
    assert!(matches!(line.append(beat).await, Ok(Appended::At { .. })));
}

#[tokio::test]
async fn another_type_in_a_key_of_ours_is_named_and_healed_when_it_is_gone() {
    let server = Server::start();
    let line = way_to(&server).dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let ana = NodeId(1);
    let (topics, lasting) = (["7".to_owned()], Duration::from_secs(9));
    let answer = Bytes::from_static(b"{}");
    for key in [
        "meta",
        "events",
        "now",
        "calls",
        "calls:order",
        "dismissed",
        "nodes",
        "watch:7",
        "duty:ear",
        "clients:0000000000000001",
    ] {
        let ask = async || -> Result<(), Trouble> {
            let born = &line.identity().await?.born;
            let call = Some(Call { name: "n", answer: &answer });
            let stream = Stream::Events;
            line.append(Append { stream, body: &answer, ids: 1, floor: 0, born, call, watched: Some("7") }).await?;
            line.read(Position::default(), 10, Duration::ZERO).await?;
            line.dismissed().await?;
            line.watch(&topics, ana, lasting).await?;
            line.tell_listeners(ana, &[("c".to_owned(), 1)], lasting).await?;
            line.hold("ear", ana, lasting).await?;
            Ok(())
        };
        let key = format!("{{pulso}}:{key}");
        server.say(&["DEL", &key]);
        // A string is no stream, and a list is no string.
        if key.contains("duty") {
            server.say(&["LPUSH", &key, "x"])
        } else {
            server.say(&["SET", &key, "x"])
        };
        let trouble = ask().await.unwrap_err();
        assert!(matches!(trouble, Trouble::Foreign(_)) && !trouble.ends_the_line(), "{key}: {trouble:?}");
        server.say(&["DEL", &key]);
        assert_eq!(ask().await, Ok(()), "{key}");
        server.say(&["FLUSHALL"]);
    }
    assert_ne!(line.identity().await.unwrap().born, identity.born);
}

#[tokio::test]
async fn a_stream_of_events_that_was_taken_away_or_evicted_is_a_log_that_began_anew() {
    let server = Server::start();
    let line = way_to(&server).dial().await.unwrap();
    let before = line.identity().await.unwrap();
    assert_eq!(line.identity().await.unwrap().born, before.born);
    let first = append(&*line, &before, "one").await.unwrap();
    for taken in [&["DEL", "{pulso}:events"][..], &["RENAME", "{pulso}:events", "{pulso}:old"]] {
        let before = line.identity().await.unwrap();
        server.say(taken);
        assert_eq!(append(&*line, &before, "two").await, Err(Trouble::Reborn), "{taken:?}");
        let anew = line.identity().await.unwrap();
        assert!(anew.born != before.born && anew.newest >= first, "{taken:?}");
        let id = append(&*line, &anew, "two").await.unwrap();
        assert!(id > first);
        // Also where nobody appends before it is asked for.
        server.say(&["DEL", "{pulso}:events"]);
        assert_ne!(line.identity().await.unwrap().born, anew.born);
        let again = line.identity().await.unwrap();
        append(&*line, &again, "three").await.unwrap();
    }
    // What was trimmed is another matter: it is there, and what is not in it was there.
    let before = line.identity().await.unwrap();
    server.say(&["XTRIM", "{pulso}:events", "MAXLEN", "0"]);
    append(&*line, &before, "four").await.unwrap();
    assert_eq!(line.identity().await.unwrap().born, before.born);
}

#[tokio::test]
async fn strange_values_in_our_keys_are_no_numbers_and_no_answers() {
    let server = Server::start();
    let line = way_to(&server).dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let ana = NodeId(1);
    for last in ["", "abc", "-5", "1e300", "nan", "99999999999999999999", "1.5"] {
        server.say(&["HSET", "{pulso}:meta", "last", last, "register:era", last]);
        let id = append(&*line, &identity, "x").await.unwrap();
        assert!(id < identity.now + 60_000_000, "{last}: {id}");
        server.say(&["HSET", "{pulso}:meta", "register:era", last]);
        assert_eq!(line.raise("era", 5).await.unwrap(), 5, "{last}");
    }
    server.say(&["HSET", "{pulso}:calls", "n", "garbage"]);
    server.say(&["LPUSH", "{pulso}:calls:order", "garbage"]);
    let answer = Bytes::from_static(b"{}");
    let call = Some(Call { name: "n", answer: &answer });
    let stream = Stream::Events;
    let keyed = Append { stream, body: &answer, ids: 1, floor: 0, born: &identity.born, call, watched: None };
    assert!(matches!(line.append(keyed).await.unwrap(), Appended::At { .. }));
    assert_eq!(line.append(keyed).await.unwrap(), Appended::Repeated(answer.clone()));

    server.say(&["ZADD", "{pulso}:dismissed", "inf", "u1", "1.5", "u2", "7", "u3"]);
    assert_eq!(line.dismissed().await.unwrap(), [("u3".to_owned(), 7)]);
    server.say(&["ZADD", "{pulso}:nodes", "inf", "nobody"]);
    server.say(&["HSET", "{pulso}:clients:nobody", "c", "many"]);
    assert_eq!(line.listeners(&["c".to_owned()], ana).await.unwrap(), [0]);
    // Ours always run out: what does not is nobody's.
    server.say(&["SET", "{pulso}:duty:ear", "somebody"]);
    assert!(line.hold("ear", ana, Duration::from_secs(9)).await.unwrap());
    // No mark of ours, whatever bytes it has.
    for born in
        ["''", "'x'", r"'\255\0{}'", r"string.rep('\233', 32)", "string.rep('a', 33)", "string.rep('x', 100000)"]
    {
        let set = format!("redis.call('HSET', KEYS[1], 'born', {born})");
        server.say(&["EVAL", &set, "1", "{pulso}:meta"]);
        let anew = line.identity().await.unwrap();
        append(&*line, &anew, "said again").await.unwrap();
    }
}

#[tokio::test]
async fn the_newest_calls_are_remembered_and_the_oldest_is_forgotten() {
    let server = Server::start();
    let line = way_to(&server).dial().await.unwrap();
    let identity = line.identity().await.unwrap();
    let fill = "for n = 1, 100000 do local at = string.format('%016.0f', tonumber(ARGV[1]) + n) \
                redis.call('HSET', KEYS[1], 'k' .. n, at .. 'a') redis.call('LPUSH', KEYS[2], at .. 'k' .. n) end";
    let since = (identity.now - 3_600_000_000).to_string();
    server.say(&["EVAL", fill, "2", "{pulso}:calls", "{pulso}:calls:order", &since]);
    let answer = Bytes::from_static(b"new");
    let named = |name| Append {
        stream: Stream::Events,
        body: &answer,
        ids: 1,
        floor: 0,
        born: &identity.born,
        call: Some(Call { name, answer: &answer }),
        watched: None,
    };
    assert_eq!(line.append(named("k100000")).await.unwrap(), Appended::Repeated(Bytes::from_static(b"a")));
    assert!(matches!(line.append(named("fresh")).await.unwrap(), Appended::At { .. }));
    assert_eq!(server.say(&["HLEN", "{pulso}:calls"]), "100000");
    assert!(matches!(line.append(named("k1")).await.unwrap(), Appended::At { .. }));
    assert_eq!(line.append(named("k3")).await.unwrap(), Appended::Repeated(Bytes::from_static(b"a")));

    // A day later.
    let old = format!("{:016}x", identity.now - 24 * 3_600_000_000);
    server.say(&["HSET", "{pulso}:calls", "old", &old]);
    assert!(matches!(line.append(named("old")).await.unwrap(), Appended::At { .. }));
}
