//! The live queries of a node: as they are defined now, and how each stands with the database.
//!
//! Must not know who watches one, nor how it is read.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use super::{Hint, LiveQuery};
use crate::model::{Consulta, Defined, QueryName};
use crate::store::Learnt;

/// Why a query is off of which the database says nothing.
const NOT_IN_TIME: &str = "the database does not say in time what it returns: it waits for a lock, or is slow";

/// All of them. Empty where nobody has defined any.
#[derive(Debug, Default)]
pub struct Queries {
    set: RwLock<Set>,
    /// Counts what others have to look at again: a reload, and a query that stands otherwise than before.
    changes: watch::Sender<u64>,
    doubted: Mutex<HashSet<QueryName>>,
    /// Wakes who learns what is new or doubted.
    wanted: Notify,
    consequences: OnceLock<Consequences>,
}

/// Told which queries are not what they were.
pub type Told = Box<dyn Fn(&HashSet<QueryName>) + Send + Sync>;

/// What it has for others that queries are defined otherwise, or not any more.
pub struct Consequences {
    /// Whoever watches one hears nothing of it. Must not ask about queries.
    pub silence: Told,
    /// What was read is forgotten, and what is being read.
    pub forget: Told,
}

#[derive(Debug, Default)]
struct Set {
    /// How often it was replaced.
    edition: u64,
    lives: HashMap<QueryName, Arc<Live>>,
    hooked: HashMap<&'static str, Vec<QueryName>>,
    listening: HashMap<Box<str>, Vec<QueryName>>,
}

/// One live query, and how it stands.
#[derive(Clone, Debug)]
pub struct Live {
    pub query: Arc<LiveQuery>,
    /// Of which replacement its definition is: who watched an earlier one that said the same has been silenced since.
    pub edition: u64,
    pub standing: Standing,
    /// What was last found out about it, also while it is off.
    pub learnt: Option<Arc<Learnt>>,
}

/// How a live query stands with the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The database has not been asked yet, or has not answered.
    Unknown,
    On(Arc<Learnt>),
    /// It refuses the query, for this reason.
    Off(String),
}

impl Queries {
    pub fn new(queries: impl IntoIterator<Item = Arc<LiveQuery>>) -> Self {
        let unknown = |query| Live { query, edition: 0, standing: Standing::Unknown, learnt: None };
        let set = Set::of(queries.into_iter().map(|query| Arc::new(unknown(query))));
        Self { set: RwLock::new(set), ..Self::default() }
    }

    /// From now on every reload has these. There is one such in the life of a registry.
    pub fn heed(&self, consequences: Consequences) {
        let _ = self.consequences.set(consequences);
    }

    pub fn find(&self, name: &QueryName) -> Option<Arc<Live>> {
        self.read().lives.get(name).cloned()
    }

    /// All, in the order of their names.
    pub fn all(&self) -> Vec<Arc<Live>> {
        let mut all: Vec<_> = self.read().lives.values().cloned().collect();
        all.sort_unstable_by(|one, other| one.query.name.cmp(&other.query.name));
        all
    }

    /// The names of those that are off.
    pub fn off(&self) -> Vec<String> {
        let set = self.read();
        let off = set.lives.values().filter(|live| live.off().is_some());
        let mut names: Vec<String> = off.map(|live| live.query.name.as_str().to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Those whose `hints` name the hook at this path.
    pub fn hinted_by(&self, path: &str) -> Vec<Arc<Live>> {
        let set = self.read();
        set.hooked.get(path).into_iter().flatten().filter_map(|name| set.lives.get(name)).cloned().collect()
    }

    /// Those whose `hints` name this subject of `HINTS_CHANNEL`.
    pub fn listening_to(&self, subject: &str) -> Vec<Arc<Live>> {
        let set = self.read();
        set.listening.get(subject).into_iter().flatten().filter_map(|name| set.lives.get(name)).cloned().collect()
    }

    /// Puts other definitions in the place of these. One that says what it said before stands as it stood. Of all others whoever
    /// watches one is silenced before anybody sees the new definitions, then what was read is forgotten, and then everybody is
    /// told to look again.
    pub fn replace(&self, queries: impl IntoIterator<Item = Arc<LiveQuery>>) {
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let edition = set.edition + 1;
        let of_now = |query: Arc<LiveQuery>| match set.lives.get(&query.name) {
            Some(live) if live.query.fingerprint == query.fingerprint => Arc::clone(live),
            _ => Arc::new(Live { query, edition, standing: Standing::Unknown, learnt: None }),
        };
        let replaced = Set { edition, ..Set::of(queries.into_iter().map(of_now)) };
        let is_as_before = |name: &&QueryName| {
            let of = |set: &Set| set.lives.get(*name).map(|live| live.query.fingerprint);
            of(&set) == of(&replaced)
        };
        // What is new too: something may be left of one that had its name before.
        let changed =
            set.lives.keys().chain(replaced.lives.keys()).filter(|name| !is_as_before(name)).cloned().collect();
        *set = replaced;
        // Under the lock, so that nobody joins by what was defined before.
        self.consequences.get().inspect(|consequences| (consequences.silence)(&changed));
        drop(set);
        self.consequences.get().inspect(|consequences| (consequences.forget)(&changed));
        self.changes.send_modify(|changes| *changes += 1);
        self.wanted.notify_one();
    }

    /// Does something if a query is still what it was when somebody asked for it, and before it can be anything else. What is
    /// done must not ask about queries.
    pub fn while_defined<T>(&self, defined: &Defined, act: impl FnOnce() -> T) -> Option<T> {
        let set = self.read();
        let live = set.lives.get(defined.consulta().query())?;
        (live.edition == defined.edition()).then(act)
    }

    /// Follows reloads, and queries that come to stand otherwise.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether the database has still to be asked about a query of this name.
    pub fn is_unknown(&self, name: &QueryName) -> bool {
        self.read().lives.get(name).is_some_and(|live| live.is_unknown())
    }

    /// Waits until the database has been asked about a query, if there is one of this name.
    pub async fn until_known(&self, name: &QueryName) {
        let mut changes = self.changes();
        while self.is_unknown(name) && changes.changed().await.is_ok() {}
    }

    /// A read found that the query is not what it was thought to be: it is to be learnt again.
    pub fn doubt(&self, name: &QueryName) {
        self.doubted().insert(name.clone());
        self.wanted.notify_one();
    }

    /// Waits until something is doubted, or defined anew.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// What has been doubted since the last time.
    pub(super) fn take_doubted(&self) -> HashSet<QueryName> {
        std::mem::take(&mut *self.doubted())
    }

    /// Notes how a query stands, unless its name means another by now.
    pub(super) fn note(&self, query: &Arc<LiveQuery>, standing: Standing) {
        self.note_if(query, standing, |_| true);
    }

    /// The database did not say in time how a query stands: what it said before holds. One of which it has said nothing cannot be
    /// read, and whoever wants it is to know.
    pub(super) fn note_silence(&self, query: &Arc<LiveQuery>) {
        self.note_if(query, Standing::Off(NOT_IN_TIME.to_owned()), |live| live.standing == Standing::Unknown);
    }

    fn note_if(&self, query: &Arc<LiveQuery>, standing: Standing, is_news: impl FnOnce(&Live) -> bool) {
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let Some(live) = set.lives.get_mut(&query.name).filter(|live| Arc::ptr_eq(&live.query, query)) else {
            return;
        };
        if live.standing == standing || !is_news(live) {
            return;
        }
        let name = query.name.as_str();
        let learnt = match &standing {
            Standing::On(learnt) => {
                info!(query = name, "this live query can be read");
                Some(Arc::clone(learnt))
            }
            Standing::Off(reason) => {
                warn!(query = name, reason, "this live query is off, and is tried again every 30 s");
                live.learnt.clone()
            }
            Standing::Unknown => live.learnt.clone(),
        };
        *live = Arc::new(Live { query: Arc::clone(query), edition: live.edition, standing, learnt });
        drop(set);
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Set> {
        self.set.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn doubted(&self) -> std::sync::MutexGuard<'_, HashSet<QueryName>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Set {
    fn of(lives: impl IntoIterator<Item = Arc<Live>>) -> Self {
        let mut set = Self::default();
        for live in lives {
            let name = &live.query.name;
            for hint in &live.query.hints {
                match hint {
                    Hint::Hook(path) => set.hooked.entry(path).or_default().push(name.clone()),
                    Hint::Listen(subject) => set.listening.entry(subject.clone()).or_default().push(name.clone()),
                }
            }
            set.lives.insert(name.clone(), live);
        }
        set
    }
}

impl Live {
    /// What is read for this key, in the key's one form. `None` for a key that the query cannot have, and while its type is
    /// not known.
    pub fn consulta(&self, raw_key: Option<&str>) -> Option<Consulta> {
        let name = self.query.name.clone();
        let Some(raw) = raw_key else { return (!self.query.is_keyed).then(|| Consulta::new(name, None)) };
        if !self.query.is_keyed {
            return None;
        }
        let key = self.learnt.as_ref()?.key?.canonical(raw)?;
        Some(Consulta::new(name, Some(&key)))
    }

    /// Whether nothing is known of it yet.
    pub fn is_unknown(&self) -> bool {
        self.standing == Standing::Unknown && self.learnt.is_none()
    }

    /// Why it cannot be read, where the database refuses it.
    pub fn off(&self) -> Option<&str> {
        match &self.standing {
            Standing::Off(reason) => Some(reason),
            Standing::On(_) | Standing::Unknown => None,
        }
    }
}

impl fmt::Debug for Consequences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consequences").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IdType;
    use crate::queries::tests::query;

    fn learnt(key: Option<IdType>) -> Standing {
        Standing::On(Arc::new(Learnt { key, columns: Vec::new() }))
    }

    fn name(text: &str) -> QueryName {
        QueryName::parse(text).unwrap()
    }

    #[test]
    fn a_key_has_one_form_once_its_type_is_known() {
        let queries = Queries::new([query("cocina")]);
        let live = || queries.find(&name("cocina")).unwrap();
        assert_eq!(live().consulta(Some("007")), None);
        queries.note(&live().query, learnt(Some(IdType::Int4)));
        assert_eq!(live().consulta(Some("007")), Some(Consulta::new(name("cocina"), Some("7"))));
        assert_eq!((live().consulta(Some("x")), live().consulta(None)), (None, None));
        queries.note(&live().query, Standing::Off("gone".to_owned()));
        assert_eq!(
            live().consulta(Some("007")),
            Some(Consulta::new(name("cocina"), Some("7"))),
            "known while it is off"
        );
    }

    #[test]
    fn a_query_without_a_key_is_named_by_itself_alone() {
        let mut unkeyed = LiveQuery::clone(&query("total"));
        unkeyed.is_keyed = false;
        let queries = Queries::new([Arc::new(unkeyed)]);
        let live = queries.find(&name("total")).unwrap();
        assert_eq!(live.consulta(None), Some(Consulta::new(name("total"), None)));
        assert_eq!(live.consulta(Some("a")), None);
    }

    #[test]
    fn a_reload_keeps_what_is_known_of_what_has_not_changed() {
        let queries = Queries::new([query("a"), query("b"), query("c")]);
        for live in queries.all() {
            queries.note(&live.query, learnt(None));
        }
        let mut changes = queries.changes();
        changes.borrow_and_update();
        let mut other = LiveQuery::clone(&query("b"));
        other.fingerprint += 1;
        // What is new too: something may be left of one that had its name before.
        let otherwise = [name("b"), name("c"), name("d")];
        let touched = || {
            let otherwise = HashSet::from(otherwise.clone());
            Box::new(move |names: &HashSet<QueryName>| assert_eq!(*names, otherwise))
        };
        queries.heed(Consequences { silence: touched(), forget: touched() });
        queries.replace([query("a"), Arc::new(other), query("d")]);
        assert!(changes.has_changed().unwrap());
        let standing = |text: &str| queries.find(&name(text)).map(|live| live.standing.clone());
        assert_eq!(standing("a"), Some(learnt(None)));
        assert_eq!((standing("b"), standing("c")), (Some(Standing::Unknown), None));
        assert_eq!(standing("d"), Some(Standing::Unknown));
    }

    #[test]
    fn who_asked_for_a_definition_that_was_replaced_and_came_back_has_another() {
        let queries = Queries::new([query("a"), query("b")]);
        let defined =
            |text: &str| Defined::new(Consulta::new(name(text), None), queries.find(&name(text)).unwrap().edition);
        let before = [defined("a"), defined("b")];
        let mut other = LiveQuery::clone(&query("a"));
        other.fingerprint += 1;
        for a in [Arc::new(other), query("a")] {
            queries.replace([a, query("b")]);
        }
        let is_it = |defined: &Defined| queries.while_defined(defined, || ()).is_some();
        assert_eq!(before.each_ref().map(is_it), [false, true]);
        assert!(is_it(&defined("a")));
    }

    #[test]
    fn what_was_learnt_of_a_definition_that_is_no_more_is_let_go() {
        let queries = Queries::new([query("a")]);
        let before = Arc::clone(&queries.find(&name("a")).unwrap().query);
        let mut other = LiveQuery::clone(&before);
        other.fingerprint += 1;
        queries.replace([Arc::new(other)]);
        queries.note(&before, learnt(None));
        assert_eq!(queries.find(&name("a")).unwrap().standing, Standing::Unknown);
    }

    #[test]
    fn silence_turns_off_what_is_not_known_and_nothing_else() {
        let queries = Queries::new([query("a"), query("b")]);
        let live = |text: &str| queries.find(&name(text)).unwrap();
        queries.note(&live("b").query, learnt(None));
        for text in ["a", "b"] {
            queries.note_silence(&live(text).query);
        }
        assert!(live("a").off().is_some() && !live("a").is_unknown());
        assert_eq!((live("b").standing.clone(), queries.off()), (learnt(None), vec!["a".to_owned()]));
        queries.note(&live("a").query, learnt(None));
        assert_eq!(live("a").standing, learnt(None));
    }

    #[test]
    fn hints_lead_to_the_queries_that_name_them() {
        let with = |text: &str, hints: Vec<Hint>| Arc::new(LiveQuery { hints, ..LiveQuery::clone(&query(text)) });
        let queries = Queries::new([
            with("a", vec![Hint::Hook("/notify/venta"), Hint::Listen("ventas".into())]),
            with("b", vec![Hint::Hook("/notify/venta")]),
            with("c", vec![]),
        ]);
        let names = |lives: Vec<Arc<Live>>| {
            lives.iter().map(|live| live.query.name.as_str().to_owned()).collect::<HashSet<_>>()
        };
        assert_eq!(names(queries.hinted_by("/notify/venta")), ["a", "b"].map(str::to_owned).into());
        assert_eq!(names(queries.listening_to("ventas")), ["a".to_owned()].into());
        assert!(queries.hinted_by("/notify/mesa").is_empty() && queries.listening_to("mesas").is_empty());
    }
}
