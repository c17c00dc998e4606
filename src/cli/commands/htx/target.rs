//! Whom `hopline htx` looks at: a host, the record of a relay, or both.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use clap::ValueHint;
use rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

use crate::net::lint::Subject;
use crate::net::tls::{Roots, certificates_from_pem};
use crate::storage::StoreError;
use crate::wire::record::SignedRecord;
use crate::wire::{is_record_link, read_record};

use crate::cli::error::CliError;

const HTTPS: u16 = 443;

/// Whom to look at.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The host, with its port where that is not 443 [default: the record's]
    #[arg(value_name = "HOST[:PORT]", required_unless_present = "record")]
    host: Option<String>,
    /// The relay's record: a file, or a link as `hopline relay record` prints it
    #[arg(long, value_name = "FILE|LINK")]
    record: Option<String>,
    /// Believe these certificates too, PEM: for a relay that made its own
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca: Option<PathBuf>,
    /// Ask at this address instead of the record's or the name server's
    #[arg(long, value_name = "IP:PORT")]
    address: Option<SocketAddr>,
}

impl Target {
    /// The host, where it is, and the record if there is one.
    pub(super) async fn subject(&self) -> Result<Subject, CliError> {
        let record = self.record.as_deref().map(record).transpose()?;
        let (host, port) = match (&self.host, &record) {
            (Some(host), _) => split(host),
            (None, Some(signed)) => (signed.record().host.clone(), None),
            (None, None) => (String::new(), None),
        };
        let listed = record.as_ref().and_then(|signed| signed.record().addresses.first().copied());
        let address = match (self.address, &self.host, listed) {
            (Some(address), _, _) => address,
            (None, None, Some(listed)) => listed,
            (None, _, _) => resolve(&host, port.unwrap_or(HTTPS)).await?,
        };
        Ok(Subject { host, address, record })
    }

    /// Which certificates are believed.
    pub(super) fn roots(&self) -> Result<Roots, CliError> {
        let Some(file) = &self.ca else { return Ok(Roots::Public) };
        let pem = std::fs::read(file).map_err(|source| CliError::File { file: file.clone(), source })?;
        let certificates = certificates_from_pem(&pem);
        let bad = |source| CliError::Certificates { file: file.clone(), source };
        Ok(Roots::PublicAnd(certificates.map_err(bad)?))
    }
}

/// Fresh randomness for everything that is drawn.
pub(super) fn seed() -> Result<Zeroizing<[u8; 32]>, CliError> {
    let mut seed = Zeroizing::new([0; 32]);
    OsRng
        .try_fill_bytes(seed.as_mut_slice())
        .map_err(StoreError::Random)
        .map_err(crate::relay::RelayError::from)?;
    Ok(seed)
}

fn record(text: &str) -> Result<SignedRecord, CliError> {
    let file = PathBuf::from(text);
    let content = if is_record_link(text) {
        Bytes::copy_from_slice(text.as_bytes())
    } else {
        std::fs::read(&file).map_err(|source| CliError::File { file: file.clone(), source })?.into()
    };
    // A link is not repeated in an error: it is long, and whoever has it can use the relay.
    let file = if is_record_link(text) { PathBuf::from("the link") } else { file };
    read_record(&content).map_err(|source| CliError::BadRecord { file, source })
}

/// A host and its port. An IPv6 address has brackets where a port follows.
fn split(text: &str) -> (String, Option<u16>) {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.ip().to_string(), Some(address.port()));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => match port.parse() {
            Ok(port) => (host.to_owned(), Some(port)),
            Err(_) => (text.to_owned(), None),
        },
        Some(_) | None => (text.trim_matches(['[', ']']).to_owned(), None),
    }
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, CliError> {
    let unknown = |source| CliError::UnknownHost { host: host.to_owned(), source };
    let mut found = tokio::net::lookup_host((host, port)).await.map_err(unknown)?;
    found.next().ok_or_else(|| unknown(io::ErrorKind::NotFound.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port() {
        let host = |text| {
            let (host, port) = split(text);
            (host, port.unwrap_or(0))
        };
        assert_eq!(host("example.org"), ("example.org".to_owned(), 0));
        assert_eq!(host("example.org:8443"), ("example.org".to_owned(), 8443));
        assert_eq!(host("127.0.0.1:1"), ("127.0.0.1".to_owned(), 1));
        assert_eq!(host("[::1]:1"), ("::1".to_owned(), 1));
        assert_eq!(host("[::1]"), ("::1".to_owned(), 0));
        assert_eq!(host("::1"), ("::1".to_owned(), 0));
    }
}
