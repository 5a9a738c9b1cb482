//! The codes of ISO 4217, as of 2025, of what money is counted in.

const CODES: &str = "\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF \
    CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF \
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD \
    LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP \
    PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP \
    TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XDR XOF XPF YER ZAR ZMW ZWG";

/// The code that a text is, in any case.
pub(crate) fn find(text: &str) -> Option<&'static str> {
    CODES.split(' ').find(|code| code.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_one_of_the_codes_in_any_case() {
        assert_eq!((find("EUR"), find("usd"), find("Pen")), (Some("EUR"), Some("USD"), Some("PEN")));
        for none in ["", " ", "EU", "EURO", "AED AFN", "ERU", "$"] {
            assert_eq!(find(none), None, "{none}");
        }
        assert!(CODES.split(' ').is_sorted() && CODES.split(' ').all(|code| code.len() == 3));
    }
}
