//! One effect per key, whoever calls how often, within the bounds. The database's part is the store contract's.

use tokio::time::advance;

use super::*;

fn answered(body: &str) -> Answered {
    Answered { status: 200, body: body.to_owned() }
}

async fn first(memory: &Idempotency, key: &str) -> Ticket {
    match memory.begin("/notify/venta", key).await {
        Ok(Turn::First(ticket)) => ticket,
        other => panic!("unexpected {other:?}"),
    }
}

fn finish(memory: &Idempotency, ticket: Ticket, body: &str) {
    ticket.settle(&answered(body));
    assert!(memory.finish(ticket, answered(body)).is_none(), "there is no database");
}

async fn repeated(memory: &Idempotency, path: &str, key: &str) -> Option<String> {
    match memory.begin(path, key).await {
        Ok(Turn::Repeated(answered)) => Some(answered.body),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_repetition_is_answered_as_the_first_was_for_a_day() {
    let memory = Idempotency::new(None);
    let ticket = first(&memory, "k").await;
    finish(&memory, ticket, "one");
    assert_eq!(repeated(&memory, "/notify/venta", "k").await.as_deref(), Some("one"));
    assert_eq!(repeated(&memory, "/notify/mesa", "k").await, None);
    advance(REMEMBERED_FOR).await;
    assert_eq!(repeated(&memory, "/notify/venta", "k").await, None);
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_wait_for_the_first() {
    let memory = Arc::new(Idempotency::new(None));
    let ticket = first(&memory, "k").await;
    let others: Vec<_> = (0..5)
        .map(|_| {
            let memory = Arc::clone(&memory);
            tokio::spawn(async move { repeated(&memory, "/notify/venta", "k").await })
        })
        .collect();
    tokio::task::yield_now().await;
    finish(&memory, ticket, "one");
    for other in others {
        assert_eq!(other.await.unwrap().as_deref(), Some("one"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_leaves_its_turn_to_the_next() {
    let memory = Arc::new(Idempotency::new(None));
    let ticket = first(&memory, "k").await;
    let next = {
        let memory = Arc::clone(&memory);
        tokio::spawn(async move { first(&memory, "k").await })
    };
    tokio::task::yield_now().await;
    drop(ticket);
    finish(&memory, next.await.unwrap(), "two");
    assert_eq!(repeated(&memory, "/notify/venta", "k").await.as_deref(), Some("two"));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_settled_once() {
    let memory = Idempotency::new(None);
    let ticket = first(&memory, "k").await;
    ticket.settle(&answered("one"));
    ticket.settle(&answered("two"));
    assert_eq!(repeated(&memory, "/notify/venta", "k").await.as_deref(), Some("one"));
    assert_eq!(memory.answers.lock().order.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_the_oldest_is_forgotten() {
    let memory = Idempotency::new(None);
    for number in 0..=REMEMBERED {
        let ticket = first(&memory, &number.to_string()).await;
        finish(&memory, ticket, "x");
    }
    assert_eq!(repeated(&memory, "/notify/venta", "1").await.as_deref(), Some("x"));
    assert_eq!(repeated(&memory, "/notify/venta", "0").await, None);
}
