//! Currencies of ISO 4217, list one, as published on 2026-01-01: every active code that has a minor unit. Codes without
//! a minor unit (metals, bond units, special drawing rights, tests) are not money with which a fare can be paid.

/// The codes, grouped by the number of decimals of their minor unit.
const BY_DECIMALS: [(u32, &str); 4] = [
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY \
         COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS \
         INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR \
         MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP \
         STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
    ),
    (
        0,
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

/// Number of decimals of an amount in this currency; `None` for an unknown currency.
#[must_use]
pub fn decimals(moneda: &str) -> Option<u32> {
    let found = BY_DECIMALS
        .iter()
        .find(|(_, codes)| codes.split(' ').any(|code| code == moneda));
    found.map(|(decimals, _)| *decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_each_code_once() {
        let mut codes: Vec<_> = BY_DECIMALS
            .iter()
            .flat_map(|(_, codes)| codes.split(' '))
            .collect();
        assert_eq!(codes.len(), 165);
        assert!(codes.iter().all(|code| code.len() == 3));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), 165);
    }

    #[test]
    fn tells_the_decimals() {
        assert_eq!(decimals("USD"), Some(2));
        assert_eq!(decimals("COP"), Some(2));
        assert_eq!(decimals("JPY"), Some(0));
        assert_eq!(decimals("KWD"), Some(3));
        assert_eq!(decimals("CLF"), Some(4));
        for unknown in ["XAU", "XXX", "BGN", "usd", "", "USD EUR"] {
            assert_eq!(decimals(unknown), None, "{unknown}");
        }
    }
}
