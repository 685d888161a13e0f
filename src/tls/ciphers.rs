//! Ciphers and versions by the names that OpenSSL has for them, which are those in a `redis.conf`.

use rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS13_AES_128_GCM_SHA256,
    TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

type Named = (&'static str, SupportedCipherSuite);

/// Those of TLS 1.3, the preferred first.
const SUITES_13: [Named; 3] = [
    ("TLS_AES_256_GCM_SHA384", TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_AES_128_GCM_SHA256", TLS13_AES_128_GCM_SHA256),
];

/// Those of TLS 1.2, the preferred first.
const SUITES_12: [Named; 6] = [
    ("ECDHE-ECDSA-AES256-GCM-SHA384", TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES256-GCM-SHA384", TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
];

/// The versions named in `tls-protocols`; all there are if it is empty. Older ones may be named beside those that are built.
///
/// # Errors
/// If it names something that is no version, or none that is built.
pub fn versions(setting: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    const INVALID: &str =
        "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.";
    if setting.trim().is_empty() {
        return Ok(vec![&TLS13, &TLS12]);
    }
    let mut versions = Vec::new();
    for name in setting.split_ascii_whitespace() {
        match name.to_ascii_lowercase().as_str() {
            "tlsv1.3" => versions.push(&TLS13),
            "tlsv1.2" => versions.push(&TLS12),
            "tlsv1" | "tlsv1.1" => {}
            _ => return Err(INVALID.to_owned()),
        }
    }
    match versions.is_empty() {
        true => Err("Of tls-protocols only TLSv1.2 and TLSv1.3 are built in.".to_owned()),
        false => Ok(versions),
    }
}

/// The suites that `tls-ciphersuites` (TLS 1.3) and `tls-ciphers` (TLS 1.2) choose; all of a version whose setting is empty.
///
/// # Errors
/// If one of them chooses nothing.
pub fn suites(ciphersuites: &str, ciphers: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen =
        by_name(ciphersuites).ok_or_else(|| format!("Failed to configure ciphersuites: {ciphersuites}"))?;
    chosen.extend(by_expression(ciphers).ok_or_else(|| format!("Failed to configure ciphers: {ciphers}"))?);
    Ok(chosen)
}

/// A list of names with colons between them.
fn by_name(setting: &str) -> Option<Vec<SupportedCipherSuite>> {
    if setting.is_empty() {
        return Some(SUITES_13.map(|(_, suite)| suite).to_vec());
    }
    let named = |name: &str| SUITES_13.iter().find(|(known, _)| *known == name);
    setting.split(':').map(|name| Some(named(name)?.1)).collect()
}

/// A list as `DEFAULT:!AES128` or `ECDHE+AESGCM:ECDHE-RSA-CHACHA20-POLY1305`: what each word matches is added or, behind `!`
/// or `-`, removed. Words for what is not built match nothing, as in OpenSSL.
fn by_expression(setting: &str) -> Option<Vec<SupportedCipherSuite>> {
    if setting.is_empty() {
        return Some(SUITES_12.map(|(_, suite)| suite).to_vec());
    }
    let mut chosen: Vec<&Named> = Vec::new();
    let words = setting.split([':', ',', ' ']).filter(|word| !word.is_empty());
    for word in words.filter(|word| !word.starts_with(['@', '+'])) {
        let matched = |named: &&Named| {
            word.trim_start_matches(['!', '-'])
                .split('+')
                .all(|part| is_of(named.0, part))
        };
        if word.starts_with(['!', '-']) {
            chosen.retain(|named| !matched(named));
            continue;
        }
        for named in SUITES_12.iter().filter(matched) {
            if !chosen.iter().any(|(name, _)| *name == named.0) {
                chosen.push(named);
            }
        }
    }
    (!chosen.is_empty()).then(|| chosen.iter().map(|(_, suite)| *suite).collect())
}

/// Whether a suite is of the kind that a word of OpenSSL's names.
fn is_of(name: &str, word: &str) -> bool {
    match word {
        "ALL" | "DEFAULT" | "HIGH" | "TLSv1.2" | "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" => true,
        "AESGCM" => name.contains("-AES") && name.contains("-GCM-"),
        "AES" | "AES128" | "AES256" | "CHACHA20" | "ECDSA" => name.contains(&format!("-{word}")),
        "aECDSA" => name.contains("-ECDSA-"),
        "aRSA" => name.contains("-RSA-"),
        _ => name == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of(ciphers: &str) -> Vec<&'static str> {
        let suites = by_expression(ciphers).unwrap_or_default();
        let name = |suite: SupportedCipherSuite| {
            SUITES_12
                .iter()
                .find(|(_, known)| *known == suite)
                .map(|(name, _)| *name)
        };
        suites.into_iter().filter_map(name).collect()
    }

    #[test]
    fn ciphers_are_chosen_as_openssl_does() {
        assert_eq!(names_of("").len(), 6);
        assert_eq!(names_of("DEFAULT:!MEDIUM").len(), 6);
        assert_eq!(
            names_of("ECDHE-RSA-AES128-GCM-SHA256:ECDHE+aRSA+AESGCM"),
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
        );
        assert_eq!(
            names_of("HIGH:!aECDSA:-AES128:@STRENGTH"),
            ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"]
        );
        assert_eq!(names_of("RC4-SHA"), [""; 0]);
        assert!(suites("", "RC4-SHA").is_err_and(|text| text == "Failed to configure ciphers: RC4-SHA"));
    }

    #[test]
    fn suites_of_tls_13_are_named_whole() {
        let chosen = suites("TLS_AES_128_GCM_SHA256", "ECDHE-RSA-CHACHA20-POLY1305");
        assert_eq!(
            chosen.ok(),
            Some(vec![
                TLS13_AES_128_GCM_SHA256,
                TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            ])
        );
        assert!(suites("TLS_AES_128_GCM_SHA256:TLS_NULL", "").is_err());
    }

    #[test]
    fn versions_are_those_of_the_setting_that_are_built() {
        let count = |setting| versions(setting).map(|versions| versions.len());
        assert_eq!(count(""), Ok(2));
        assert_eq!(count("TLSv1.1 tlsv1.2"), Ok(1));
        assert!(count("TLSv1 TLSv1.1").is_err());
        assert!(count("TLSv1.2 SSLv3").is_err_and(|text| text.starts_with("Invalid tls-protocols")));
    }
}
