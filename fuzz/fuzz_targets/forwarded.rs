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
    assert_eq!(client_address(stranger, &headers, &trusted), stranger);
    let proxy: IpAddr = "10.0.0.1".parse().unwrap();
    let address = client_address(proxy, &headers, &trusted);
    let named = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let mut named = named.flat_map(|line| line.split(',')).filter_map(|entry| entry.trim().parse::<IpAddr>().ok());
    assert!(address == proxy || named.any(|entry| entry.to_canonical() == address));
    assert!(is_trusted(proxy, &trusted));
});
