//! Which of the devices in a database's answer were asked for. Both stores use it.
//!
//! Names are compared as their column spells them; what goes back is spelt as it was asked.

use std::collections::{HashMap, HashSet};

use super::Device;
use crate::model::IdType;

/// A question for devices, ready to be bound.
pub(super) struct Asked<'a> {
    /// From the columns' spelling to the names that meant it.
    uids: HashMap<String, Vec<&'a str>>,
    ids: HashSet<String>,
}

impl<'a> Asked<'a> {
    /// Leaves out what the columns, of these types, cannot hold: there is no such device.
    pub(super) fn new(uids: &'a [String], uid: IdType, ids: &'a [String], id: IdType) -> Self {
        let mut spelt: HashMap<_, Vec<&str>> = HashMap::with_capacity(uids.len());
        for asked in uids {
            if let Some(name) = uid.canonical(asked) {
                let names = spelt.entry(name).or_default();
                if !names.contains(&asked.as_str()) {
                    names.push(asked);
                }
            }
        }
        Self { uids: spelt, ids: ids.iter().filter_map(|asked| id.canonical(asked)).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.uids.is_empty() && self.ids.is_empty()
    }

    pub(super) fn uids(&self) -> Vec<&str> {
        self.uids.keys().map(String::as_str).collect()
    }

    pub(super) fn ids(&self) -> Vec<&str> {
        self.ids.iter().map(String::as_str).collect()
    }

    /// Those of `found` that were asked for: a query of the operator's own may return more.
    pub(super) fn confirmed(&self, found: impl Iterator<Item = Device>) -> Vec<Device> {
        found.flat_map(|device| self.as_asked(device)).collect()
    }

    fn as_asked(&self, device: Device) -> Vec<Device> {
        match self.uids.get(&device.uid) {
            Some(names) => names.iter().map(|name| Device { uid: (*name).to_owned(), ..device.clone() }).collect(),
            None if self.ids.contains(&device.id) => vec![device],
            None => Vec::new(),
        }
    }
}
