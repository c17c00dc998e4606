//! Every requirement on HTX that this version has to meet has a test that is named after it: `r10_…`.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::fs;
use std::path::Path;

/// The numbers of the compliance list (spec 14) that HTX without mixing and discovery has to meet.
const REQUIRED: [u8; 36] = [
    1, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 27, 28, 29, 30, 31, 32,
    33, 34, 36, 38, 39, 53, 54, 55,
];

#[test]
fn every_requirement_has_a_test_of_its_number() {
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut sources);
    }
    let missing: Vec<u8> =
        REQUIRED.into_iter().filter(|number| !sources.contains(&format!("fn r{number:02}_"))).collect();
    assert!(missing.is_empty(), "no test is named after {missing:?}");
}

fn read_all(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
