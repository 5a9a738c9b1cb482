//! Server-sent events: the lines of a stream.
//!
//! Must not know HTTP.

use bytes::Bytes;

/// One event. What was sent to a hook with line breaks in it is several lines of one event.
pub(super) fn event(payload: &str, id: Option<u64>) -> Bytes {
    let mut out = String::with_capacity(payload.len() + 40);
    if let Some(id) = id {
        out.push_str("id: ");
        out.push_str(&id.to_string());
        out.push('\n');
    }
    for line in payload.split(['\n', '\r']) {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out.into()
}

/// Where the client stands, which a browser keeps and does not show.
pub(super) fn position(id: u64) -> Bytes {
    format!("id: {id}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_in_a_payload_do_not_end_the_event() {
        assert_eq!(event("{\"a\":\n\r 1}", Some(7)), "id: 7\ndata: {\"a\":\ndata: \ndata:  1}\n\n");
        assert_eq!(event("{}", None), "data: {}\n\n");
    }
}
