//! What every store promises. One suite, run on PostgreSQL and on SQLite.

use std::collections::HashSet;

use pulso::model::Figures;
use pulso::model::IdType;
use pulso::store::{ContactError, StoreError};

use crate::backend::{Prepared, TODAY, figures, owns};

const ALTA: &str = "9f1c2b3a-0000-4000-8000-00000000abcd";
const OTRA: &str = "11111111-0000-4000-8000-000000000001";
const ANA: &str = "aaaaaaaa-0000-4000-8000-00000000000a";
const LUIS: &str = "bbbbbbbb-0000-4000-8000-00000000000b";

macro_rules! promises {
    ($($promise:ident),+ $(,)?) => {
        mod postgres {
            $(#[tokio::test] async fn $promise() { super::$promise(super::Prepared::postgres().await).await; })+
        }
        mod sqlite {
            $(#[tokio::test] async fn $promise() { super::$promise(super::Prepared::sqlite().await).await; })+
        }
    };
}

/// As [`promises`], and once more through a transaction pooler and in the demo's memory.
macro_rules! promises_everywhere {
    ($($promise:ident),+ $(,)?) => {
        promises!($($promise),+);
        mod pooled {
            $(#[tokio::test] async fn $promise() { super::$promise(super::Prepared::pooled().await).await; })+
        }
        mod memory {
            $(#[tokio::test] async fn $promise() { super::$promise(super::Prepared::memory().await).await; })+
        }
    };
}

mod bare_ids;
mod changes;
mod crash;
mod devices;
mod guard;
mod idempotency;
mod interleaving;
pub mod live;
mod live_values;
mod migration;
mod races;
mod sights;
mod snapshots;

promises!(
    figures_count_by_state_and_day,
    figures_of_a_negocio_without_rows_are_zeros,
    verified_figures_are_the_figures,
    text_ids_are_read_from_the_database,
    integer_ids_are_read_from_the_database,
    upper_case_uuid_of_a_token_is_the_same_user,
    ownership_is_confirmed_for_the_asked_pairs_only,
    nobody_in_a_batch_of_500_gets_a_strangers_negocio,
    a_negocio_without_an_owner_is_nobodys,
    users_the_column_cannot_hold_own_nothing,
    a_missing_table_is_named_and_found_when_it_appears,
    a_missing_column_is_named,
    questions_before_contact_are_refused,
    own_query_files_are_used,
    a_text_id_is_compared_letter_by_letter_whatever_it_holds,
    what_only_looks_like_a_parameter_of_an_own_query_is_left_alone,
    an_own_query_may_hold_what_no_parameter_can_be_found_in,
    query_without_a_column_is_refused_with_the_reason,
    query_with_a_column_too_many_is_refused,
    query_whose_count_is_no_integer_is_refused,
    query_with_one_parameter_is_refused,
    query_that_is_not_sql_is_refused,
    query_file_that_is_not_there_is_refused_at_once,
    empty_answers_of_a_grouping_query_are_zeros,
    without_ownership_its_table_is_not_needed,
    without_figures_no_table_is_needed,
    a_column_that_changed_its_type_is_read_again,
    ping_needs_no_table,
);

async fn seeded(prepared: Prepared) -> Prepared {
    let prepared = prepared.with_schema().await;
    prepared
        .execute(&format!(
            "INSERT INTO negocios (id, admin_negocio_id, nombre) VALUES ('{ALTA}', '{ANA}', 'Alta'), ('{OTRA}', '{LUIS}', 'Otra')"
        ))
        .await;
    let cita = |number: u32, negocio: &str, fecha: &str, estado: &str| {
        format!(
            "INSERT INTO citas (id, cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado) VALUES \
             ('00000000-0000-4000-8000-{number:012}', '{ANA}', '{negocio}', '{LUIS}', '{fecha}', '09:00', '09:30', '{estado}');"
        )
    };
    let rows = [
        cita(1, ALTA, "2026-11-22", "pendiente"),
        cita(2, ALTA, "2026-11-22", "atendida"),
        cita(3, ALTA, "2026-11-22", "cancelada"),
        cita(4, ALTA, "2026-11-21", "atendida"),
        cita(5, ALTA, "2026-11-23", "pendiente"),
        cita(6, OTRA, "2026-11-22", "cancelada"),
    ];
    prepared.execute(&rows.concat()).await;
    prepared
}

async fn figures_count_by_state_and_day(prepared: Prepared) {
    let prepared = seeded(prepared).await;
    let (store, id) = prepared.contacted().await;
    if prepared.is_postgres() {
        assert_eq!(id, IdType::Uuid);
    }
    let read = async |negocio, day| store.figures(&id.parse(negocio).unwrap(), day).await.unwrap();
    assert_eq!(read(ALTA, TODAY).await, figures(5, 3, 2, 1));
    assert_eq!(read(ALTA, TODAY.tomorrow().unwrap()).await, figures(5, 1, 2, 1));
    assert_eq!(read(OTRA, TODAY).await, figures(1, 1, 0, 1));
}

async fn verified_figures_are_the_figures(prepared: Prepared) {
    let prepared = seeded(prepared).await;
    let (store, id) = prepared.contacted().await;
    let verified = store.verified_figures(&id.parse(ALTA).unwrap(), TODAY).await.unwrap();
    assert_eq!((verified.figures, verified.drifted), (figures(5, 3, 2, 1), false));
    assert!(!store.reads_rollup(), "nobody asked for it");
}

async fn figures_of_a_negocio_without_rows_are_zeros(prepared: Prepared) {
    let prepared = seeded(prepared).await;
    let (store, id) = prepared.contacted().await;
    let nobody = id.parse("00000000-0000-4000-8000-0000000000ff").unwrap();
    assert_eq!(store.figures(&nobody, TODAY).await.unwrap(), figures(0, 0, 0, 0));
}

async fn text_ids_are_read_from_the_database(prepared: Prepared) {
    let prepared = prepared.with_tables("varchar(60)", "text").await;
    prepared.cita("negocio_123", "2026-11-22", "atendida").await;
    let (store, id) = prepared.contacted().await;
    assert_eq!(id, IdType::Text);
    let read = async |negocio| store.figures(&id.parse(negocio).unwrap(), TODAY).await.unwrap();
    assert_eq!(read("negocio_123").await, figures(1, 1, 1, 0));
    assert_eq!(read("NEGOCIO_123").await, figures(0, 0, 0, 0));
    assert_eq!(read("007").await, figures(0, 0, 0, 0));
}

async fn integer_ids_are_read_from_the_database(prepared: Prepared) {
    let kinds: &[(&str, IdType)] = if prepared.is_postgres() {
        &[("smallint", IdType::Int2), ("integer", IdType::Int4), ("bigint", IdType::Int8)]
    } else {
        &[("INTEGER", IdType::Int8), ("BIGINT", IdType::Int8)]
    };
    let mut prepared = prepared;
    for (kind, expected) in kinds {
        prepared = prepared.with_tables(kind, kind).await;
        prepared.cita("7", "2026-11-22", "atendida").await;
        prepared.execute("INSERT INTO negocios (id, admin_negocio_id) VALUES (7, 70)").await;
        let (store, id) = prepared.contacted().await;
        assert_eq!(id, *expected);
        let seven = id.parse("007").unwrap();
        assert_eq!(store.figures(&seven, TODAY).await.unwrap(), figures(1, 1, 1, 0));
        let asked = [owns("70", &seven), owns("71", &seven)];
        assert_eq!(store.owners(&asked).await.unwrap(), HashSet::from([asked[0].clone()]));
        prepared.execute("DROP TABLE citas; DROP TABLE negocios").await;
    }
}

async fn upper_case_uuid_of_a_token_is_the_same_user(prepared: Prepared) {
    if !prepared.is_postgres() {
        // SQLite has no uuid type: letters count there.
        return;
    }
    let prepared = seeded(prepared).await;
    let (store, id) = prepared.contacted().await;
    let asked = [owns(&ANA.to_uppercase(), &id.parse(&ALTA.to_uppercase()).unwrap())];
    assert_eq!(store.owners(&asked).await.unwrap(), HashSet::from(asked));
}

async fn ownership_is_confirmed_for_the_asked_pairs_only(prepared: Prepared) {
    let prepared = seeded(prepared).await;
    let (store, id) = prepared.contacted().await;
    let (alta, otra) = (id.parse(ALTA).unwrap(), id.parse(OTRA).unwrap());
    // Both pairs that hold cross the two lists, yet only one of them was asked for.
    let asked = [owns(ANA, &alta), owns(ANA, &otra)];
    assert_eq!(store.owners(&asked).await.unwrap(), HashSet::from([asked[0].clone()]));
    let crossed = [owns(ANA, &otra), owns(LUIS, &alta)];
    assert_eq!(store.owners(&crossed).await.unwrap(), HashSet::new());
    assert_eq!(store.owners(&[]).await.unwrap(), HashSet::new());
}

async fn nobody_in_a_batch_of_500_gets_a_strangers_negocio(prepared: Prepared) {
    let prepared = prepared.with_tables("text", "text").await;
    let rows: Vec<String> = (0..250).map(|n| format!("('negocio_{n}', 'dueña_{n}')")).collect();
    prepared.execute(&format!("INSERT INTO negocios VALUES {}", rows.join(", "))).await;
    let (store, id) = prepared.contacted().await;
    let mut asked = Vec::new();
    let mut rightful = HashSet::new();
    for n in 0..250 {
        let negocio = id.parse(&format!("negocio_{n}")).unwrap();
        let owner = owns(&format!("dueña_{n}"), &negocio);
        rightful.insert(owner.clone());
        asked.push(owner);
        asked.push(owns(&format!("dueña_{}", (n + 1) % 250), &negocio));
    }
    assert_eq!(asked.len(), 500);
    assert_eq!(store.owners(&asked).await.unwrap(), rightful);
}

async fn a_negocio_without_an_owner_is_nobodys(prepared: Prepared) {
    let prepared = prepared.with_tables("text", "text").await;
    prepared.execute("INSERT INTO negocios VALUES ('solo', NULL), ('suyo', 'ana')").await;
    let (store, id) = prepared.contacted().await;
    let solo = id.parse("solo").unwrap();
    let asked = [owns("ana", &solo), owns("null", &solo), owns("NULL", &solo)];
    assert_eq!(store.owners(&asked).await.unwrap(), HashSet::new());
}

async fn users_the_column_cannot_hold_own_nothing(prepared: Prepared) {
    let prepared = seeded(prepared).await;
    let (store, id) = prepared.contacted().await;
    let alta = id.parse(ALTA).unwrap();
    let asked =
        [owns("42", &alta), owns("", &alta), owns("a\0b", &alta), owns("' OR true --", &alta), owns(ANA, &alta)];
    assert_eq!(store.owners(&asked).await.unwrap(), HashSet::from([asked[4].clone()]));
    assert_eq!(store.owners(&asked[..4]).await.unwrap(), HashSet::new());
}

async fn a_missing_table_is_named_and_found_when_it_appears(prepared: Prepared) {
    let store = prepared.store();
    let missing = |error| match error {
        ContactError::Missing(reason) => reason,
        other => panic!("{other:?}"),
    };
    let reason = missing(store.contact().await.unwrap_err());
    assert!(reason.starts_with("table citas does not exist yet"), "{reason}");
    prepared.execute("CREATE TABLE citas (negocio_id text, fecha date, estado text)").await;
    let reason = missing(store.contact().await.unwrap_err());
    assert!(reason.starts_with("table negocios does not exist yet"), "{reason}");
    prepared.execute("CREATE TABLE negocios (id text, admin_negocio_id text)").await;
    assert_eq!(store.contact().await.unwrap(), IdType::Text);
}

async fn a_missing_column_is_named(prepared: Prepared) {
    let prepared = prepared.with_tables("text", "text").await;
    prepared.execute("ALTER TABLE citas RENAME COLUMN estado TO situacion").await;
    match prepared.store().contact().await.unwrap_err() {
        ContactError::Missing(reason) => assert!(reason.starts_with("column estado does not exist yet"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

async fn questions_before_contact_are_refused(prepared: Prepared) {
    let prepared = prepared.with_tables("text", "text").await;
    let store = prepared.store();
    let negocio = IdType::Text.parse("negocio_1").unwrap();
    assert!(matches!(store.figures(&negocio, TODAY).await, Err(StoreError::Refused(_))));
    assert!(matches!(store.owners(&[owns("ana", &negocio)]).await, Err(StoreError::Refused(_))));
}

async fn own_query_files_are_used(prepared: Prepared) {
    let mut prepared = prepared;
    prepared
        .execute(
            "CREATE TABLE reservas (local text, dia date, hecha boolean);
             INSERT INTO reservas VALUES ('centro', '2026-11-22', true), ('centro', '2026-11-20', false);
             CREATE TABLE locales (codigo text, jefe text);
             INSERT INTO locales VALUES ('centro', 'ana');",
        )
        .await;
    prepared.config.stats_sql = Some(prepared.scratch.write(
        "stats.sql",
        "-- our own\nSELECT count(*) FILTER (WHERE dia = $2) AS citas_hoy, 0 AS citas_canceladas, count(*) AS total_citas,\n\
         count(*) FILTER (WHERE hecha) AS citas_completadas FROM reservas WHERE local = $1;\n",
    ));
    let owner = if prepared.is_postgres() {
        "SELECT codigo AS negocio_id, jefe AS user_id FROM locales WHERE codigo = ANY ($1) AND jefe = ANY ($2)"
    } else {
        "SELECT codigo AS negocio_id, jefe AS user_id FROM locales \
         WHERE codigo IN (SELECT value FROM json_each($1)) AND jefe IN (SELECT value FROM json_each($2))"
    };
    prepared.config.owner_sql = Some(prepared.scratch.write("owner.sql", owner));
    let (store, id) = prepared.contacted().await;
    assert_eq!(id, IdType::Text);
    let centro = id.parse("centro").unwrap();
    assert_eq!(store.figures(&centro, TODAY).await.unwrap(), figures(2, 1, 1, 0));
    let asked = [owns("ana", &centro)];
    assert_eq!(store.owners(&asked).await.unwrap(), HashSet::from(asked));
}

/// The reason for which `sql` is refused as the statistics query.
async fn refusal(mut prepared: Prepared, sql: &str) -> String {
    prepared = prepared.with_tables("text", "text").await;
    prepared.config.stats_sql = Some(prepared.scratch.write("stats.sql", sql));
    match prepared.store().contact().await.unwrap_err() {
        ContactError::WrongQuery { variable: "STATS_SQL", reason } => reason,
        other => panic!("{other:?}"),
    }
}

async fn a_text_id_is_compared_letter_by_letter_whatever_it_holds(prepared: Prepared) {
    let ids =
        ["o'x", r"o\'x", r"\", "$1", "$$", "--", "/*", "ñ€😀", "a\"b", "a;b", "'; DROP TABLE citas; --", "%s", "x'41'"];
    let prepared = prepared.with_tables("text", "text").await;
    for id in ids {
        prepared.cita(&id.replace('\'', "''"), "2026-11-22", "atendida").await;
    }
    let (store, kind) = prepared.contacted().await;
    for id in ids {
        assert_eq!(store.figures(&kind.parse(id).unwrap(), TODAY).await.unwrap(), figures(1, 1, 1, 0), "{id}");
    }
}

/// The figures that `sql` finds among a row whose state is `estado` and one that is attended.
async fn own_figures(mut prepared: Prepared, sql: &str, estado: &str) -> Figures {
    prepared.config.stats_sql = Some(prepared.scratch.write("stats.sql", sql));
    let prepared = prepared.with_tables("text", "text").await;
    prepared.cita("suyo", "2026-11-22", estado).await;
    prepared.cita("suyo", "2026-11-21", "atendida").await;
    prepared.cita("otro", "2026-11-22", estado).await;
    let (store, id) = prepared.contacted().await;
    store.figures(&id.parse("suyo").unwrap(), TODAY).await.unwrap()
}

async fn what_only_looks_like_a_parameter_of_an_own_query_is_left_alone(prepared: Prepared) {
    let sql = "/* it's $1 */ SELECT COUNT(*) AS total_citas, -- $2's day\n
        COUNT(*) FILTER (WHERE fecha = $2 AND '$2' <> 'it''s $1') AS citas_hoy,
        COUNT(*) FILTER (WHERE estado = 'atendida') AS citas_completadas,
        COUNT(*) FILTER (WHERE estado = '$1') AS \"citas_canceladas\"
        FROM citas AS a$1 WHERE negocio_id = $1 -- and $3";
    // SQLite takes a$1 for a parameter.
    let sql = if prepared.is_postgres() { sql.to_owned() } else { sql.replace("AS a$1", "") };
    assert_eq!(own_figures(prepared, &sql, "$1").await, figures(2, 1, 1, 1));
}

async fn an_own_query_may_hold_what_no_parameter_can_be_found_in(prepared: Prepared) {
    let sql = r"SELECT COUNT(*) AS total_citas, COUNT(*) FILTER (WHERE fecha = $2) AS citas_hoy,
        COUNT(*) FILTER (WHERE estado = '\' AND $1 <> '\') AS citas_completadas, 0 AS citas_canceladas
        FROM citas WHERE negocio_id = $1";
    let sql =
        if prepared.is_postgres() { sql.replace("fecha = $2", "fecha = $2 AND $$'$1$$ <> $1") } else { sql.to_owned() };
    assert_eq!(own_figures(prepared, &sql, r"\").await, figures(2, 1, 1, 0));
}

async fn query_without_a_column_is_refused_with_the_reason(prepared: Prepared) {
    let sql = "SELECT count(*) AS total_citas, count(*) AS hoy FROM citas WHERE negocio_id = $1 AND fecha = $2";
    let reason = refusal(prepared, sql).await;
    assert!(reason.contains("missing: citas_hoy, citas_completadas, citas_canceladas"), "{reason}");
}

async fn query_with_a_column_too_many_is_refused(prepared: Prepared) {
    let sql = "SELECT 1 AS total_citas, 1 AS citas_hoy, 1 AS citas_completadas, 1 AS citas_canceladas, 1 AS total_citas \
               FROM citas WHERE negocio_id = $1 AND fecha = $2";
    let reason = refusal(prepared, sql).await;
    assert!(reason.contains("must return exactly"), "{reason}");
}

async fn query_whose_count_is_no_integer_is_refused(prepared: Prepared) {
    let sql = "SELECT 1.5 AS total_citas, 1 AS citas_hoy, 1 AS citas_completadas, \
               (SELECT count(*) FROM citas WHERE negocio_id = $1 AND fecha = $2) AS citas_canceladas";
    let reason = refusal(prepared, sql).await;
    assert!(reason.contains("column total_citas is of type") && reason.contains("integer"), "{reason}");
}

async fn query_with_one_parameter_is_refused(prepared: Prepared) {
    let sql = "SELECT 1 AS total_citas, 1 AS citas_hoy, 1 AS citas_completadas, 1 AS citas_canceladas \
               FROM citas WHERE negocio_id = $1";
    let reason = refusal(prepared, sql).await;
    assert!(reason.contains("takes 1 parameters; it must take two"), "{reason}");
}

async fn query_that_is_not_sql_is_refused(prepared: Prepared) {
    let reason = refusal(prepared, "SELEC count(*)").await;
    assert!(reason.contains("syntax error"), "{reason}");
}

async fn query_file_that_is_not_there_is_refused_at_once(prepared: Prepared) {
    let mut prepared = prepared;
    prepared.config.owner_sql = Some(prepared.scratch.path().join("nada.sql"));
    let error = pulso::store::open(&prepared.config).err().unwrap();
    assert_eq!(error.variable, "OWNER_SQL");
    assert!(error.reason.contains("nada.sql"), "{}", error.reason);
}

async fn empty_answers_of_a_grouping_query_are_zeros(prepared: Prepared) {
    let mut prepared = prepared.with_tables("text", "text").await;
    prepared.config.stats_sql = Some(
        prepared.scratch.write(
            "stats.sql",
            "SELECT count(*) AS total_citas, count(*) FILTER (WHERE fecha = $2) AS citas_hoy, 0 AS citas_completadas, \
         NULL::int AS citas_canceladas FROM citas WHERE negocio_id = $1 GROUP BY negocio_id"
                .replace("NULL::int", "CAST(NULL AS int)")
                .as_str(),
        ),
    );
    prepared.cita("lleno", "2026-11-22", "atendida").await;
    let (store, id) = prepared.contacted().await;
    assert_eq!(store.figures(&id.parse("vacio").unwrap(), TODAY).await.unwrap(), figures(0, 0, 0, 0));
    assert_eq!(store.figures(&id.parse("lleno").unwrap(), TODAY).await.unwrap(), figures(1, 1, 0, 0));
}

async fn without_ownership_its_table_is_not_needed(mut prepared: Prepared) {
    prepared.execute("CREATE TABLE citas (negocio_id text, fecha date, estado text)").await;
    prepared.config.asks_ownership = false;
    assert_eq!(prepared.store().contact().await.unwrap(), IdType::Text);
}

async fn without_figures_no_table_is_needed(mut prepared: Prepared) {
    prepared.config.asks_figures = false;
    let (store, id) = prepared.contacted().await;
    assert_eq!(id, IdType::Text);
    let negocio = id.parse("negocio_1").unwrap();
    assert!(matches!(store.figures(&negocio, TODAY).await, Err(StoreError::Refused(_))));
    store.ping().await.unwrap();
}

async fn a_column_that_changed_its_type_is_read_again(prepared: Prepared) {
    let prepared = prepared.with_tables("text", "text").await;
    let (store, id) = prepared.contacted().await;
    assert_eq!(id, IdType::Text);
    prepared.execute("DROP TABLE citas; DROP TABLE negocios").await;
    let prepared = prepared.with_tables("bigint", "bigint").await;
    prepared.cita("5", "2026-11-22", "atendida").await;
    let id = store.contact().await.unwrap();
    assert_eq!(id, IdType::Int8);
    assert_eq!(store.figures(&id.parse("5").unwrap(), TODAY).await.unwrap(), figures(1, 1, 1, 0));
}

async fn ping_needs_no_table(prepared: Prepared) {
    prepared.store().ping().await.unwrap();
}
