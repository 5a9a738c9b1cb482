//! Which tables might be the appointments, the businesses and the devices, by the words of which their names and their columns'
//! are made, in Spanish and in English.
//!
//! Pure. A guess is shown to who knows better, or leaves out what it is not sure of.

use crate::store::inspect::tables::{Column, Kind, Table};

const APPOINTMENTS: &[&str] =
    &["cita", "turno", "reserva", "agendamiento", "appointment", "booking", "reservation", "visit", "visita"];
const BUSINESSES: &[&str] = &[
    "negocio",
    "empresa",
    "local",
    "sucursal",
    "tienda",
    "salon",
    "clinica",
    "consultorio",
    "business",
    "company",
    "shop",
    "store",
    "branch",
    "clinic",
    "organization",
    "organisation",
    "tenant",
];
const DEVICES: &[&str] = &["device", "kiosk", "terminal", "tablet", "dispositivo", "kiosco", "tableta"];
const DAYS: &[&str] = &["fecha", "date", "day", "dia", "inicio", "start", "begin", "scheduled", "when"];
/// A moment of these is not when something takes place.
const NOT_DAYS: &[&str] = &["creado", "created", "updated", "actualizado", "deleted", "modified", "fin", "end"];
const STATES: &[&str] = &["estado", "status", "state", "estatus"];
const OWNERS: &[&str] = &["admin", "owner", "propietario", "dueno", "manager", "usuario", "user"];
const UIDS: &[&str] = &["uid", "serial", "identifier", "identificador", "codigo", "code", "uuid"];
const ACTIVE: &[&str] = &["active", "activo", "activa", "enabled", "habilitado", "habilitada"];
const DONE: &[&str] = &[
    "atendida",
    "atendido",
    "completada",
    "completado",
    "finalizada",
    "finalizado",
    "realizada",
    "completed",
    "complete",
    "done",
    "attended",
    "finished",
    "fulfilled",
];
/// Of appointments in Spanish, where they stand behind what they are said of.
const ADJECTIVES: &[&str] =
    &["medica", "medico", "clinica", "clinico", "agendada", "agendado", "programada", "programado", "online", "web"];
const CANCELLED: &[&str] = &["cancelada", "cancelado", "anulada", "anulado", "cancelled", "canceled"];
/// In a column that is called after being in use, what says so.
const IN_USE: &[&str] = &[
    "s",
    "si",
    "sí",
    "v",
    "verdadero",
    "y",
    "yes",
    "t",
    "true",
    "on",
    "1",
    "activo",
    "activa",
    "active",
    "habilitado",
    "habilitada",
    "enabled",
];

/// One of the tables that Pulso asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Appointments,
    Businesses,
    Devices,
}

/// What a table has for its role: its columns in the order of [`Role::columns`], those that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) table: Table,
    pub(super) columns: Vec<Option<Column>>,
}

impl Role {
    fn stems(self) -> &'static [&'static str] {
        match self {
            Self::Appointments => APPOINTMENTS,
            Self::Businesses => BUSINESSES,
            Self::Devices => DEVICES,
        }
    }

    /// What the table is called in a question.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Appointments => "appointments",
            Self::Businesses => "businesses",
            Self::Devices => "devices (kiosks)",
        }
    }

    /// What its columns say, and whether it is of no use without.
    pub(super) fn columns(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Appointments => &[("the business's id", true), ("the day", true), ("the state", false)],
            Self::Businesses => &[("its id", true), ("its owner's id", true)],
            Self::Devices => &[("its id", true), ("what it calls itself", true), ("whether it is in use", false)],
        }
    }

    /// What of a table might be for this.
    pub(super) fn read(self, table: &Table) -> Guess {
        let columns = match self {
            Self::Appointments => vec![business(table), day(table), by_words(table, STATES, |_| true)],
            Self::Businesses => {
                let id = id(table, BUSINESSES);
                let owner =
                    OWNERS.iter().find_map(|word| by_words(table, &[word], |column| Some(column) != id.as_ref()));
                vec![id, owner]
            }
            Self::Devices => {
                let id = id(table, DEVICES);
                let uid = UIDS.iter().find_map(|word| by_words(table, &[word], |column| Some(column) != id.as_ref()));
                vec![id, uid, in_use(table)]
            }
        };
        Guess { table: table.clone(), columns }
    }

    /// The table that is most likely this.
    pub(super) fn find(self, tables: &[Table]) -> Option<Guess> {
        let likely = tables.iter().filter_map(|table| {
            let words = words(&table.name);
            // English says first of what kind a thing is, Spanish last.
            let noun = words.iter().rev().find(|word| !is_one(word, ADJECTIVES)).or(words.last())?;
            let is_named = is_one(noun, self.stems());
            let guess = self.read(table);
            let lacks = guess.columns.iter().filter(|column| column.is_none()).count();
            (is_named && self.suffices(&guess)).then_some((words.len(), lacks, guess))
        });
        // What is called so and nothing else goes first; of equals the first.
        likely.min_by_key(|(words, lacks, _)| (*words, *lacks)).map(|(.., guess)| guess)
    }

    /// Whether nothing is missing that it is of no use without.
    pub(super) fn suffices(self, guess: &Guess) -> bool {
        self.columns().iter().zip(&guess.columns).all(|((_, is_needed), column)| !is_needed || column.is_some())
    }
}

/// Of the values of a state those that say that it was done, and those that it was cancelled.
pub(super) fn states(values: &[String]) -> (Vec<String>, Vec<String>) {
    (among(values, DONE), among(values, CANCELLED))
}

/// Of the values of a text those that say that something is in use.
pub(super) fn those_in_use(values: &[String]) -> Vec<String> {
    among(values, IN_USE)
}

fn among(values: &[String], words: &[&str]) -> Vec<String> {
    values.iter().filter(|value| words.contains(&value.trim().to_lowercase().as_str())).cloned().collect()
}

/// The id of a business in another table.
fn business(table: &Table) -> Option<Column> {
    let of_business = |column: &&Column| words(&column.name).iter().any(|word| is_one(word, BUSINESSES));
    let is_id = |column: &Column| words(&column.name).iter().any(|word| word == "id" || word == "uuid");
    let mut candidates: Vec<&Column> = table.columns.iter().filter(of_business).collect();
    candidates.sort_by_key(|column| !is_id(column));
    candidates.first().map(|column| (*column).clone())
}

fn day(table: &Table) -> Option<Column> {
    let is_day = |column: &&Column| {
        let words = words(&column.name);
        words.iter().any(|word| is_one(word, DAYS)) && !words.iter().any(|word| is_one(word, NOT_DAYS))
    };
    // A day before a moment, and either before what is only called so.
    let rank = |column: &Column| [Kind::Day, Kind::Moment, Kind::Text].iter().position(|kind| *kind == column.kind);
    let days = table.columns.iter().filter(is_day).filter_map(|column| Some((rank(column)?, column)));
    days.min_by_key(|(rank, _)| *rank).map(|(_, column)| column.clone())
}

/// Whether something is in use: a flag or a number, or a text that is called so and nothing else.
fn in_use(table: &Table) -> Option<Column> {
    let is_called_so = |column: &Column| words(&column.name).iter().all(|word| word == "is" || is_one(word, ACTIVE));
    by_words(table, ACTIVE, |column| matches!(column.kind, Kind::Flag | Kind::Number))
        .or_else(|| by_words(table, ACTIVE, |column| column.kind == Kind::Text && is_called_so(column)))
}

/// `id`, or what is called after the table.
fn id(table: &Table, stems: &[&str]) -> Option<Column> {
    let plain = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case("id"));
    let named = || {
        table.columns.iter().find(|column| {
            let words = words(&column.name);
            words.len() == 2 && words.iter().any(|word| word == "id") && words.iter().any(|word| is_one(word, stems))
        })
    };
    plain.or_else(named).cloned()
}

fn by_words(table: &Table, wanted: &[&str], is: impl Fn(&Column) -> bool) -> Option<Column> {
    let has = |column: &&Column| words(&column.name).iter().any(|word| is_one(word, wanted));
    table.columns.iter().find(|column| has(column) && is(column)).cloned()
}

/// Whether a word is one of these, or more than one of them.
fn is_one(word: &str, stems: &[&str]) -> bool {
    let of_y = word.strip_suffix("ies").map(|stem| format!("{stem}y"));
    let singular = [Some(word), word.strip_suffix("es"), word.strip_suffix('s'), of_y.as_deref()];
    singular.into_iter().flatten().any(|word| stems.contains(&word))
}

/// `turnosDelDia`, `turnos_del_dia`: in lower case, without accents that matter here.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && was_small) {
            words.push(String::new());
        }
        was_small = letter.is_lowercase() || letter.is_numeric();
        let plain = match letter.to_lowercase().next().unwrap_or(letter) {
            'á' => 'a',
            'é' => 'e',
            'í' => 'i',
            'ó' => 'o',
            'ú' => 'u',
            'ñ' => 'n',
            other => other,
        };
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.push(plain);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, columns: &[(&str, Kind)]) -> Table {
        let columns = columns.iter().map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind }).collect();
        Table { name: name.to_owned(), columns }
    }

    fn found(role: Role, tables: &[Table]) -> String {
        role.find(tables).map_or_else(String::new, |guess| {
            let columns = guess.columns.iter().map(|column| column.as_ref().map_or("-", |column| column.name.as_str()));
            [guess.table.name.as_str()].into_iter().chain(columns).collect::<Vec<_>>().join(" ")
        })
    }

    #[test]
    fn tables_are_found_in_either_language_and_spelling() {
        use Kind::{Day, Flag, Moment, Number, Text};
        let spanish = [
            table(
                "citas",
                &[("id", Text), ("negocio_id", Text), ("fecha", Day), ("estado", Text), ("creado_en", Moment)],
            ),
            table("citas_archivadas", &[("negocio_id", Text), ("fecha", Day)]),
            table("negocios", &[("id", Text), ("admin_negocio_id", Text), ("estado", Flag)]),
            table("devices", &[("id", Number), ("device_uid", Text), ("is_active", Flag)]),
        ];
        assert_eq!(found(Role::Appointments, &spanish), "citas negocio_id fecha estado");
        let named = ["citas_log", "Turnos Médicos"].map(|name| table(name, &[("clinica_id", Number), ("fecha", Text)]));
        assert_eq!(found(Role::Appointments, &named), "Turnos Médicos clinica_id fecha -");
        assert_eq!(
            found(Role::Businesses, &[table("clinicas", &[("id", Number), ("dueno_id", Number)])]),
            "clinicas id dueno_id"
        );
        assert_eq!(found(Role::Businesses, &spanish), "negocios id admin_negocio_id");
        assert_eq!(found(Role::Devices, &spanish), "devices id device_uid is_active");
        let english = [
            table(
                "Appointment",
                &[
                    ("id", Text),
                    ("createdAt", Moment),
                    ("endsAt", Moment),
                    ("startsAt", Moment),
                    ("shopId", Text),
                    ("status", Text),
                ],
            ),
            table("companies", &[("company_id", Number), ("owner_id", Number), ("user_count", Number)]),
            table("app_kiosks", &[("id", Number), ("serial", Text), ("enabled", Flag)]),
        ];
        assert_eq!(found(Role::Appointments, &english), "Appointment shopId startsAt status");
        assert_eq!(found(Role::Businesses, &english), "companies company_id owner_id");
        assert_eq!(found(Role::Devices, &english), "app_kiosks id serial enabled");
    }

    #[test]
    fn what_lacks_a_column_it_is_of_no_use_without_is_no_guess() {
        use Kind::{Moment, Text};
        let tables = [
            table("bookings", &[("shop_id", Text), ("created_at", Moment)]),
            table("appointment_reminders_visits", &[("clinic", Text), ("visit_date", Text)]),
            table("stores", &[("id", Text)]),
        ];
        assert_eq!(found(Role::Appointments, &tables), "appointment_reminders_visits clinic visit_date -");
        assert_eq!(found(Role::Businesses, &tables), "");
        assert_eq!(found(Role::Devices, &tables), "");
    }

    #[test]
    fn a_text_says_what_is_in_use_only_where_it_is_called_so_and_no_flag_does() {
        use Kind::{Flag, Moment, Text};
        let with = |columns: &[(&str, Kind)]| {
            let columns = [&[("id", Text), ("codigo", Text)], columns].concat();
            found(Role::Devices, &[table("kioscos", &columns)])
        };
        assert_eq!(with(&[("activo", Text)]), "kioscos id codigo activo");
        assert_eq!(with(&[("isActive", Text), ("enabled", Flag)]), "kioscos id codigo enabled");
        assert_eq!(with(&[("active_directory", Text), ("activo_desde", Moment)]), "kioscos id codigo -");
        let values = ["S", "N", "Inactivo", "ACTIVO "].map(str::to_owned);
        assert_eq!(those_in_use(&values), ["S", "ACTIVO "]);
    }

    #[test]
    fn states_are_known_by_their_words() {
        let values = ["Pending", "Completed", "CANCELED", "cancelled"].map(str::to_owned);
        let (done, cancelled) = states(&values);
        assert_eq!(
            (done, cancelled),
            (vec!["Completed".to_owned()], vec!["CANCELED".to_owned(), "cancelled".to_owned()])
        );
    }
}
