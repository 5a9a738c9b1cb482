//! Whoever may create things where the rollup is gets no rights by it, and what an earlier release left open is named and
//! mended.

use pulso::config::StatsSource;
use pulso::store::inspect::{Level, inspect};
use pulso_harness::{Database, Postgres};
use sqlx::{AssertSqlSafe, Executor as _};

use super::{RollupChange, change, counted, differences, open, rollup_config};
use crate::backend::{TODAY, figures, postgres_config};
use crate::business;

/// Better matches, and equal ones, for everything that the rollup's statements use: whoever runs one fails.
const DECOYS: &str = "
SET search_path = pg_catalog;
DO $$
DECLARE
    home text; op text; l text; r text; name text;
    types text[] := '{bigint,integer,smallint,numeric,\"double precision\",text,name,oid,regclass,date,\"timestamp with time zone\",uuid}';
BEGIN
    FOREACH home IN ARRAY ARRAY['app', 'public'] LOOP
        FOREACH l IN ARRAY types LOOP
            FOREACH r IN ARRAY types LOOP
                EXECUTE format('CREATE FUNCTION %s.decoy(%s, %s) RETURNS boolean LANGUAGE plpgsql AS
                    ''BEGIN RAISE EXCEPTION ''''a decoy was run''''; END''', home, l, r);
                FOREACH op IN ARRAY ARRAY['%', '<', '>', '<>', '=', '+', '-', '*', '&', '||'] LOOP
                    EXECUTE format('CREATE OPERATOR %1$s.%2$s (LEFTARG = %3$s, RIGHTARG = %4$s, FUNCTION = %1$s.decoy)',
                                   home, op, l, r);
                END LOOP;
                FOREACH name IN ARRAY ARRAY['hashtextextended', 'pg_try_advisory_xact_lock', 'pg_advisory_xact_lock', 'extract',
                        'date_part', 'obj_description', 'has_table_privilege', 'set_config', 'format', 'starts_with'] LOOP
                    EXECUTE format('CREATE FUNCTION %s.%s(%s, %s) RETURNS boolean LANGUAGE plpgsql AS
                        ''BEGIN RAISE EXCEPTION ''''a decoy was run''''; END''', home, name, l, r);
                END LOOP;
            END LOOP;
            EXECUTE format('CREATE FUNCTION %s.decoy(%s) RETURNS boolean LANGUAGE plpgsql AS
                ''BEGIN RAISE EXCEPTION ''''a decoy was run''''; END''', home, l);
            EXECUTE format('CREATE OPERATOR %1$s.- (RIGHTARG = %2$s, FUNCTION = %1$s.decoy)', home, l);
            FOREACH name IN ARRAY ARRAY['unnest', 'current_setting', 'quote_ident', 'to_regclass', 'to_regprocedure', 'pg_get_userbyid',
                    'hashtextextended', 'set_config'] LOOP
                EXECUTE format('CREATE FUNCTION %s.%s(%s) RETURNS boolean LANGUAGE plpgsql AS
                    ''BEGIN RAISE EXCEPTION ''''a decoy was run''''; END''', home, name, l);
            END LOOP;
            EXECUTE format('CREATE FUNCTION %1$s.step(bigint, %2$s) RETURNS bigint LANGUAGE plpgsql AS
                ''BEGIN RAISE EXCEPTION ''''a decoy was run''''; END'';
                CREATE AGGREGATE %1$s.sum(%2$s) (SFUNC = %1$s.step, STYPE = bigint);
                CREATE AGGREGATE %1$s.array_agg(%2$s) (SFUNC = %1$s.step, STYPE = bigint)', home, l);
        END LOOP;
        EXECUTE format('CREATE FUNCTION %1$s.step(bigint) RETURNS bigint LANGUAGE plpgsql AS
            ''BEGIN RAISE EXCEPTION ''''a decoy was run''''; END'';
            CREATE AGGREGATE %1$s.count(*) (SFUNC = %1$s.step, STYPE = bigint);
            CREATE FUNCTION %1$s.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS
            ''BEGIN RAISE EXCEPTION ''''a decoy was run''''; END'';
            CREATE FUNCTION %1$s.current_schema() RETURNS name LANGUAGE plpgsql AS
            ''BEGIN RAISE EXCEPTION ''''a decoy was run''''; END''', home);
    END LOOP;
END
$$";

#[tokio::test]
async fn a_better_match_planted_beside_the_tables_is_never_run_with_the_owners_rights() {
    let database = Postgres::shared().empty_database().await;
    let name = database.name();
    database
        .execute(&format!(
            "CREATE SCHEMA app;
             CREATE TABLE app.negocios (id uuid PRIMARY KEY, admin_negocio_id uuid);
             CREATE TABLE app.citas (negocio_id uuid, fecha date, estado text);
             ALTER DATABASE {name} SET search_path = app, public;
             CREATE ROLE mostrador LOGIN; GRANT USAGE ON SCHEMA app TO mostrador;
             GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON app.citas TO mostrador"
        ))
        .await;
    database.execute(DECOYS).await;
    change(&database, RollupChange::Create).await;
    database.execute(include_str!("../../../sql/listen.postgres.sql")).await;

    // As a writer that finds the decoys first.
    let mut api = database.connect().await;
    let negocio = super::negocio(1);
    api.execute("SET ROLE mostrador; SET search_path = app, public, pg_catalog").await.unwrap();
    let insert = format!(
        "INSERT INTO citas VALUES {}",
        (1..=60)
            .map(|day| format!("('{negocio}', '2026-{:02}-{:02}', 'atendida')", 1 + day / 28, 1 + day % 28))
            .collect::<Vec<_>>()
            .join(", ")
    );
    for sql in [
        &*insert,
        "INSERT INTO citas SELECT negocio_id, fecha, 'cancelada' FROM citas",
        "UPDATE citas SET estado = NULL",
        "UPDATE citas SET fecha = NULL WHERE fecha IS NOT NULL",
        "DELETE FROM citas WHERE ctid IS NOT NULL",
        "TRUNCATE citas",
        &*insert,
    ] {
        for _ in 0..3 {
            let done = api.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
            done.unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
    }
    change(&database, RollupChange::Rebuild).await;

    let (plain, rollup) =
        (open(&postgres_config(&database.url())).unwrap(), open(&rollup_config(&database.url())).unwrap());
    let negocio = rollup.contact().await.unwrap().parse(&negocio).unwrap();
    plain.contact().await.unwrap();
    assert_eq!(plain.figures(&negocio, TODAY).await.unwrap(), figures(180, 0, 180, 0));
    assert_eq!(rollup.figures(&negocio, TODAY).await.unwrap(), figures(180, 0, 180, 0));
    assert!(rollup.reads_rollup());
    let findings = inspect(&rollup_config(&database.url())).await;
    let found = findings.iter().any(|finding| finding.what.contains("says what the appointments say, for all 1"));
    assert!(found, "{findings:#?}");
}

/// As earlier releases left it: the path ends in the schema of the tables.
async fn exposed() -> Database {
    let database = counted().await;
    database.execute("ALTER FUNCTION pulso_stats_count() SET search_path = public, pg_temp").await;
    database
}

#[tokio::test]
async fn a_function_that_gives_its_owners_rights_away_is_named_by_the_check_and_mended_by_every_migration() {
    let names = "public.pulso_stats_count()";
    for (source, command) in [(StatsSource::Query, RollupChange::Repair), (StatsSource::Rollup, RollupChange::Create)] {
        let database = exposed().await;
        let mut config = postgres_config(&database.url());
        config.stats_source = source;
        let findings = inspect(&config).await;
        let found = findings.iter().find(|finding| finding.what.contains(names));
        let found = found.unwrap_or_else(|| panic!("{findings:#?}"));
        assert_eq!(found.level, Level::Problem);
        assert!(found.advice.as_ref().unwrap().contains("pulso migrate --rollup rebuild"));
        assert!(change(&database, command).await);
        assert!(!change(&database, command).await, "nothing to do");
        assert!(!inspect(&config).await.iter().any(|finding| finding.what.contains(names)));
        assert_eq!(differences(&database).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_server_that_starts_on_such_a_function_says_so_and_a_plain_migration_mends_it() {
    let database = business::database().await;
    change(&database, RollupChange::Create).await;
    database.execute("ALTER FUNCTION pulso_stats_count() RESET search_path").await;
    let pulso = business::pulso(&database.url()).ready().await;
    pulso.until_logged("can run code with the rights of this function's owner").await;
    let server = business::pulso(&database.url());
    let (code, out, _) = server.run(&["migrate"]).await;
    assert!(code == 0 && out.contains("rebuilt the rollup, whose function gave the rights of its owner away"), "{out}");
    let (code, out, _) = server.run(&["migrate"]).await;
    assert_eq!((code, &*out), (0, "nothing to do\n"));
}

#[tokio::test]
async fn what_somebody_else_put_in_the_rollups_place_is_refused_by_name() {
    for planted in [
        "CREATE TABLE pulso_stats_total (negocio_id uuid, estado text, citas bigint)",
        "CREATE FUNCTION pulso_stats_fold(touched anyarray) RETURNS void LANGUAGE plpgsql AS 'BEGIN END'",
    ] {
        let database = Postgres::shared().database().await;
        let role = format!("ajena_{}", database.name());
        database
            .execute(&format!(
                "CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role}; SET ROLE {role}; {planted}"
            ))
            .await;
        let refused = open(&postgres_config(&database.url())).unwrap().change_rollup(RollupChange::Create).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(&format!("belongs to {role}")), "{refused}");
    }
}
