//! No entry of `tests/vectors/bitchat.json` is left out.

#[path = "common/vectors.rs"]
mod vectors;

use vectors::FILE;

/// Where vectors are tested, as text.
const TESTS: [&str; 3] =
    [include_str!("wire_vectors.rs"), include_str!("wire_rooms.rs"), include_str!("crypto_vectors.rs")];
/// Families of entries that a test goes through by the beginning of their names.
const FAMILIES: [(&str, &str); 2] =
    [("padding_len_", "\"padding_len_\""), ("identity_", "\"identity_{name}\"")];

#[test]
fn every_vector_has_a_test() {
    let untested: Vec<&str> = FILE["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|vector| vector["name"].as_str().unwrap())
        .filter(|name| {
            let family = FAMILIES.iter().find(|(prefix, _)| name.starts_with(prefix));
            let wanted = family.map_or_else(|| format!("\"{name}\""), |(_, said)| (*said).to_owned());
            !TESTS.iter().any(|test| test.contains(&wanted))
        })
        .collect();
    assert!(untested.is_empty(), "no test speaks of {untested:?}");
    assert!(FILE["vectors"].as_array().unwrap().len() >= 90);
}
