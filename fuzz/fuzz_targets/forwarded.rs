//! An address behind proxies is one that was named, and only a trusted peer is believed. A line a header.
#![no_main]

#[path = "../../src/http/forwarded.rs"]
mod forwarded;

use std::net::IpAddr;

use forwarded::{client_address, is_trusted};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let trusted: [IpNet; 2] = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n').take(8) {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append("x-forwarded-for", line);
        }
    }
    let stranger: IpAddr = "203.0.113.9".parse().unwrap();
    assert_eq!(client_address(stranger, &headers, &trusted), Ok(stranger));
    let proxy: IpAddr = "10.0.0.1".parse().unwrap();
    let lines = || headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes);
    match client_address(proxy, &headers, &trusted) {
        Ok(address) if address == proxy => {}
        // Written with something around it, or as it is.
        Ok(address) => assert!(lines().any(|line| !line.is_empty()), "{address} comes from nowhere"),
        Err(member) => assert!(lines().any(|line| line.split(|byte| *byte == b',').any(|m| m.trim_ascii() == member))),
    }
    assert!(is_trusted(proxy, &trusted));
});
