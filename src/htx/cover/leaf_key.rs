//! What kind of key a server's certificate is for.

use std::fmt;

/// The kind of key of a leaf certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafKey {
    /// RSA, of whatever length.
    Rsa,
    /// ECDSA over P-256.
    P256,
    /// ECDSA over P-384.
    P384,
    /// ECDSA over P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// Another, or a certificate that cannot be read.
    Other,
}

const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;
const EXPLICIT_VERSION: u8 = 0xA0;
/// Serial number, signature algorithm, issuer, validity, subject: what stands before the key.
const BEFORE_KEY: usize = 5;

const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A];
const EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x23];
const ED25519: &[u8] = &[0x2B, 0x65, 0x70];

impl LeafKey {
    /// The kind of key of a certificate in DER (RFC 5280).
    pub fn of_certificate(der: &[u8]) -> Self {
        algorithm(der).map_or(Self::Other, |(algorithm, curve)| Self::named(algorithm, curve))
    }

    fn named(algorithm: &[u8], curve: Option<&[u8]>) -> Self {
        match (algorithm, curve) {
            (RSA | RSA_PSS, _) => Self::Rsa,
            (ED25519, _) => Self::Ed25519,
            (EC, Some(P256)) => Self::P256,
            (EC, Some(P384)) => Self::P384,
            (EC, Some(P521)) => Self::P521,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for LeafKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::P256 => "ECDSA P-256",
            Self::P384 => "ECDSA P-384",
            Self::P521 => "ECDSA P-521",
            Self::Ed25519 => "Ed25519",
            Self::Other => "another kind of key",
        })
    }
}

/// The object ids of algorithm and, where there is one, curve.
fn algorithm(der: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut to_be_signed, _) = element(certificate, SEQUENCE)?;
    if to_be_signed.first() == Some(&EXPLICIT_VERSION) {
        (_, _, to_be_signed) = any_element(to_be_signed)?;
    }
    for _ in 0..BEFORE_KEY {
        (_, _, to_be_signed) = any_element(to_be_signed)?;
    }
    let (key, _) = element(to_be_signed, SEQUENCE)?;
    let (identifier, _) = element(key, SEQUENCE)?;
    let (algorithm, parameters) = element(identifier, OBJECT_ID)?;
    Some((algorithm, element(parameters, OBJECT_ID).map(|(curve, _)| curve)))
}

/// The content of an element of this kind, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    any_element(bytes).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// Tag, content, and what follows. Lengths of more than four bytes are none of a certificate's.
fn any_element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    if first < 0x80 {
        let (content, rest) = rest.split_at_checked(usize::from(first))?;
        return Some((tag, content, rest));
    }
    let (digits, rest) =
        rest.split_at_checked(usize::from(first & 0x7F)).filter(|(digits, _)| digits.len() <= 4)?;
    let len = digits.iter().fold(0, |len: u32, digit| (len << 8) | u32::from(*digit));
    let (content, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use proptest::prelude::*;

    use super::*;

    /// Made with Python's cryptography; the keys are gone.
    const CERTIFICATES: [(LeafKey, &str); 4] = [
        (
            LeafKey::Rsa,
            "MIIBizCB9aADAgECAgEBMA0GCSqGSIb3DQEBCwUAMAwxCjAIBgNVBAMMAWEwHhcNMjYwMTAxMDAwMDAwWhcNMjcwMTAxMDAwMDAwWjAMMQowCAYDVQQDDAFhMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1zS9bQcBqf/0QdJIEn2bh6rRxJwBbgMDYBoYds/fH/fBkU1moPvJM2xfGa2J/qsI4QLpgWax6zt8Bnua6jc+xPZOTfVYFl2MGr2g+fYnelASc03mw2bCT8DKDW1HOEMAii2GlS0M4hZ9sFXOubqdB9E4u5WM6Ly5tA48NlctrOwIDAQABMA0GCSqGSIb3DQEBCwUAA4GBAFpv0jW8WS8veAfaBf4tXMJV2T2vy3wI/ue8FW0MherFkfVb8HRq+nmOtI5T+0QQ9zsW2wo4gg5t69uEA+1GGPb5krywVqay3L+vNqR5iSHjuplDgKjEqYnzNFV/wqdz1NRmK908eDyxE0Eug8odOhZrVrcjiZWtV6+wHUhyzLdP",
        ),
        (
            LeafKey::P256,
            "MIIBBDCBq6ADAgECAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAWEwHhcNMjYwMTAxMDAwMDAwWhcNMjcwMTAxMDAwMDAwWjAMMQowCAYDVQQDDAFhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdr2Qsrx3KM/q66BEqsc4wQbT7dl85d/P0m4Dl7BdzevWMYzdy5LutqNRwp4/ov8NGKwGJMyRQnV64OsHx5byhTAKBggqhkjOPQQDAgNIADBFAiEAqQlDRi02oukJRzWn+ZujOdd1OFSxRwDgekpnLevOr4ICIE8d0qoNKG+s7BrUKEZCifIpgj1fEQCf1ORjQqknT1ZL",
        ),
        (
            LeafKey::P384,
            "MIIBQDCByKADAgECAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAWEwHhcNMjYwMTAxMDAwMDAwWhcNMjcwMTAxMDAwMDAwWjAMMQowCAYDVQQDDAFhMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAELieKZ9tBLmgeLG247oKxrf4KAVKN+D7iS9M+Wrm0Ce4xSvVtF/1Ffepet3zbodXYgMt4JEKxiBHmAOoiZz0H2xGcdSNQd6Rx4gAHSTtYfROpFiycDYWe71bLPHypyKwqMAoGCCqGSM49BAMCA2cAMGQCMDo5CKywGflFjcoLiCZAEzseed3zyb0Cmw//4NODqnFtg+tLZOUvxWxps/tWRYQwVgIwGk5FHGtwCAgdlKbkqz3tIqaPMZ+tejyckuHt1xAPY4irilbf+wzDQ6Tw4T+nv09C",
        ),
        (
            LeafKey::Ed25519,
            "MIHDMHegAwIBAgIBATAFBgMrZXAwDDEKMAgGA1UEAwwBYTAeFw0yNjAxMDEwMDAwMDBaFw0yNzAxMDEwMDAwMDBaMAwxCjAIBgNVBAMMAWEwKjAFBgMrZXADIQCdNxG82l8j7Bghkp/I0IPh4YA9hAmo3tkFxJFGw7VOqDAFBgMrZXADQQAdlLkkfBis9y2s9NzOBDN8sVS9wrv9ZS68kXn4nM46p6YbDcmbP0z/F29VKv4Vg48eaXsS6gLUJWJ3BqSwgBAE",
        ),
    ];

    #[test]
    fn the_kind_of_key_is_read_from_the_certificate() {
        for (kind, certificate) in CERTIFICATES {
            assert_eq!(LeafKey::of_certificate(&BASE64.decode(certificate.as_bytes()).unwrap()), kind);
        }
    }

    #[test]
    fn a_certificate_that_is_cut_is_of_another_kind() {
        let certificate = BASE64.decode(CERTIFICATES[1].1.as_bytes()).unwrap();
        for len in 0..certificate.len() {
            assert_eq!(LeafKey::of_certificate(&certificate[..len]), LeafKey::Other);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            LeafKey::of_certificate(&bytes);
        }
    }
}
