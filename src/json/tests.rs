//! Bodies at their edges: what is refused, what it is told, and what stays as it was.

use super::*;

/// The body with one field set to other JSON, or (`value` is empty) left out.
pub(crate) fn with(body: &str, name: &str, value: &str) -> String {
    let fields = Fields::read(body.as_bytes()).unwrap();
    if value.is_empty() { fields.without(&[name]) } else { fields.with(&[(name, value)]) }
}

/// What a caller is told about a body, or nothing.
fn refusal(body: impl AsRef<[u8]>) -> Option<String> {
    Fields::read(body.as_ref()).err().map(|error| error.to_string())
}

fn field<'a>(fields: &Fields<'a>, name: &str) -> Field<'a> {
    fields.required(name).unwrap()
}

#[test]
fn what_is_no_object_is_refused_before_any_field_is_looked_at() {
    for body in ["null", "7", "[]", "[{}]", "\"{}\"", "true"] {
        assert_eq!(refusal(body).as_deref(), Some("the body must be an object"), "{body}");
    }
    for body in ["", " ", "{", "{}{}", "{} x", "{'a':1}", "{a:1}", "{\"a\":1,}", "\u{feff}{}", "NaN", "{}\0"] {
        let told = refusal(body).unwrap();
        assert!(told.starts_with("the body must be JSON: "), "{body:?}: {told}");
    }
    assert_eq!(refusal(b"{\"a\":\"\xff\"}"), Some("the body must be UTF-8".into()));
    assert_eq!(refusal(b"\x80{}"), Some("the body must be UTF-8".into()));
}

#[test]
fn a_value_that_not_every_reader_can_hold_is_refused_and_its_field_named() {
    for value in ["1e999", "-1e999", "{\"b\":[1e999]}", "01", "+1", "1.", ".5", "- 1", "Infinity", "nul"] {
        let told = refusal(format!("{{\"x\":0,\"a\":{value}}}")).unwrap();
        assert!(told.starts_with("a cannot be read: "), "{value}: {told}");
    }
    for text in [r"\x", r"\u12", r"\ud8", r"\ud83", r"\ud83g", "\n", "\0"] {
        let told = refusal(format!("{{\"a\":\"{text}\"}}")).unwrap();
        assert!(told.starts_with("a cannot be read: "), "{text:?}: {told}");
    }
    let huge = "9".repeat(1_000);
    assert!(refusal(format!("{{\"a\":{huge}}}")).unwrap().starts_with("a cannot be read: number out of range"));
}

#[test]
fn a_name_given_twice_is_named_however_it_is_spelt_and_however_deep() {
    for body in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"x":[{"a":1,"a":2}]}"#,
        r#"{"x":{"y":{"a":1,"c":{},"a":2}}}"#,
    ] {
        assert_eq!(refusal(body).as_deref(), Some("a is given twice"), "{body}");
    }
    assert_eq!(refusal(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"A":1}"#), None);
}

#[test]
fn nesting_has_a_bound_that_brackets_in_strings_do_not_count_to() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(refusal(nested(MAX_DEPTH)), None);
    assert_eq!(refusal(nested(MAX_DEPTH + 1)), Some("the body may be nested 64 deep at most".into()));
    let objects = "{\"a\":".repeat(MAX_DEPTH) + "{}" + &"}".repeat(MAX_DEPTH);
    assert_eq!(Fields::read(objects.as_bytes()).unwrap_err(), BadBody::TooDeep);
    // Neither finished nor bounded: a mebibyte of either must not be climbed down.
    for opening in ["[", "{\"a\":", "[{\"\":"] {
        assert_eq!(refusal(opening.repeat((1 << 20) / opening.len())), Some(BadBody::TooDeep.to_string()));
    }
    assert_eq!(refusal(format!("{{\"a\":\"{}\\\"{}\\\\\"}}", "[".repeat(500), "{".repeat(500))), None);
    // Behind a string that ends in a backslash the brackets count again.
    assert_eq!(refusal(format!("{{\"a\":\"\\\\\",\"b\":{}}}", "[".repeat(100))), Some(BadBody::TooDeep.to_string()));
}

#[test]
fn a_mebibyte_is_read_like_any_other_body() {
    let text = "ñ".repeat(1 << 19);
    let body = format!("{{\"a\":\"{text}\"}}");
    assert_eq!(field(&Fields::read(body.as_bytes()).unwrap(), "a").text().unwrap(), text);
    let body = format!("{{\"a\":[{}0]}}", "0,".repeat(1 << 19));
    assert_eq!(field(&Fields::read(body.as_bytes()).unwrap(), "a").array().unwrap().len(), (1 << 19) + 1);
    let names: Vec<String> = (0..50_000).map(|name| format!("\"{name}\":0")).collect();
    let names = names.join(",");
    assert_eq!(refusal(format!("{{{names},\"x\":0}}")), None);
    assert_eq!(refusal(format!("{{{names},\"49999\":0}}")), Some("49999 is given twice".into()));
}

#[test]
fn an_error_repeats_little_of_what_came_and_nothing_raw() {
    let name = format!("<script>\\u0007\\n{}", "é\\u202e".repeat(1_000));
    let told = refusal(format!("{{\"{name}\":1,\"{name}\":2}}")).unwrap();
    assert!(told.chars().count() < 80, "{told}");
    assert!(told.starts_with(r"<script>\u{7}\n"), "{told}");
    assert!(told.ends_with("… is given twice") && !told.chars().any(char::is_control), "{told}");
    let told = refusal(format!("{{\"{name}\":1e999}}")).unwrap();
    assert!(told.chars().count() < 150, "{told}");
    let value = format!("{{\"a\":\"{}\"}}", "secreto".repeat(1_000));
    let fields = Fields::read(value.as_bytes()).unwrap();
    for error in [
        field(&fields, "a").money().unwrap_err(),
        field(&fields, "a").one_of(&["x", "y"]).unwrap_err(),
        field(&fields, "a").id().unwrap_err(),
    ] {
        assert!(!error.to_string().contains("secreto"), "{error}");
    }
}

/// Every accessor by its name, on one value.
fn takes(accessor: &str, value: &str) -> Result<(), String> {
    let body = format!("{{\"f\":{value}}}");
    let fields = Fields::read(body.as_bytes()).unwrap_or_else(|error| panic!("{value}: {error}"));
    let field = field(&fields, "f");
    let outcome = match accessor {
        "id" => field.id().map(drop),
        "text_id" => field.text_id().map(drop),
        "text" => field.text().map(drop),
        "money" => field.money().map(drop),
        "number" => field.number().map(drop),
        "integer" => field.integer().map(drop),
        "flag" => field.flag().map(drop),
        "array" => field.array().map(drop),
        "object" => field.object().map(drop),
        "one_of" => field.one_of(&["uno", "dos"]).map(drop),
        other => panic!("{other}"),
    };
    outcome.map_err(|error| {
        assert_eq!(error.field_name(), Some("f"));
        error.to_string()
    })
}

#[test]
fn each_accessor_takes_its_own_and_says_of_anything_else_what_it_must_be() {
    let id = "an integer or a non-empty string";
    let (long, longest) =
        (format!("\"{}\"", "x".repeat(MAX_ID_BYTES + 1)), format!("\"{}\"", "x".repeat(MAX_ID_BYTES)));
    let digits = "9".repeat(MAX_ID_BYTES + 1);
    let table: [(&str, &str, &[&str], &[&str]); 10] = [
        (
            "id",
            id,
            &["7", "-7", "0", "9007199254740993", "\"a\"", "\" a\"", "\"7\"", r#""\u00f1""#, &longest],
            &[
                "1.0",
                "1e3",
                "-0",
                "null",
                "true",
                "\"\"",
                "\"  \"",
                r#""a\u0000""#,
                r#""a\n""#,
                "[]",
                "{}",
                &long,
                &digits,
            ],
        ),
        ("text_id", "a non-empty string", &["\"a\"", &longest], &["7", "\"\"", "null", r#""\u0000""#, &long]),
        ("text", "a string", &["\"\"", "\"a\"", r#""\u0000""#], &["7", "null", "true", "[\"a\"]", "{}"]),
        (
            "money",
            "a number or a decimal string",
            &["45.50", "0", "-0", "-1.5", "1e3", "\"45.50\"", "\"-3\"", "\"007\"", r#""\u0034""#],
            &[
                "\"\"",
                "\"-\"",
                "\"1.\"",
                "\".5\"",
                "\"1e3\"",
                "\"1,5\"",
                "\" 1\"",
                "\"1.2.3\"",
                "\"+1\"",
                "\"٣\"",
                "\"--1\"",
                "\"NaN\"",
                "null",
                "true",
                "[1]",
                "{}",
            ],
        ),
        ("number", "a number", &["25", "-0", "2.5", "1e-999"], &["\"25\"", "null", "false", "[]"]),
        ("integer", "an integer", &["25", "-3"], &["-0", "2.0", "2e0", "\"25\"", "null", "{}"]),
        ("flag", "true or false", &["true", "false"], &["0", "1", "\"true\"", "null", "[true]"]),
        ("array", "an array", &["[]", "[1,{}]"], &["{}", "\"[]\"", "null", "0"]),
        ("object", "an object", &["{}", "{\"a\":[]}"], &["[]", "\"{}\"", "null", "0"]),
        (
            "one_of",
            "one of uno, dos",
            &["\"uno\"", r#""\u0064os""#],
            &["\"tres\"", "\"\"", "null", "1", "\"UNO\"", "[]"],
        ),
    ];
    for (accessor, must_be, good, bad) in table {
        for value in good {
            assert_eq!(takes(accessor, value), Ok(()), "{accessor} {value}");
        }
        for value in bad {
            assert_eq!(takes(accessor, value), Err(format!("f must be {must_be}")), "{accessor} {value}");
        }
    }
}

#[test]
fn a_field_that_is_not_there_is_missing_and_null_is_there_only_where_it_must_be() {
    let fields = Fields::read(br#"{"a":null,"b":{"c":[{"d":1}]}}"#).unwrap();
    assert_eq!(fields.required("x").unwrap_err().to_string(), "x is missing");
    assert!(fields.optional("x").is_none() && fields.optional("a").is_none() && fields.optional("b").is_some());
    assert!(field(&fields, "a").or_null().is_none() && field(&fields, "b").or_null().is_some());
    let inner = field(&fields, "b").object().unwrap();
    assert_eq!(inner.required("x").unwrap_err().to_string(), "b.x is missing");
    let entry = field(&inner, "c").array().unwrap().next().unwrap();
    assert_eq!(entry.object().unwrap().required("e").unwrap_err().to_string(), "b.c[0].e is missing");
    assert_eq!(entry.object().unwrap().required("d").unwrap().text().unwrap_err().field_name(), Some("b.c[0].d"));
}

#[test]
fn half_a_character_passes_as_it_came_and_is_no_id() {
    for half in [r"\ud83d", r"\uDE00", r"\ud800\u0041", r"\udc00x", r"\ud83d\ud83d\ude00", r"\\\ud83d", r"\ude00\ud83d"]
    {
        let body = format!(r#"{{"f":"sin cebolla {half}","x":{{"{half}":["{half}"]}},"{half}":1}}"#);
        let fields = Fields::read(body.as_bytes()).unwrap_or_else(|error| panic!("{half}: {error}"));
        assert_eq!(fields.without(&["nothing"]), body);
        assert_eq!(fields.with(&[("f", "7")]), body.replace(&format!(r#""sin cebolla {half}""#), "7"));
        let note = field(&fields, "f");
        assert_eq!(note.any_text(), Ok(()));
        assert!(note.text().is_err() && note.id().is_err() && note.text_id().is_err(), "{half}");
        assert_eq!(field(&fields, "x").object().unwrap().raw(), format!(r#"{{"{half}":["{half}"]}}"#));
    }
    // Whole ones, and what only looks like a half.
    for whole in [r"\ud83d\ude00", r"\uD83D\uDE00", r"\\ud83d", r"\u0041\\"] {
        let body = format!(r#"{{"f":"{whole}"}}"#);
        assert!(field(&Fields::read(body.as_bytes()).unwrap(), "f").text().is_ok(), "{whole}");
    }
    assert_eq!(refusal(r#"{"\ud83d":1,"\ud83d":2}"#).map(|told| told.ends_with(" is given twice")), Some(true));
    assert_eq!(refusal(r#"{"\ud83d":1,"\ud83e":2,"\ude00":3,"\ud83d\ude00":4}"#), None);
}

#[test]
fn what_is_not_touched_stays_to_the_letter_and_in_its_place() {
    let body = " {\"z\" : 45.50, \"a\":1e2, \"\\u0062\": [ 1.0 ,2],\"\\\"\":\"\\u00f1\\/\", \"n\":-0 } ";
    let fields = Fields::read(body.as_bytes()).unwrap();
    assert_eq!(fields.raw(), body.trim());
    assert_eq!(fields.without(&["a", "nothing"]), r#"{"z":45.50,"\u0062":[ 1.0 ,2],"\"":"\u00f1\/","n":-0}"#);
    assert_eq!(fields.without(&["z", "a", "b", "\"", "n"]), "{}");
    assert_eq!(
        fields.with(&[("b", "7"), ("new", "null")]),
        r#"{"z":45.50,"a":1e2,"\u0062":7,"\"":"\u00f1\/","n":-0,"new":null}"#
    );
    assert_eq!(Fields::read(b"{}").unwrap().with(&[("id", "\"x\"")]), r#"{"id":"x"}"#);
}
