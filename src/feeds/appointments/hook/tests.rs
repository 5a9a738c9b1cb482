//! The edges of a body.

use super::*;

fn named(body: &str, id_type: Option<IdType>) -> Result<String, ErrorWord> {
    let negocio =
        words::decode(body.as_bytes()).map_err(Rejection::from).and_then(|notice| negocio_of(&notice, id_type));
    negocio.map(|negocio| negocio.as_str().to_owned()).map_err(|rejection| rejection.word)
}

#[test]
fn a_body_names_a_business_in_the_form_of_the_column() {
    let text = Some(IdType::Text);
    assert_eq!(named(r#"{"negocio_id":"negocio_123"}"#, text), Ok("negocio_123".into()));
    assert_eq!(named(r#" {"negocio_id":"a","action":"created","more":[1]} "#, text), Ok("a".into()));
    assert_eq!(named(r#"{"negocio_id":"a","action":null,"note":"\ud83d"}"#, text), Ok("a".into()));
    assert_eq!(named(r#"{"negocio_id":"a","\ud83d":1,"action":"deleted"}"#, text), Ok("a".into()));
    assert_eq!(named(r#"{"negocio_id":7}"#, Some(IdType::Int4)), Ok("7".into()));
    assert_eq!(named(r#"{"negocio_id":"7"}"#, Some(IdType::Int4)), Ok("7".into()));
}

#[test]
fn a_body_that_does_not_is_a_bad_request() {
    let deep = format!(r#"{{"negocio_id":"a","hondo":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    for body in [
        "",
        "null",
        "[]",
        r#"["a"]"#,
        "{",
        "{}",
        r#"{"negocio_id":null}"#,
        r#"{"negocio_id":""}"#,
        r#"{"negocio_id":"  "}"#,
        r#"{"negocio_id":{}}"#,
        r#"{"negocio_id":7}"#,
        r#"{"negocio_id":"a"}{}"#,
        r#"{"negocio_id":"a"} x"#,
        r#"{"negocio_id":"a","negocio_id":"b"}"#,
        r#"{"negocio_id":"a","x":1,"x":1}"#,
        r#"{"negocio_id":"a","action":"exploded"}"#,
        r#"{"negocio_id":"a","action":1}"#,
        r#"{"negocio_id":"a","action":""}"#,
        "{\"negocio_id\":\"a\\u0000\"}",
        r#"{"negocio_id":"\ud83d"}"#,
        r#"{"negocio_id":"\ud83d","\ud83d":1}"#,
        r#"{"negocio_id":"a","\ud83d":1,"action":"\ud83d"}"#,
        "{\"negocio_id\":\"a\"",
        &deep,
    ] {
        assert_eq!(named(body, Some(IdType::Text)), Err(ErrorWord::BadRequest), "{body}");
    }
    assert_eq!(named(r#"{"negocio_id":"x"}"#, Some(IdType::Uuid)), Err(ErrorWord::BadRequest));
    assert_eq!(named(r#"{"negocio_id":1.5}"#, Some(IdType::Int8)), Err(ErrorWord::BadRequest));
    assert_eq!(named(r#"{"negocio_id":99999}"#, Some(IdType::Int2)), Err(ErrorWord::BadRequest));
}

#[test]
fn bad_input_is_told_from_an_absent_database() {
    assert_eq!(named(r#"{"negocio_id":"a"}"#, None), Err(ErrorWord::FiguresUnavailable));
    assert_eq!(named("{}", None), Err(ErrorWord::BadRequest));
}
