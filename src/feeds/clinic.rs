//! A clinic's orders: its staff and its kiosks.

pub mod devices;
mod hook;
pub mod listen;
mod watch;
pub mod words;

use std::sync::Arc;

use super::definition::{Definition, Need, Start, Table};
use super::listening::{Socket, Stream};

pub const FEED: Definition = Definition {
    word: "clinic",
    older_words: &[],
    about: "a clinic's orders: new ones for its staff, what becomes of them for the kiosk that ordered",
    needs: &[Need::Tokens, Need::HookKey],
    tables: &[Table::Devices],
    hooks: &[hook::NEW_ORDER, hook::STATUS_CHANGED],
    hears: &hook::HEARD,
    types: &[words::NEW_ORDER, words::STATUS_CHANGED],
    is_on_dashboards: false,
    is_named_on_dashboards: true,
    sockets: &[
        Socket { path: "/ws/staff/orders/", listening: listen::STAFF },
        Socket { path: "/ws/kiosk/orders/", listening: listen::KIOSK },
    ],
    namespaces: &[],
    streams: &[
        Stream { form: "staff_orders", is: |text| text == "staff_orders", listening: listen::STAFF },
        Stream { form: "device", is: |text| text == "device", listening: listen::KIOSK },
    ],
    start,
};

fn start(with: &Start<'_>) {
    let node = with.node;
    with.workers.spawn("the answering of questions about devices", with.stop, |stop| {
        Arc::clone(&node.devices).answer_questions(Arc::clone(&node.database), stop)
    });
    with.workers.spawn("the watch over devices", with.stop, |stop| {
        let (hub, broker) = (Arc::clone(&node.hub), Arc::clone(&node.broker));
        watch::keep_watch(hub, broker, Arc::clone(&node.database), with.clinic.device_recheck, stop)
    });
}
