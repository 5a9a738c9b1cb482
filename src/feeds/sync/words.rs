//! Order synchronisation: what the cloud's API stores, what a restaurant's back end pulls, and what it confirms.
//!
//! The wire is fixed by the product's contract. Must not know where changes are kept nor what is pending.

use crate::json::{BadBody, Field, Fields, Problem, quoted};
use crate::model::{Confirmation, Entity, Pending};

/// The event that says that there is something to pull.
pub const CHANGES_PENDING: &str = "changes:pending";
/// The event that brings the orders which are pending, for who asks for them.
pub const ORDERS_PENDING: &str = "orders:pending";

/// A change as it came by the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The business that the caller names.
    pub tenant: Option<String>,
    pub entity: Entity,
    pub id: String,
    /// One JSON object, to the letter.
    pub payload: String,
}

/// What is stored is not what was let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored payload of {entity} {id:?} cannot be read: {why}", entity = entity.as_str())]
pub struct BadEntry {
    pub entity: Entity,
    pub id: String,
    pub why: BadBody,
}

/// The list of confirmations that is about it, and what an id is called in there.
fn confirmed_in(entity: Entity) -> (&'static str, &'static str) {
    match entity {
        Entity::Order => ("confirmedOrders", "orderId"),
        Entity::Customer => ("confirmedCustomerIds", "customerId"),
    }
}

/// The body of `POST /notify/sync`.
pub fn decode_change(body: &[u8]) -> Result<Change, BadBody> {
    let fields = Fields::read(body)?;
    let entity = match fields.required("entity")?.one_of(&Entity::ALL.map(Entity::as_str))? {
        "customer" => Entity::Customer,
        _ => Entity::Order,
    };
    let id = fields.required("id")?.id()?;
    let payload = fields.required("payload")?.object()?.raw().to_owned();
    let tenant = fields.optional("tenant").as_ref().map(Field::id).transpose()?;
    Ok(Change { tenant, entity, id, payload })
}

/// The body of `POST /sync/pull-changes`; whoever confirms nothing may send none.
pub fn decode_confirmations(body: &[u8]) -> Result<Vec<Confirmation>, BadBody> {
    if body.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let fields = Fields::read(body)?;
    let mut confirmations = Vec::new();
    for entity in Entity::ALL {
        let (list, _) = confirmed_in(entity);
        let Some(entries) = fields.optional(list) else { continue };
        for entry in entries.array()? {
            confirmations.push(confirmation(entity, &entry)?);
        }
    }
    Ok(confirmations)
}

/// The answer to a pull, in the entries' order.
pub fn encode_pull(entries: &[Pending]) -> Result<String, BadEntry> {
    let (orders, customers) = (list(entries, Entity::Order)?, list(entries, Entity::Customer)?);
    Ok(format!(r#"{{"pending_orders":[{}],"updated_customers":[{}]}}"#, orders.join(","), customers.join(",")))
}

/// The argument of [`ORDERS_PENDING`]: the orders among the entries.
pub fn encode_orders_pending(entries: &[Pending]) -> Result<String, BadEntry> {
    let orders = list(entries, Entity::Order)?;
    Ok(format!(r#"{{"count":{},"orders":[{}]}}"#, orders.len(), orders.join(",")))
}

/// An id, or an object with an id and the version that was dealt with.
fn confirmation(entity: Entity, entry: &Field<'_>) -> Result<Confirmation, BadBody> {
    if !entry.is_object() {
        let id = entry.id().map_err(|_| entry.must_be("an id or an object with an id"))?;
        return Ok(Confirmation { entity, id, version: None });
    }
    let fields = entry.object()?;
    let (_, own) = confirmed_in(entity);
    let mut ids = ["id", own].into_iter().filter_map(|name| fields.optional(name));
    let id = ids.next().ok_or_else(|| fields.wrong(own, Problem::Missing))?.id()?;
    if let Some(other) = ids.next()
        && other.id()? != id
    {
        return Err(other.wrong(Problem::Rule("and id differ")));
    }
    let version = match fields.optional("version") {
        None => None,
        Some(version) => {
            Some(version.integer()?.parse().map_err(|_| version.must_be("a version that was handed out"))?)
        }
    };
    Ok(Confirmation { entity, id, version })
}

fn list(entries: &[Pending], entity: Entity) -> Result<Vec<String>, BadEntry> {
    entries.iter().filter(|entry| entry.entity == entity).map(object).collect()
}

/// The stored object with `id` and `version` beside its own fields.
fn object(entry: &Pending) -> Result<String, BadEntry> {
    let bad = |why| BadEntry { entity: entry.entity, id: entry.id.clone(), why };
    let fields = Fields::read(entry.payload.as_bytes()).map_err(bad)?;
    let quoted = quoted(&entry.id);
    // 7 stays 7 for a client that compares strictly.
    let own = fields.optional("id").filter(|own| own.id().as_ref() == Ok(&entry.id));
    let id = own.as_ref().map_or(quoted.as_str(), Field::raw);
    Ok(fields.with(&[("id", id), ("version", &entry.version.to_string())]))
}

#[cfg(test)]
mod tests;
