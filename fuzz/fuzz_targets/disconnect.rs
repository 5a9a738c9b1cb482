//! Whoever is to be disconnected is one, and has an id.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::model::DeviceName;
use pulso::access::disconnect::{Target, decode};
use pulso_fuzz::{check_refusal, sound};

fuzz_target!(|body: &[u8]| {
    let target = match decode(body) {
        Ok(target) => target,
        Err(error) => return check_refusal(&error),
    };
    let came = sound(std::str::from_utf8(body).unwrap());
    let (name, id) = match target {
        Target::User(id) => ("user", id),
        Target::Device(DeviceName::Uid(id)) => ("device_uid", id),
        Target::Device(DeviceName::Id(id)) => ("device_id", id),
    };
    assert!(!id.is_empty() && came.get(name).is_some());
    let named = ["user", "device_uid", "device_id"].into_iter().filter(|name| came.get(name).is_some());
    assert_eq!(named.count(), 1);
});
