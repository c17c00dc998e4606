//! `hopline relay record`: what clients need to connect.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::ValueHint;
use serde_json::{Value, json};

use crate::clock::wall_clock;
use crate::htx;
use crate::ids::to_hex;
use crate::relay::RECORD_FILE;
use crate::time::UnixMillis;
use crate::wire::record::{NodeRecord, SignedRecord};
use crate::wire::{read_record, record_link};

use crate::cli::context::Context;
use crate::cli::error::CliError;

/// What `relay record` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Say what is in it, too
    #[arg(long)]
    explain: bool,
    /// Write its bytes to this file instead of a link
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

pub(super) fn run(context: &Context, home: &Path, arguments: &Arguments) -> Result<(), CliError> {
    let file = home.join(RECORD_FILE);
    let text = std::fs::read(&file).map_err(|source| CliError::NoRecord { file: file.clone(), source })?;
    let signed = read_record(&text).map_err(|source| CliError::BadRecord { file: file.clone(), source })?;
    let accepted = htx::record::accept(signed.bytes(), None, wall_clock());
    accepted.map_err(|source| CliError::StaleRecord { file, source })?;
    if let Some(output) = &arguments.output {
        write(output, signed.bytes())?;
    }
    let link = record_link(signed.bytes());
    let mut object = describe(signed.record());
    if let Value::Object(fields) = &mut object {
        fields.insert("link".to_owned(), json!(link));
        fields.insert("output".to_owned(), json!(arguments.output));
    }
    let text = match (&arguments.output, arguments.explain) {
        (_, true) => format!("{link}\n\n{}", explain(&signed)),
        (Some(output), false) => format!("written to {}", output.display()),
        (None, false) => link,
    };
    context.out.say(&object, text)
}

fn write(output: &Path, bytes: &Bytes) -> Result<(), CliError> {
    std::fs::write(output, bytes).map_err(|source| CliError::File { file: output.to_owned(), source })
}

fn describe(record: &NodeRecord) -> Value {
    let addresses: Vec<String> = record.addresses.iter().map(ToString::to_string).collect();
    let days: Vec<u32> = record.ticket_keys.iter().map(|key| key.day).collect();
    json!({
        "id": record.id().to_string(),
        "noise_public": to_hex(&record.noise_public),
        "protocols": record.protocols,
        "host": record.host,
        "addresses": addresses,
        "tunnel_path": record.tunnel_path,
        "ticket_days": days,
        "policy": record.policy,
        "expires": record.expires,
    })
}

fn explain(signed: &SignedRecord) -> String {
    let record = signed.record();
    let addresses: Vec<String> = record.addresses.iter().map(ToString::to_string).collect();
    let left = UnixMillis(record.expires.saturating_mul(1_000)).0.saturating_sub(wall_clock().0);
    format!(
        "node      {}\nhost      {} at {}\npath      {}\nspeaks    {}\ntickets   {}, keys for {} days\nexpires   in {}",
        record.id(),
        record.host,
        addresses.join(", "),
        record.tunnel_path,
        record.protocols.join(", "),
        record.policy,
        record.ticket_keys.len(),
        crate::cli::words::span(std::time::Duration::from_millis(left)),
    )
}
