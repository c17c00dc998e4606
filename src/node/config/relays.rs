//! The relays of betanet, as they are written in the configuration, and what they come to at the start.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::{Fault, Text};
use crate::crypto::{SignatureError, verify};
use crate::net::client::Preflight;
use crate::net::tls::{Roots, TlsError, certificates_from_pem};
use crate::net::tunnel::Emulation;
use crate::transports::betanet;
use crate::wire::record::SignedRecord;
use crate::wire::{RecordLinkError, is_record_link, read_record, read_record_link, record_link};

use super::sections::Betanet;

/// A relay of ours: its record as a link, or the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayRecord {
    /// `hopline://relay/…`
    Link(Box<SignedRecord>),
    /// A file with the record's bytes, or with the link.
    File(PathBuf),
}

/// Why betanet cannot begin with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds no record.
    #[error("{path} holds no relay's record: {source}", path = .path.display())]
    NoRecord {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RecordLinkError,
    },
    /// Somebody else wrote it, or it was changed.
    #[error("the record of the relay {host} is forged or damaged: {reason}")]
    Signature {
        /// The relay's host name, as the record says.
        host: String,
        /// What is wrong with its signature.
        reason: SignatureError,
    },
    /// The file of trust anchors holds none.
    #[error("{path} holds no certificates: {source}", path = .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TlsError,
    },
}

impl Text for RelayRecord {}

impl FromStr for RelayRecord {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if is_record_link(text) {
            return Ok(Self::Link(Box::new(read_record_link(text)?)));
        }
        if text.is_empty() { Err(Fault::NoPath) } else { Ok(Self::File(PathBuf::from(text))) }
    }
}

impl fmt::Display for RelayRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(record) => f.write_str(&record_link(record.bytes())),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl RelayRecord {
    /// Makes a relative path one inside the home.
    pub(super) fn inside(&mut self, home: &Path) {
        if let Self::File(path) = self {
            *path = home.join(&path);
        }
    }

    fn read(&self) -> Result<SignedRecord, RelayError> {
        let record = match self {
            Self::Link(record) => SignedRecord::clone(record),
            Self::File(path) => read_record(&read_file(path)?)
                .map_err(|source| RelayError::NoRecord { path: path.clone(), source })?,
        };
        let (key, signature, preimage) =
            (record.record().signing_public, *record.signature(), record.preimage());
        let verified = verify(&key, &signature, [preimage], record).map_err(|(record, reason)| {
            RelayError::Signature { host: record.record().host.clone(), reason }
        })?;
        Ok(SignedRecord::clone(&verified))
    }
}

impl Betanet {
    /// What the transport is told; nothing when it is switched off. `metered`: every byte costs money, so none is
    /// sent for the looks of it.
    pub fn transport(&self, metered: bool) -> Result<Option<betanet::Config>, RelayError> {
        if !self.enabled {
            return Ok(None);
        }
        let relays = self.relays.iter().map(RelayRecord::read).collect::<Result<_, _>>()?;
        let padding = self.idle_padding && !metered;
        Ok(Some(betanet::Config {
            roots: self.roots()?,
            preflight: Preflight::Cached,
            emulation: Emulation { padding, ..Emulation::default() },
            ..betanet::Config::with_relays(relays)
        }))
    }

    fn roots(&self) -> Result<Roots, RelayError> {
        let Some(path) = &self.ca else { return Ok(Roots::Public) };
        let certificates = certificates_from_pem(&read_file(path)?);
        let certificates =
            certificates.map_err(|source| RelayError::Certificates { path: path.clone(), source })?;
        Ok(Roots::PublicAnd(certificates))
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, RelayError> {
    std::fs::read(path).map_err(|source| RelayError::Unreadable { path: path.to_owned(), source })
}
