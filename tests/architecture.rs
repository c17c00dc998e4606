//! The floors of `src/lib.rs`, checked: rooms import only downwards, the core reaches for nothing ambient,
//! files stay small and are named for their nouns. `docs/architecture.md` tells why.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::fs;
use std::path::{Path, PathBuf};

/// Every room and its floor. A room not listed here does not pass.
const FLOORS: [(&str, u8); 24] = [
    ("ids", 0),
    ("bucket", 0),
    ("nickname", 0),
    ("time", 0),
    ("message", 0),
    ("capabilities", 0),
    ("wire", 1),
    ("crypto", 1),
    ("link", 2),
    ("htx", 2),
    ("mesh", 3),
    ("router", 3),
    ("sim", 4),
    ("clock", 5),
    ("config", 5),
    ("radio", 6),
    ("net", 6),
    ("storage", 6),
    ("transports", 7),
    ("node", 8),
    ("relay", 8),
    ("api", 9),
    ("cli", 10),
    ("main", 11),
];
/// The highest floor below the wall.
const WALL: u8 = 4;
/// Lines of code in a file, its tests not counted.
const MAX_LINES: usize = 500;
/// Modules of `std` that the core has no business with.
const AMBIENT_MODULES: [&str; 4] = ["net", "fs", "env", "thread"];
/// Names that stand for a clock or a source of randomness nobody handed in.
const AMBIENT_NAMES: [&str; 6] =
    ["SystemTime", "OsRng", "thread_rng", "getrandom", "from_entropy", "from_os_rng"];
/// Names for drawers, and marks of a twin.
const DRAWERS: [&str; 11] = [
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "service", "base", "types", "prelude",
];
const TWINS: [&str; 5] = ["advanced_", "new_", "v2_", "old_", "_backup"];

#[test]
fn the_house_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<PathBuf> = ["src", "examples", "hw-tests", "fuzz", "tests"]
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)))
        .collect();
    assert!(files.len() > 20, "the sources were not found under {}", root.display());

    let mut sins = Vec::new();
    for file in files {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        sins.extend(sins_of(&path, &fs::read_to_string(&file).unwrap()));
    }
    assert!(sins.is_empty(), "{} sins:\n{}", sins.len(), sins.join("\n"));
}

/// Everything wrong with one file, as `path:line: what`.
fn sins_of(path: &str, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let mut sins = forbidden_names(path, &tokens);
    if let Some(inside) = path.strip_prefix("src/") {
        let room = inside.split(['/', '.']).next().unwrap_or(inside);
        sins.extend(mod_soup(inside, &tokens));
        sins.extend(too_long(source));
        if room != "lib" {
            sins.extend(edges(room, inside, &tokens));
        }
        if floor(room).is_some_and(|floor| floor <= WALL) {
            sins.extend(ambient(&tokens));
        }
    }
    sins.into_iter().map(|(line, sin)| format!("{path}:{line}: {sin}")).collect()
}

type Token<'a> = (usize, &'a str);
type Sin = (usize, String);

/// Imports that do not go down.
fn edges(room: &str, inside: &str, tokens: &[Token]) -> Vec<Sin> {
    let Some(from) = floor(room) else {
        return vec![(1, format!("room `{room}` has no floor in tests/architecture.rs"))];
    };
    let root = if room == "main" { "hopline" } else { "crate" };
    let mut sins = Vec::new();
    for (line, target) in heads(tokens, &[root]) {
        let allowed = match floor(target) {
            _ if target == room => true,
            None => false,
            Some(_) if room == "main" => target == "cli",
            Some(to) => to < from || from == 0 && to == 0,
        };
        if !allowed {
            sins.push((line, format!("`{room}` imports `{target}`, which is not below it")));
        }
    }
    sins.extend(supers(room, inside, tokens));
    sins
}

/// Imports that go around the rule above: `super` as often as the file is deep, once more in its tests.
fn supers(room: &str, inside: &str, tokens: &[Token]) -> Vec<Sin> {
    let depth = inside.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count();
    let tests = tokens.windows(2).position(|pair| texts(pair).eq(["mod", "tests"])).unwrap_or(tokens.len());
    let (code, tests) = tokens.split_at(tests);
    let mut sins = Vec::new();
    for (tokens, depth) in [(code, depth), (tests, depth + 1)] {
        let path = ["super", "::"].repeat(depth);
        for found in tokens.windows(path.len()).filter(|found| texts(found).eq(path.iter().copied())) {
            sins.push((found[0].0, format!("`{room}` is left by `super`; write `crate::`")));
        }
    }
    sins
}

/// Clocks, randomness and the operating system, which the core is handed or does without.
fn ambient(tokens: &[Token]) -> Vec<Sin> {
    let modules = heads(tokens, &["std"]).into_iter().filter(|(_, name)| AMBIENT_MODULES.contains(name));
    let names = tokens.iter().copied().filter(|(_, name)| AMBIENT_NAMES.contains(name));
    let mut sins: Vec<Sin> =
        modules.chain(names).map(|(line, name)| (line, format!("`{name}` below the wall"))).collect();
    for (line, name) in heads(tokens, &["Instant"]) {
        if name == "now" {
            sins.push((line, "`Instant::now` below the wall".to_owned()));
        }
    }
    sins
}

/// Logic in `mod.rs`, and exports that nobody can read.
fn mod_soup(inside: &str, tokens: &[Token]) -> Vec<Sin> {
    let mut sins = Vec::new();
    for (index, &(line, text)) in tokens.iter().enumerate() {
        if text == "fn" && inside.ends_with("/mod.rs") {
            sins.push((line, "a function in `mod.rs`".to_owned()));
        }
        let exported = index > 0 && ["pub", ")"].contains(&tokens[index - 1].1);
        if text == "use"
            && exported
            && texts(&tokens[index..]).take_while(|text| *text != ";").any(|text| text == "*")
        {
            sins.push((line, "`pub use …::*`".to_owned()));
        }
    }
    sins
}

/// More code than one can hold in mind.
fn too_long(source: &str) -> Option<Sin> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or(source);
    let lines = code.lines().count();
    (lines > MAX_LINES).then(|| (lines, format!("{lines} lines before the tests, at most {MAX_LINES}")))
}

/// Drawers, twins, and names that repeat their folder: files and modules alike.
fn forbidden_names(path: &str, tokens: &[Token]) -> Vec<Sin> {
    let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    let modules = tokens.windows(2).filter(|pair| pair[0].1 == "mod").map(|pair| pair[1]);
    let named = parts.iter().map(|part| (1, *part)).chain(modules);
    let in_tests = |name: &str| path.starts_with("tests/") && name == "common";
    let mut sins: Vec<Sin> = named
        .filter(|(_, name)| {
            DRAWERS.contains(name) && !in_tests(name) || TWINS.iter().any(|twin| twin_of(name, twin))
        })
        .map(|(line, name)| (line, format!("the name `{name}`")))
        .collect();
    let repeats = |pair: &&[&str]| pair[1].starts_with(&format!("{}_", pair[0]));
    // cargo-fuzz looks for its targets in fuzz/fuzz_targets.
    for pair in parts.windows(2).filter(repeats).filter(|pair| pair[1] != "fuzz_targets") {
        sins.push((1, format!("`{}` repeats its folder", pair[1])));
    }
    sins
}

fn twin_of(name: &str, mark: &str) -> bool {
    if mark.starts_with('_') { name.ends_with(mark) } else { name.starts_with(mark) }
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The first names after `path::`, one for a plain path and one for each member of a `{group}`.
fn heads<'a>(tokens: &[Token<'a>], path: &[&str]) -> Vec<Token<'a>> {
    let path: Vec<&str> = path.iter().flat_map(|name| [*name, "::"]).collect();
    let mut heads = Vec::new();
    for start in 0..tokens.len() {
        if !texts(&tokens[start..]).take(path.len()).eq(path.iter().copied()) {
            continue;
        }
        let mut depth = 0;
        let mut first = true;
        for &(line, text) in &tokens[start + path.len()..] {
            match text {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," => first = depth == 1,
                name if first => {
                    heads.push((line, name));
                    first = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    heads
}

fn texts<'a>(tokens: &[Token<'a>]) -> impl Iterator<Item = &'a str> {
    tokens.iter().map(|(_, text)| *text)
}

/// Names and punctuation with their lines, without line comments. What stands in a string counts as code:
/// a path in one is rare, and a false alarm is loud.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let mut rest = line.split("//").next().unwrap_or(line).trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                _ if is_name(first) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
                _ if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            let (text, tail) = rest.split_at(length);
            tokens.push((index + 1, text));
            rest = tail.trim_start();
        }
    }
    tokens
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| match path.extension() {
            _ if path.ends_with("target") => Vec::new(),
            _ if path.is_dir() => rust_files(&path),
            Some(extension) if extension == "rs" => vec![path],
            Some(_) | None => Vec::new(),
        })
        .collect()
}

/// The checker itself, fed with small sins.
mod checker {
    use super::*;

    fn assert_sin(path: &str, source: &str, sin: &str) {
        assert_eq!(sins_of(path, source), [sin], "in {source:?}");
    }

    fn assert_clean(path: &str, source: &str) {
        assert_eq!(sins_of(path, source), [""; 0], "in {source:?}");
    }

    #[test]
    fn a_room_may_look_down_and_at_itself() {
        assert_clean("src/mesh/relay.rs", "use crate::wire::Packet;\nuse crate::mesh::config::Config;");
        assert_clean("src/time.rs", "use crate::ids::PeerId;");
        assert_clean("src/node/driver.rs", "use crate::{radio::Handle, storage, mesh::{Engine, event}};");
        assert_clean("src/lib.rs", "pub use crate::mesh::Engine;");
    }

    #[test]
    fn an_upward_import_is_a_sin() {
        let sin = "src/wire/packet.rs:2: `wire` imports `mesh`, which is not below it";
        assert_sin("src/wire/packet.rs", "\nuse crate::mesh::Engine;", sin);
        assert_sin("src/wire/packet.rs", "fn f() {\n crate::mesh::Engine::new() }", sin);
        assert_sin("src/wire/packet.rs", "use crate::{ids::PeerId,\n mesh::{Engine, Config}};", sin);
        let sin = "src/ids.rs:1: `ids` imports `wire`, which is not below it";
        assert_sin("src/ids.rs", "use crate::wire::Packet;", sin);
    }

    #[test]
    fn a_sideways_import_is_a_sin() {
        let sin = "src/wire/signing.rs:1: `wire` imports `crypto`, which is not below it";
        assert_sin("src/wire/signing.rs", "use crate::crypto::verify;", sin);
        let sin = "src/radio/handle.rs:1: `radio` imports `storage`, which is not below it";
        assert_sin("src/radio/handle.rs", "use crate::storage::load_or_create;", sin);
    }

    #[test]
    fn leaving_a_room_by_super_is_a_sin() {
        assert_clean("src/radio/bluez/central.rs", "use super::super::handle::Handle;");
        assert_clean("src/ids.rs", "mod tests { use super::*; }");
        let sin = "src/wire/packet.rs:1: `wire` is left by `super`; write `crate::`";
        assert_sin("src/wire/packet.rs", "use super::super::mesh::Engine;", sin);
        let sin = "src/wire/mod.rs:1: `wire` is left by `super`; write `crate::`";
        assert_sin("src/wire/mod.rs", "use super::mesh::Engine;", sin);
    }

    #[test]
    fn a_room_without_a_floor_is_a_sin() {
        let sin = "src/attic/box.rs:1: room `attic` has no floor in tests/architecture.rs";
        assert_sin("src/attic/box.rs", "", sin);
        let sin = "src/mesh/relay.rs:1: `mesh` imports `attic`, which is not below it";
        assert_sin("src/mesh/relay.rs", "use crate::attic::Box;", sin);
    }

    #[test]
    fn the_program_enters_by_the_command_line_only() {
        assert_clean("src/main.rs", "fn main() { hopline::cli::run() }");
        let sin = "src/main.rs:1: `main` imports `mesh`, which is not below it";
        assert_sin("src/main.rs", "use hopline::mesh::Engine;", sin);
    }

    #[test]
    fn the_ambient_is_a_sin_below_the_wall_and_none_above() {
        for (source, name) in [
            ("use std::net::TcpStream;", "net"),
            ("use std::{fmt, fs::File};", "fs"),
            ("let home = std::env::var(NAME);", "env"),
            ("std::thread::sleep(second);", "thread"),
            ("use std::time::SystemTime;", "SystemTime"),
            ("let rng = rand_core::OsRng;", "OsRng"),
            ("let now = std::time::Instant::now();", "Instant::now"),
        ] {
            assert_sin("src/link/layer.rs", source, &format!("src/link/layer.rs:1: `{name}` below the wall"));
            assert_clean("src/clock.rs", source);
        }
        assert_clean("src/link/layer.rs", "use std::fmt;\nlet environment = now.instant;");
    }

    #[test]
    fn a_file_of_more_than_500_lines_is_a_sin_and_its_tests_do_not_count() {
        let code = "// line\n".repeat(500);
        assert_clean("src/mesh/relay.rs", &format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}"));
        let sin = "src/mesh/relay.rs:501: 501 lines before the tests, at most 500";
        assert_sin("src/mesh/relay.rs", &format!("{code}// one more\n"), sin);
    }

    #[test]
    fn a_drawer_a_twin_and_an_echo_are_sins() {
        assert_sin("src/mesh/utils.rs", "", "src/mesh/utils.rs:1: the name `utils`");
        assert_sin("src/mesh/helpers/x.rs", "", "src/mesh/helpers/x.rs:1: the name `helpers`");
        assert_sin("src/mesh/mod.rs", "\nmod manager;", "src/mesh/mod.rs:2: the name `manager`");
        assert_sin("src/mesh/relay_backup.rs", "", "src/mesh/relay_backup.rs:1: the name `relay_backup`");
        assert_sin("examples/advanced_chat.rs", "", "examples/advanced_chat.rs:1: the name `advanced_chat`");
        assert_sin("src/mesh/mesh_relay.rs", "", "src/mesh/mesh_relay.rs:1: `mesh_relay` repeats its folder");
        assert_clean("tests/common/mod.rs", "");
        assert_clean("src/wire/packet_type.rs", "");
    }

    #[test]
    fn an_export_of_everything_is_a_sin() {
        let sin = "src/mesh/event.rs:1: `pub use …::*`";
        assert_sin("src/mesh/event.rs", "pub use crate::link::event::*;", sin);
        assert_sin("src/mesh/event.rs", "pub(crate) use crate::link::{event::*, Role};", sin);
        assert_clean("src/mesh/event.rs", "use super::*; pub fn product(a: u8, b: u8) { a * b }");
    }

    #[test]
    fn a_function_in_mod_rs_is_a_sin() {
        assert_sin(
            "src/mesh/mod.rs",
            "pub mod event;\nfn f() {}",
            "src/mesh/mod.rs:2: a function in `mod.rs`",
        );
    }

    #[test]
    fn comments_are_not_code() {
        assert_clean("src/wire/packet.rs", "/// See [`crate::mesh`].\nuse std::fmt; // crate::mesh");
    }
}
