//! A page's origin: first line the header `Origin`, second line the header `Host`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::access::origin::OriginPolicy;
use pulso::config::AllowedOrigins;

fuzz_target!(|text: &str| {
    let (origin, host) = text.split_once('\n').unwrap_or((text, "pulso.example"));
    let listed = AllowedOrigins::Listed(vec!["https://pulso.example".to_owned()]);
    let unset = OriginPolicy::new(AllowedOrigins::SameOriginAndLocalhost);
    if OriginPolicy::new(listed).may_connect(Some(origin), Some(host)) {
        let origin = origin.to_ascii_lowercase();
        assert!(["https://pulso.example", "https://pulso.example:443"].contains(&origin.as_str()), "{origin}");
    }
    if unset.may_connect(Some(origin), Some(host)) {
        let origin = origin.to_ascii_lowercase();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let authority = authority.expect("only pages of the web");
        let is_local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| authority.starts_with(local));
        let name =
            |authority: &str| authority.trim_end_matches(|end: char| end == ':' || end.is_ascii_digit()).to_owned();
        assert!(is_local || name(authority) == name(&host.to_ascii_lowercase()), "{origin} on {host}");
    }
});
