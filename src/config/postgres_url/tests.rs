//! URLs as they are printed elsewhere, and what is said of those that cannot be used.

use super::*;

fn parsed(url: &str) -> PostgresUrl {
    PostgresUrl::parse(url).unwrap_or_else(|problem| panic!("{url}: {problem:?}"))
}

/// What the driver is given for each host.
fn given(url: &str) -> Vec<String> {
    parsed(url).hosts.iter().map(|host| host.expose().to_owned()).collect()
}

fn refused(url: &str) -> String {
    match PostgresUrl::parse(url) {
        Ok(_) => panic!("{url} was taken"),
        Err(UrlProblem { problem, remedy }) => format!("{problem}. {remedy}"),
    }
}

#[test]
fn every_way_to_name_a_server_is_understood() {
    let one = |url: &str| given(url).pop().unwrap();
    assert_eq!(
        one("postgresql://ana:a%40b@[::1]:5433/citas"),
        "postgres:///?host=%3A%3A1&port=5433&user=ana&password=a%40b&dbname=citas"
    );
    assert_eq!(one("postgres://[2001:db8::7]/n"), "postgres:///?host=2001%3Adb8%3A%3A7&dbname=n");
    assert_eq!(
        one("postgres://ana:x@/citas?host=/run/postgresql&port=5433"),
        "postgres:///?host=%2Frun%2Fpostgresql&port=5433&user=ana&password=x&dbname=citas"
    );
    assert_eq!(
        one("postgres://ana@%2Frun%2Fpostgresql/citas"),
        "postgres:///?host=%2Frun%2Fpostgresql&user=ana&dbname=citas"
    );
    assert_eq!(one("POSTGRES://db"), "postgres:///?host=db");
    assert_eq!(
        one("postgres:///citas?user=ana&password=p%2Bq+r"),
        "postgres:///?user=ana&password=p%2Bq%2Br&dbname=citas"
    );
    assert_eq!(
        given("postgres://db1:5,db2/n?target_session_attrs=read-write"),
        ["postgres:///?host=db1&port=5&dbname=n", "postgres:///?host=db2&dbname=n"]
    );
    assert_eq!(
        given("postgres://[::1]:5,db2:6/n?port=7"),
        ["postgres:///?host=%3A%3A1&port=7&dbname=n", "postgres:///?host=db2&port=7&dbname=n"]
    );
    assert_eq!(given("postgres:///n?host=a,b&port=1,2")[1], "postgres:///?host=b&port=2&dbname=n");
    assert!(refused("postgres://a,b,c/n?port=1,2").contains("ports than hosts"));
}

#[test]
fn a_schema_is_found_in_every_clients_words() {
    for (parameter, path) in [
        ("schema=app", "\"app\""),
        ("schema=My%22App", "\"My\"\"App\""),
        ("schema=app,public", "\"app\", \"public\""),
        ("currentSchema=app,public", "app,public"),
        ("search_path=app%2Cpublic", "app,public"),
        ("searchPath=app", "app"),
        ("options=-csearch_path%3Dapp", "app"),
        ("options=-c%20search_path%3Dapp", "app"),
        ("options=-c+search_path=app", "app"),
        ("options=-c%20search_path=app,%5C%20public", "app, public"),
        ("options=--search_path=app", "app"),
        ("options=--search-path%3Dapp", "app"),
        ("options=-c%20geqo=off%20-cSEARCH_PATH=app", "app"),
        ("options[search_path]=app", "app"),
        ("options%5Bsearch_path%5D=app", "app"),
        ("schema=app&options=-csearch_path=app", "app"),
    ] {
        let url = parsed(&format!("postgres://db/citas?{parameter}"));
        assert_eq!(url.search_path.as_deref(), Some(path), "{parameter}");
        assert!(!url.hosts[0].expose().to_lowercase().contains("search"), "{parameter}");
    }
    assert_eq!(parsed("postgres://db/citas?schema=").search_path, None);
    assert_eq!(
        given("postgres://db/n?options=-c%20geqo=off%20-csearch_path=app%20--work_mem=8MB")[0],
        "postgres:///?host=db&dbname=n&options=-c+geqo%3Doff+-c+work_mem%3D8MB"
    );
    assert!(refused("postgres://db/n?schema=app&search_path=other").contains("several ways"));
}

#[test]
fn what_means_nothing_here_stops_nothing() {
    for parameter in [
        "pgbouncer=true&connection_limit=1&pool_timeout=0&connect_timeout=30&socket_timeout=3",
        "channel_binding=prefer",
        "gssencmode=disable&krbsrvname=x",
        "sslcompression=0&sslsni=1&sslmode=prefer",
        "ssl_min_protocol_version=TLSv1.2",
        "sslaccept=accept_invalid_certs",
        "keepalives=1&fallback_application_name=x&client_encoding=auto&load_balance_hosts=disable",
        "statement_cache_size=0&prepareThreshold=0&reWriteBatchedInserts=true&tcpKeepAlive=true",
        "sslnegotiation=postgres&sslfactory=x&ssl=false",
        "supa=base-pooler.x",
    ] {
        parsed(&format!("postgres://ana:b@db/citas?{parameter}"));
    }
    assert_eq!(
        given("postgres://db/n?application_name=mi+app")[0],
        "postgres:///?host=db&dbname=n&application_name=mi%2Bapp"
    );
}

#[test]
fn what_asks_for_protection_is_granted_or_refused_by_its_name() {
    for (parameter, mode) in [
        ("sslmode=require", "require"),
        ("sslmode=REQUIRE", "require"),
        ("sslmode=allow", "prefer"),
        ("sslmode=no-verify", "require"),
        ("sslmode=require&sslrootcert=ca.crt", "verify-ca"),
        ("sslrootcert=system", "verify-full"),
        ("sslmode=verify-full&sslrootcert=system", "verify-full"),
        ("sslaccept=strict", "verify-full"),
        ("sslmode=require&sslaccept=strict", "verify-full"),
        ("sslmode=require&channel_binding=require", "verify-full"),
        ("ssl=true", "verify-full"),
        ("ssl=true&sslmode=require", "require"),
        ("requiressl=1", "require"),
    ] {
        let url = given(&format!("postgres://db/n?{parameter}")).pop().unwrap();
        assert!(url.split('&').any(|pair| pair == format!("sslmode={mode}")), "{parameter}: {url}");
    }
    let both = parsed("postgres://db/n?sslcert=a.crt&sslkey=a.key&sslrootcert=ca.crt");
    assert_eq!(both.files.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["sslrootcert", "sslcert", "sslkey"]);
    for (parameter, name) in [
        ("sslcert=a.crt", "sslcert"),
        ("sslkey=a.key", "sslkey"),
        ("sslidentity=a.p12", "sslidentity"),
        ("sslpassword=x", "sslpassword"),
        ("sslcrl=x", "sslcrl"),
        ("sslcrldir=x", "sslcrldir"),
        ("sslcertmode=require", "sslcertmode"),
        ("require_auth=scram-sha-256", "require_auth"),
        ("requirepeer=postgres", "requirepeer"),
        ("gssencmode=require", "gssencmode"),
        ("ssl_min_protocol_version=TLSv1.3", "ssl_min_protocol_version"),
        ("sslmode=disable&channel_binding=require", "channel_binding"),
        ("sslmode=disable&sslaccept=strict", "sslaccept"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system"),
        ("sslaccept=stict", "sslaccept"),
        ("sslmod=verify-full", "ssl…"),
        ("service=shop", "service"),
    ] {
        let said = refused(&format!("postgres://db/n?{parameter}"));
        assert!(said.contains(name), "{parameter}: {said}");
    }
}

#[test]
fn which_of_several_hosts_is_wanted_is_read_in_every_clients_words() {
    for (parameter, wanted) in [
        ("", SessionAttrs::Any),
        ("target_session_attrs=any", SessionAttrs::Any),
        ("target_session_attrs=read-write", SessionAttrs::ReadWrite),
        ("target_session_attrs=read-only", SessionAttrs::ReadOnly),
        ("target_session_attrs=primary", SessionAttrs::Primary),
        ("target_session_attrs=standby", SessionAttrs::Standby),
        ("target_session_attrs=prefer-standby", SessionAttrs::PreferStandby),
        ("targetServerType=preferSecondary", SessionAttrs::PreferStandby),
        ("targetServerType=primary", SessionAttrs::Primary),
    ] {
        assert_eq!(parsed(&format!("postgres://a,b/n?{parameter}")).wanted, wanted, "{parameter}");
    }
    assert!(refused("postgres://a,b/n?target_session_attrs=leader").contains("target_session_attrs"));
}

#[test]
fn a_mistyped_password_is_never_repeated() {
    for url in [
        "postgres://ana:12/cl4ve@db/citas",
        "postgres://ana:12?cl4ve@db/citas",
        "postgres://ana:12#cl4ve@db/citas",
        "postgres://ana:cl4ve@db:puerto/citas",
        "postgres://ana:cl4ve/x@db/citas",
        "postgres://ana:cl4ve@db/citas?sslmode=cl4ve",
        "postgres://ana:cl4ve@db/citas?sslmod=verify-full",
        "postgres://ana:cl4ve%FF@db/citas",
        "ana:cl4ve",
    ] {
        let said = refused(url);
        assert!(!said.contains("cl4ve"), "{said}");
    }
    let url = parsed("postgres://ana:cl4ve@db/citas");
    assert!(!format!("{url:?}").contains("cl4ve"));
}
