//! A body is taken exactly if the second opinion finds it sound; what is rewritten keeps what is not touched.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::json::{Field, Fields, quoted};
use pulso_fuzz::{check_refusal, is_sound, sound, whole, without};
use serde_json::{Value, json};

fuzz_target!(|body: &[u8]| {
    let field = match Field::read(body) {
        Ok(field) => field,
        Err(error) => {
            check_refusal(&error);
            assert!(!is_sound(body), "{error}");
            return;
        }
    };
    assert!(is_sound(body));
    accessors(&field);
    let whole = sound(field.raw());
    let Ok(fields) = Fields::read(body) else {
        assert!(!whole.is_object());
        return;
    };
    let names: Vec<&String> = whole.as_object().unwrap().keys().collect();
    for name in names.iter().copied().take(8) {
        let value = fields.required(name).unwrap();
        accessors(&value);
        assert_eq!(sound(value.raw()), whole[name]);
        assert_eq!(sound(&fields.without(&[name])), without(whole.clone(), &[name]));
        let mut set = whole.clone();
        set[name] = json!("nuevo");
        assert_eq!(sound(&fields.with(&[(name, r#""nuevo""#)])), set);
    }
    assert_eq!(sound(&fields.without(&[])), whole);
    let again = fields.with(&[]);
    assert_eq!(Fields::read(again.as_bytes()).unwrap().with(&[]), again, "rewriting a second time changes nothing");
});

/// Whatever the value is, an accessor answers with what the value is or with an error that is fit to be shown.
fn accessors(field: &Field<'_>) {
    let value: Value = serde_json::from_str(&whole(field.raw())).unwrap();
    assert_eq!(field.any_text().is_ok(), value.is_string());
    // A text with half a character in it is passed on and not read.
    let text = value.as_str().filter(|_| whole(field.raw()) == field.raw());
    match field.id() {
        Ok(id) => {
            assert!(!id.is_empty() && id.len() <= 200 && !id.chars().any(char::is_control));
            assert!(text == Some(&id) || field.raw() == id);
        }
        Err(error) => check_refusal(&error),
    }
    assert_eq!(field.text().ok().as_deref(), text);
    if let Some(text) = text {
        assert_eq!(quoted(text), value.to_string());
    }
    assert_eq!(field.number().is_ok(), value.is_number());
    if field.integer().is_ok() {
        assert!(field.raw().trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()));
    }
    if field.money().is_ok() {
        let amount = text.map_or_else(|| value.as_f64(), |text| text.parse().ok());
        assert!(amount.is_some_and(|amount: f64| !amount.is_nan()));
    }
    assert_eq!(field.flag().ok(), value.as_bool());
    assert_eq!(field.array().map(Iterator::count).ok(), value.as_array().map(Vec::len));
    assert_eq!(field.object().is_ok(), value.is_object());
    if let Err(error) = field.one_of(&["uno", "dos"]) {
        check_refusal(&error);
    }
}
