//! The edges of a body.

use super::*;

fn status(body: &str, id_type: Option<IdType>) -> Result<String, u16> {
    negocio_of(body.as_bytes(), id_type)
        .map(|negocio| negocio.as_str().to_owned())
        .map_err(|refusal| refusal.status.as_u16())
}

#[test]
fn a_body_names_a_business_in_the_form_of_the_column() {
    let text = Some(IdType::Text);
    assert_eq!(status(r#"{"negocio_id":"negocio_123"}"#, text), Ok("negocio_123".into()));
    assert_eq!(status(r#" {"negocio_id":"a","action":"created","more":[1]} "#, text), Ok("a".into()));
    assert_eq!(status(r#"{"negocio_id":7}"#, Some(IdType::Int4)), Ok("7".into()));
    assert_eq!(status(r#"{"negocio_id":"7"}"#, Some(IdType::Int4)), Ok("7".into()));
}

#[test]
fn a_body_that_does_not_is_a_bad_request() {
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
        r#"{"negocio_id":"a","action":"exploded"}"#,
        r#"{"negocio_id":"a","action":null}"#,
        r#"{"negocio_id":"a","action":1}"#,
        "{\"negocio_id\":\"a\\u0000\"}",
        "{\"negocio_id\":\"a\"",
    ] {
        assert_eq!(status(body, Some(IdType::Text)), Err(400), "{body}");
    }
    assert_eq!(status(r#"{"negocio_id":"x"}"#, Some(IdType::Uuid)), Err(400));
    assert_eq!(status(r#"{"negocio_id":1.5}"#, Some(IdType::Int8)), Err(400));
    assert_eq!(status(r#"{"negocio_id":99999}"#, Some(IdType::Int2)), Err(400));
}

#[test]
fn bad_input_is_told_from_an_absent_database() {
    assert_eq!(status(r#"{"negocio_id":"a"}"#, None), Err(500));
    assert_eq!(status("{}", None), Err(400));
}
