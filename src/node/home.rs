//! The home directory of one node: who may use it, and what is where in it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::storage::HomeLock;

use super::error::HomeError;
use super::name::check_nickname;

/// A node's home directory.
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// The home at `path`, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Creates the directory, for its owner only, when it is missing.
    pub fn create(&self) -> Result<(), HomeError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(|source| self.io(source))
    }

    /// Makes this process the home's daemon, or says that it has one.
    pub fn lock(&self) -> Result<HomeLock, HomeError> {
        let path = self.path.join("hopline.lock");
        let taken = HomeLock::take(&path).map_err(|source| HomeError::Io { path, source })?;
        taken.ok_or_else(|| HomeError::Taken { home: self.path.clone() })
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the daemon listens.
    pub fn socket(&self) -> PathBuf {
        self.path.join("hopline.sock")
    }

    /// What the owner configured.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The nickname this home remembers: the one last given or made up.
    pub fn nickname(&self) -> Result<Option<String>, HomeError> {
        match fs::read_to_string(self.nickname_file()) {
            Ok(saved) => Ok(check_nickname(&saved).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(HomeError::Io { path: self.nickname_file(), source }),
        }
    }

    /// Keeps a nickname for the next start.
    pub fn remember_nickname(&self, nickname: &str) -> Result<(), HomeError> {
        let path = self.nickname_file();
        let opened = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
        opened
            .and_then(|mut file| writeln!(file, "{nickname}"))
            .map_err(|source| HomeError::Io { path, source })
    }

    fn nickname_file(&self) -> PathBuf {
        self.path.join("nickname")
    }

    fn io(&self, source: io::Error) -> HomeError {
        HomeError::Io { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_has_one_daemon() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path().join("new"));
        home.create().unwrap();
        let lock = home.lock().unwrap();
        assert!(matches!(home.lock(), Err(HomeError::Taken { .. })));
        drop(lock);
        home.lock().unwrap();
    }

    #[test]
    fn a_home_keeps_the_nickname_it_was_given() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path().to_owned());
        assert_eq!(home.nickname().unwrap(), None);
        home.remember_nickname("ada").unwrap();
        assert_eq!(home.nickname().unwrap().as_deref(), Some("ada"));
    }
}
