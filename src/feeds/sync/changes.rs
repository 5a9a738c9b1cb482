//! What a back end of `/sync` asks of the database: whether anything is pending when it connects, and its orders.
//!
//! One question at a time, and again until it is answered.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Sleep, sleep};
use tracing::{error, warn};

use crate::database::Database;
use crate::feeds::sync::words::encode_orders_pending;
use crate::model::Tenant;
use crate::model::{Entity, Pending};
use crate::store::StoreError;
use crate::store::outbox::Handed;

/// How long after a question that could not be answered it is put again.
const RETRY: Duration = Duration::from_secs(2);

/// Something to tell the client.
#[derive(Debug)]
pub enum News {
    /// Changes are pending.
    Pending,
    /// The orders among them, as JSON.
    Orders(String),
}

pub struct Changes {
    database: Arc<Database>,
    tenant: Tenant,
    /// Orders told at once.
    most: u32,
    /// Asked for by the client and not answered yet. Asking twice before the answer is begun is asking once.
    is_wanted: bool,
    /// What is pending since before it connected is not known yet.
    looks: bool,
    asking: Option<Asking>,
    /// After a question that could not be answered.
    pause: Option<Pin<Box<Sleep>>>,
    /// The last question could not be.
    is_failing: bool,
}

enum Asking {
    Look(BoxFuture<'static, Result<bool, StoreError>>),
    Orders(BoxFuture<'static, Result<Vec<Pending>, StoreError>>),
}

impl Changes {
    /// Of a back end that has just connected. `most`: orders told at once.
    pub fn new(database: &Arc<Database>, tenant: Tenant, most: u32) -> Self {
        let database = Arc::clone(database);
        Self { database, tenant, most, is_wanted: false, looks: true, asking: None, pause: None, is_failing: false }
    }

    /// The client wants its pending orders.
    pub fn ask(&mut self) {
        self.is_wanted = true;
    }

    /// Something may have become pending of which it has not been told.
    pub fn look(&mut self) {
        self.looks = true;
    }

    /// What the database has to say.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let answered = match &mut self.asking {
                None => {
                    self.asking = Some(match self.next_question() {
                        Some(asking) => asking,
                        None => return Poll::Pending,
                    });
                    continue;
                }
                Some(Asking::Look(asking)) => ready!(asking.as_mut().poll(cx)).map(|pending| {
                    self.looks = false;
                    pending.then_some(News::Pending)
                }),
                Some(Asking::Orders(asking)) => ready!(asking.as_mut().poll(cx)).map(|entries| self.orders(&entries)),
            };
            let asked = self.asking.take();
            let was_failing = std::mem::replace(&mut self.is_failing, answered.is_err());
            match answered {
                Ok(Some(news)) => return Poll::Ready(news),
                Ok(None) => {}
                Err(failure) => {
                    if !was_failing {
                        warn!(tenant = self.tenant.as_str(), %failure, "what is pending cannot be told; asking again");
                    }
                    if matches!(asked, Some(Asking::Orders(_))) {
                        self.is_wanted = true;
                    }
                    self.pause = Some(Box::pin(sleep(RETRY)));
                }
            }
        }
    }

    fn next_question(&mut self) -> Option<Asking> {
        let (database, tenant, most) = (Arc::clone(&self.database), self.tenant.clone(), self.most);
        if self.looks {
            return Some(Asking::Look(Box::pin(async move { database.has_pending(tenant.as_str()).await })));
        }
        mem::take(&mut self.is_wanted).then(|| {
            Asking::Orders(Box::pin(async move {
                database.pull(tenant.as_str(), &[], Handed::Event, Some(Entity::Order), most).await
            }))
        })
    }

    fn orders(&self, entries: &[Pending]) -> Option<News> {
        encode_orders_pending(entries)
            .inspect_err(|bad| error!(tenant = self.tenant.as_str(), "{bad}"))
            .ok()
            .map(News::Orders)
    }
}
