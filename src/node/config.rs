//! What a node is told at its start: from the command line, from `config.toml` in its home, from defaults.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use super::error::{ConfigError, HomeError, ValueError};
use super::home::Home;
use super::name::check_nickname;

/// Which radio a node uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Radio {
    /// Real Bluetooth through BlueZ.
    Bluez {
        /// The adapters to use, like `hci0`; none means the first one there is.
        adapters: Vec<String>,
    },
    /// The simulated air that `hopline air` serves.
    Simulated {
        /// The hub's socket.
        hub: PathBuf,
        /// The place in the hub's topology to take; none means any that is free.
        place: Option<String>,
    },
}

/// A radio as it is written: `bluez`, `sim:PATH` or `sim:PATH#NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RadioChoice {
    /// Real Bluetooth.
    Bluez,
    /// The simulated air.
    Simulated {
        /// The hub's socket.
        hub: PathBuf,
        /// The place to take.
        place: Option<String>,
    },
}

impl FromStr for RadioChoice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "bluez" {
            return Ok(Self::Bluez);
        }
        let wrong = || ValueError::Radio(text.to_owned());
        let place = text.strip_prefix("sim:").ok_or_else(wrong)?;
        let (hub, name) = match place.rsplit_once('#') {
            Some((hub, name)) => (hub, Some(name)),
            None => (place, None),
        };
        if hub.is_empty() || name.is_some_and(str::is_empty) {
            return Err(wrong());
        }
        Ok(Self::Simulated { hub: PathBuf::from(hub), place: name.map(str::to_owned) })
    }
}

impl fmt::Display for RadioChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bluez => f.write_str("bluez"),
            Self::Simulated { hub, place: None } => write!(f, "sim:{}", hub.display()),
            Self::Simulated { hub, place: Some(place) } => write!(f, "sim:{}#{place}", hub.display()),
        }
    }
}

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

/// What a daemon runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name announced to everyone.
    pub nickname: String,
    /// The radio used.
    pub radio: Radio,
}

impl Config {
    /// Brings the command line, `config.toml` and what the home remembers together, in this order.
    pub fn load(home: &Home, overrides: Overrides) -> Result<Self, LoadError> {
        let file = read(&home.config())?;
        let nickname = match (overrides.nickname, file.nickname) {
            (Some(given), _) => {
                let nickname = check_nickname(&given)?;
                home.remember_nickname(&nickname)?;
                nickname
            }
            (None, Some(configured)) => configured,
            (None, None) => home.nickname()?,
        };
        let adapters = if overrides.adapters.is_empty() { file.adapters } else { overrides.adapters };
        let radio = match overrides.radio.or(file.radio).unwrap_or(RadioChoice::Bluez) {
            RadioChoice::Bluez => Radio::Bluez { adapters },
            RadioChoice::Simulated { hub, place } => Radio::Simulated { hub, place },
        };
        Ok(Self { nickname, radio })
    }
}

/// The configuration does not hold together.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The command line holds a value that is not allowed.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// `config.toml` cannot be used.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// Where a node lives when nobody says otherwise: `$XDG_DATA_HOME/hopline`, or `~/.local/share/hopline`.
pub fn default_home() -> Result<PathBuf, HomeError> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    variable("XDG_DATA_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
        .map(|data| data.join("hopline"))
        .ok_or(HomeError::Unknown)
}

/// `config.toml` as it stands in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    nickname: Option<String>,
    radio: Option<String>,
    #[serde(default)]
    adapters: Vec<String>,
}

/// `config.toml` with its values checked.
#[derive(Debug, Default)]
struct FileConfig {
    nickname: Option<String>,
    radio: Option<RadioChoice>,
    adapters: Vec<String>,
}

fn read(path: &Path) -> Result<FileConfig, ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(FileConfig::default()),
        Err(source) => return Err(ConfigError::Unreadable { file: path.to_owned(), source }),
    };
    let keys: Keys = toml::from_str(&text).map_err(|error| syntax(path, &text, &error))?;
    let value = |key| move |source| ConfigError::Value { file: path.to_owned(), key, source };
    Ok(FileConfig {
        nickname: keys.nickname.as_deref().map(check_nickname).transpose().map_err(value("nickname"))?,
        radio: keys.radio.as_deref().map(str::parse).transpose().map_err(value("radio"))?,
        adapters: keys.adapters,
    })
}

fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |span| span.start);
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count();
    let written = text.lines().nth(line).unwrap_or_default();
    let key = written.split('=').next().unwrap_or_default().trim().to_owned();
    ConfigError::Syntax { file: path.to_owned(), line: line + 1, key, reason: error.message().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(config: &str) -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path().to_owned());
        std::fs::write(home.config(), config).unwrap();
        (directory, home)
    }

    fn error(config: &str) -> String {
        let (_directory, home) = home(config);
        let error = Config::load(&home, Overrides::default()).unwrap_err().to_string();
        error.rsplit_once('/').map_or(error.clone(), |(_, rest)| rest.to_owned())
    }

    #[test]
    fn a_radio_reads_as_it_prints() {
        for text in ["bluez", "sim:/tmp/air", "sim:air#ada"] {
            assert_eq!(text.parse::<RadioChoice>().unwrap().to_string(), text);
        }
        for text in ["", "sim:", "sim:#ada", "sim:air#", "lora"] {
            assert_eq!(text.parse::<RadioChoice>(), Err(ValueError::Radio(text.to_owned())));
        }
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_the_defaults() {
        let (_directory, home) = home("nickname = \"ben\"\nradio = \"sim:air\"\nadapters = [\"hci1\"]\n");
        let configured = Config::load(&home, Overrides::default()).unwrap();
        assert_eq!(configured.nickname, "ben");
        assert_eq!(configured.radio, Radio::Simulated { hub: PathBuf::from("air"), place: None });
        let overrides = Overrides {
            nickname: Some("ada".to_owned()),
            radio: Some(RadioChoice::Bluez),
            adapters: Vec::new(),
        };
        let given = Config::load(&home, overrides).unwrap();
        assert_eq!(given.nickname, "ada");
        assert_eq!(given.radio, Radio::Bluez { adapters: vec!["hci1".to_owned()] });
    }

    #[test]
    fn a_bad_config_names_file_line_and_key() {
        let unknown = error("\nnickname = \"ben\"\nradios = 1\n");
        assert!(unknown.starts_with("config.toml, line 3, key `radios`: unknown field"), "{unknown}");
        let mistyped = error("adapters = \"hci0\"\n");
        assert!(mistyped.starts_with("config.toml, line 1, key `adapters`: invalid type"), "{mistyped}");
        let invalid = error("radio = \"lora\"\n");
        assert!(invalid.starts_with("config.toml, key `radio`: a radio is"), "{invalid}");
    }
}
