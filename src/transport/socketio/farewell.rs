//! What becomes of a polling session that is over: its client hears of it by the request that waits, or by its next one.
//!
//! Must not know why.

use std::future::poll_fn;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::inbox::Answer;
use super::packet::CLOSE;
use super::polling::Polling;
use crate::hub::mailbox::{Mailbox, Next};
use crate::model::CloseReason;
use crate::publication::frame;
use crate::session::life::Ending;

/// How long the next request may take to come.
const PATIENCE: Duration = Duration::from_secs(2);

/// What waits is given where it is the node that leaves: who is ended for what it is or does gets nothing more.
pub(super) async fn say(ending: Ending, mut polling: Polling) {
    let mailbox = Arc::clone(polling.mailbox());
    polling.end_upgrade();
    mailbox.close(ending == Ending::Close(CloseReason::GoingAway));
    match ending {
        // It knows, has shown that it takes nothing or that there is nobody, or is told by the request that brought rubbish:
        // only a request that waits is answered.
        Ending::ByPeer | Ending::Lost | Ending::Close(CloseReason::SlowConsumer | CloseReason::Protocol) => {
            if let Some(get) = polling.take_held() {
                // Whether it still waits is its own affair.
                let _ = get.send(Answer::Packets(CLOSE.to_owned()));
            }
        }
        Ending::Close(_) | Ending::Breach(_) => {
            let _ = timeout(PATIENCE, close(&mut polling, &mailbox)).await;
        }
    }
}

async fn close(polling: &mut Polling, mailbox: &Mailbox) {
    let mut payload = polling.take_payload();
    loop {
        let get = poll_fn(|cx| polling.poll_get(cx)).await;
        while payload.has_room() {
            match poll_fn(|cx| mailbox.poll_last(cx)).await {
                Some(Next::Message(message, _)) => payload.push(frame::payload(mailbox.bytes_of_outgoing(&message))),
                Some(Next::Overflowed | Next::Dismissed(_)) | None => {
                    payload.push(CLOSE);
                    let _ = get.send(Answer::Packets(payload.into_body()));
                    return;
                }
            }
        }
        let _ = get.send(Answer::Packets(take(&mut payload).into_body()));
    }
}
