//! The relay's node record (betanet-htx 11): made at its start and once a day.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::crypto::Identity;
use crate::htx::ticket::Policy;
use crate::wire::record::{HTX_PROTOCOL, NodeRecord, Role, SignedRecord, TicketKey};
use crate::wire::record_link;

use super::config::Config;
use super::error::RelayError;

/// The name of the file in a relay's home that holds its record as a link.
pub const RECORD_FILE: &str = "relay.record";
/// A record counts until its last ticket key is used no more.
const LIFETIME_DAYS: u32 = 14;
const DAY: u64 = 86_400;

/// Who writes a relay's records.
#[derive(Debug)]
pub(super) struct Author {
    keys: Identity,
    host: String,
    addresses: Vec<SocketAddr>,
    tunnel_path: String,
    content_type: String,
    cookie_name: String,
}

impl Author {
    /// For a relay that listens at these addresses, and is found there unless its configuration says where else.
    pub(super) fn new(keys: Identity, config: &Config, listening: &[SocketAddr]) -> Result<Self, RelayError> {
        let addresses = if config.advertise.is_empty() { listening } else { &config.advertise };
        if addresses.is_empty() || addresses.iter().any(|address| address.ip().is_unspecified()) {
            return Err(RelayError::NoAddress);
        }
        Ok(Self {
            keys,
            host: config.host.0.clone(),
            addresses: addresses.to_vec(),
            tunnel_path: config.tunnel_path.0.clone(),
            content_type: config.content_type.clone(),
            cookie_name: config.cookie_name.clone(),
        })
    }

    /// The record of a day.
    pub(super) fn record(&self, ticket_keys: Vec<TicketKey>, today: u32) -> Result<SignedRecord, RelayError> {
        let record = NodeRecord {
            signing_public: self.keys.signing_public(),
            noise_public: self.keys.noise_public(),
            protocols: vec![HTX_PROTOCOL.to_owned()],
            ticket_keys,
            policy: Policy::default().to_string(),
            cookie_name: self.cookie_name.clone(),
            host: self.host.clone(),
            addresses: self.addresses.clone(),
            tunnel_path: self.tunnel_path.clone(),
            content_type: self.content_type.clone(),
            roles: vec![Role::Entry, Role::Provider],
            mix_keys: Vec::new(),
            weight: 1,
            as_group: 0,
            expires: u64::from(today.saturating_add(LIFETIME_DAYS)) * DAY,
        };
        Ok(record.encode(|preimage| self.keys.sign(preimage))?)
    }
}

/// Writes a record as a link on a line of its own: whole, or not at all.
pub(super) fn write(file: &Path, record: &SignedRecord) -> Result<(), RelayError> {
    let draft: PathBuf = file.with_extension("new");
    let failed = |source| RelayError::Io { path: file.to_owned(), source };
    fs::write(&draft, format!("{}\n", record_link(record.bytes()))).map_err(failed)?;
    fs::rename(&draft, file).map_err(failed)
}
