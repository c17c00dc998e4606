//! Bringing the command line, the file and what the home remembers together.

use std::io;
use std::path::{Path, PathBuf};

use rand_core::{OsRng, RngCore};

use crate::config::{ConfigError, Document, Origin, Setting};
use crate::node::error::HomeError;
use crate::node::home::Home;
use crate::node::name::check_nickname;

use super::error::LoadError;
use super::moved::moved;
use super::radio::RadioChoice;
use super::sections::{self, Config};

/// What the command line says; it wins over `config.toml`.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The nickname, remembered for later starts.
    pub nickname: Option<String>,
    /// The radio.
    pub radio: Option<RadioChoice>,
    /// The adapters for `bluez`.
    pub adapters: Vec<String>,
}

/// A configuration, and why it is as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every key, in the order of the sections.
    pub settings: Vec<Setting>,
}

impl Config {
    /// Loads the configuration of a home, whose nickname is remembered from then on.
    pub fn load(home: &Home, overrides: Overrides) -> Result<Self, LoadError> {
        let Loaded { config, settings } = Loaded::look(home, overrides)?;
        let is_new = |origin| matches!(origin, Origin::CommandLine | Origin::Default);
        if settings.iter().any(|setting| setting.key == "node.nickname" && is_new(setting.origin)) {
            home.remember_nickname(&config.nickname)?;
        }
        Ok(config)
    }
}

impl Loaded {
    /// Loads it and changes nothing: the command line first, then `config.toml`, then what the home remembers.
    pub fn look(home: &Home, overrides: Overrides) -> Result<Self, LoadError> {
        let nickname = overrides.nickname.as_deref().map(check_nickname).transpose()?;
        let overrides = Overrides { nickname, ..overrides };
        let file = home.config();
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { file, source }.into()),
        };
        let mut loaded = read(&file, &text, overrides, home.nickname()?)?;
        loaded.config.files.directory = home.path().join(&loaded.config.files.directory);
        loaded.config.betanet.relays.iter_mut().for_each(|relay| relay.inside(home.path()));
        loaded.config.betanet.ca = loaded.config.betanet.ca.map(|path| home.path().join(path));
        Ok(loaded)
    }
}

/// Checks a file, and says how many keys it has.
pub fn check(file: &Path) -> Result<usize, ConfigError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
    let loaded = read(file, &text, Overrides::default(), None)?;
    let written = loaded.settings.iter().filter(|setting| matches!(setting.origin, Origin::File { .. }));
    Ok(written.count())
}

/// Where a node lives when nobody says otherwise: `$XDG_DATA_HOME/hopline`, or `~/.local/share/hopline`.
pub fn default_home() -> Result<PathBuf, HomeError> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    variable("XDG_DATA_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
        .map(|data| data.join("hopline"))
        .ok_or(HomeError::Unknown)
}

fn read(
    file: &Path,
    text: &str,
    overrides: Overrides,
    remembered: Option<String>,
) -> Result<Loaded, ConfigError> {
    let mut document = Document::parse(file, text, moved)?;
    let mut drawn = [0; 4];
    OsRng.try_fill_bytes(&mut drawn).map_err(ConfigError::Random)?;
    let made_up = format!("anon{}", 1000 + u32::from_be_bytes(drawn) % 9000);
    let config = sections::read(&mut document, overrides, remembered, made_up);
    Ok(Loaded { config, settings: document.finish()? })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::capabilities::TransportKey;
    use crate::mesh::Policy;
    use crate::node::config::Radio;
    use crate::node::config::relays::RelayRecord;
    use crate::router;

    fn home(config: &str) -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path().to_owned());
        std::fs::write(home.config(), config).unwrap();
        (directory, home)
    }

    fn load(config: &str) -> Config {
        let (_directory, home) = home(config);
        Config::load(&home, Overrides::default()).unwrap()
    }

    /// What is wrong with a file, without its name.
    fn errors(config: &str) -> Vec<String> {
        let error = read(Path::new("c"), config, Overrides::default(), None).unwrap_err().to_string();
        error.lines().map(|line| line.strip_prefix("c:").unwrap().to_owned()).collect()
    }

    #[test]
    fn an_empty_file_is_the_default_of_every_room() {
        let config = load("");
        assert_eq!(config.router, router::Config::default());
        assert_eq!(config.bitchat.radio, Radio::Bluez { adapters: Vec::new() });
        assert!(config.bitchat.enabled && config.direct.enabled && !config.direct.mdns);
        assert_eq!(config.outbox.max_age, crate::message::DEFAULT_AGE);
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_the_defaults() {
        let (_directory, home) =
            home("[node]\nnickname = \"ben\"\n[bitchat]\nradio = \"sim:air\"\nadapters = [\"hci1\"]\n");
        let configured = Config::load(&home, Overrides::default()).unwrap();
        assert_eq!(configured.nickname, "ben");
        assert_eq!(configured.bitchat.radio, Radio::Simulated { hub: PathBuf::from("air"), place: None });
        let overrides = Overrides {
            nickname: Some("@ada".to_owned()),
            radio: Some(RadioChoice::Bluez),
            adapters: Vec::new(),
        };
        let given = Config::load(&home, overrides).unwrap();
        assert_eq!(given.nickname, "ada");
        assert_eq!(given.bitchat.radio, Radio::Bluez { adapters: vec!["hci1".to_owned()] });
    }

    #[test]
    fn the_name_a_home_made_up_or_was_given_is_kept() {
        let (_directory, home) = home("");
        let name = |overrides| Config::load(&home, overrides).unwrap().nickname;
        let made_up = name(Overrides::default());
        let number: u32 = made_up.strip_prefix("anon").unwrap().parse().unwrap();
        assert!((1000..=9999).contains(&number));
        assert_eq!(name(Overrides::default()), made_up);
        name(Overrides { nickname: Some("ada".to_owned()), ..Overrides::default() });
        assert_eq!(name(Overrides::default()), "ada");
    }

    #[test]
    fn looking_changes_nothing() {
        let (_directory, home) = home("");
        let loaded = Loaded::look(&home, Overrides::default()).unwrap();
        let nickname = loaded.settings.iter().find(|setting| setting.key == "node.nickname").unwrap();
        assert_eq!((nickname.value.is_null(), nickname.origin), (true, Origin::Default));
        assert_eq!(home.nickname().unwrap(), None);
    }

    #[test]
    fn a_setting_says_where_it_comes_from() {
        let (_directory, home) = home("[router]\nattempts = 5\n");
        home.remember_nickname("ada").unwrap();
        let overrides = Overrides { adapters: vec!["hci1".to_owned()], ..Overrides::default() };
        let settings = Loaded::look(&home, overrides).unwrap().settings;
        let origin = |key: &str| settings.iter().find(|setting| setting.key == key).unwrap().origin;
        assert_eq!(origin("router.attempts"), Origin::File { line: 2 });
        assert_eq!(origin("router.failover"), Origin::Default);
        assert_eq!(origin("bitchat.adapters"), Origin::CommandLine);
        assert_eq!(origin("node.nickname"), Origin::Remembered);
    }

    #[test]
    fn the_founding_documents_names_of_transports_are_taken_and_what_is_not_listed_comes_last() {
        let config = load("router.priority = [\"mesh\", \"ble\"]\nrouter.failover_timeout = \"5s\"\n");
        let [direct, bitchat, betanet] = [TransportKey::Direct, TransportKey::Bitchat, TransportKey::Betanet];
        assert_eq!(config.router.priority, [direct, bitchat, betanet]);
        assert_eq!(config.router.failover_timeout, Duration::from_secs(5));
    }

    #[test]
    fn by_whose_rules_packets_are_passed_on_can_be_chosen() {
        let policy = |text: &str| load(text).settings().unwrap().mesh.policy;
        assert_eq!(policy(""), Policy::Hopline);
        assert_eq!(policy("bitchat.policy = \"ios\""), Policy::Ios);
        assert_eq!(policy("bitchat.policy = \"android\""), Policy::Android);
        assert_eq!(
            errors("bitchat.policy = \"iPhone\""),
            ["1: bitchat.policy: `iPhone` means nothing here; allowed is hopline, ios, android"]
        );
    }

    #[test]
    fn every_problem_of_a_file_is_named_with_its_line_and_what_is_allowed() {
        let config = "\
[bitchat]
hop_limit = 9
radios = 1
radio = \"lora\"

[router]
priority = [\"ble\", \"bitchat\"]
attempts = \"3\"

[outbox]
max_age = \"8d\"
";
        assert_eq!(
            errors(config),
            [
                "2: bitchat.hop_limit: 9 is not between 1 and 7",
                "3: bitchat.radios: this is not known here; known is enabled, radio, adapters, max_peers, hop_limit, policy, remember_messages, remember_for",
                "4: bitchat.radio: a radio is `bluez`, `sim:PATH` or `sim:PATH#NAME`, not `lora`",
                "7: router.priority: `bitchat` is listed twice",
                "8: router.attempts: a whole number from 0 up is wanted here, not a text",
                "11: outbox.max_age: 8d is not between 1min and 7d",
            ]
        );
    }

    #[test]
    fn an_element_of_a_list_is_named_by_its_own_line() {
        let config = "[direct]\nrelays = [\n  \"https://relay.example.org\",\n  \"relay.example.org\",\n]\n";
        assert_eq!(
            errors(config),
            ["4: direct.relays: a relay is an URL like `https://relay.example.org`, not `relay.example.org`"]
        );
        assert_eq!(
            errors("direct.advertise = [\"0.0.0.0:7\"]"),
            [
                "1: direct.advertise: `0.0.0.0:7` cannot be dialled: an advertised address names one host and a port"
            ]
        );
    }

    #[test]
    fn relays_are_links_or_files_inside_the_home_and_what_is_neither_is_named() {
        let (directory, home) =
            home("[betanet]\nrelays = [\"one.record\", \"/two.record\"]\nca = \"ca.pem\"\n");
        let config = Config::load(&home, Overrides::default()).unwrap();
        let file = |path: PathBuf| RelayRecord::File(path);
        let inside = |name: &str| directory.path().join(name);
        assert_eq!(config.betanet.relays, [file(inside("one.record")), file(PathBuf::from("/two.record"))]);
        assert_eq!(config.betanet.ca, Some(inside("ca.pem")));
        let missing = config.settings().unwrap_err().to_string();
        assert!(missing.contains("one.record"), "{missing}");
        assert_eq!(
            errors("[betanet]\nrelays = [\"a\", \"hopline://relay/A!\"]\n"),
            [
                "2: betanet.relays: this is no relay's record: the text ends before the record does, or was changed"
            ]
        );
        assert_eq!(
            errors("betanet.relays = [\"a\", \"b\", \"c\", \"d\"]"),
            ["1: betanet.relays: at most 3 can be listed, not 4"]
        );
    }

    #[test]
    fn a_key_that_has_another_place_is_told_where() {
        assert_eq!(
            errors(
                "nickname = \"ada\"\nbitchat_hop_limit = 7\nbetanet_api_url = \"http://localhost:8443\"\n"
            ),
            [
                "1: nickname: this is written as `nickname`, in the section `[node]`",
                "2: bitchat_hop_limit: this is written as `hop_limit`, in the section `[bitchat]`",
                "3: betanet_api_url: there is no HTTP back end to name: the node runs each transport itself",
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_named_by_its_lines() {
        let errors = errors("[node\nnickname = \"ada\"\n\n[router]\nattempts = = 3\n");
        let lines: Vec<&str> = errors.iter().map(|error| error.split(':').next().unwrap()).collect();
        assert_eq!(lines, ["1", "5"], "{errors:?}");
    }

    #[test]
    fn numbers_out_of_their_type_and_sections_that_are_none_are_refused() {
        assert_eq!(errors("bitchat.hop_limit = 300"), ["1: bitchat.hop_limit: 300 is not between 1 and 7"]);
        assert_eq!(
            errors("router.attempts = -1"),
            ["1: router.attempts: a whole number from 0 up is wanted here, not a negative one"]
        );
        assert_eq!(errors("router = 3"), ["1: router: a section is wanted here, not a number"]);
    }
}
