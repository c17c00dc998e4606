//! `hopline packet decode`: what a packet's bytes mean.

use std::io::{self, BufRead, Read};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::crypto::verify;
use crate::ids::{ParseIdError, parse_hex};
use crate::wire::{self, DecodeError, MAX_FRAME_LEN, Received};

use crate::cli::context::Context;
use crate::cli::error::CliError;

/// What `packet` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a packet as one JSON object
    Decode(Decode),
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct Decode {
    /// The packet in hex, or - to read one packet a line from standard input
    #[arg(value_name = "HEX|-", allow_hyphen_values = true)]
    packet: String,
    /// Also check the signature with this Ed25519 public key
    #[arg(long, value_name = "ED25519_HEX", value_parser = key)]
    verify: Option<[u8; 32]>,
}

const EXAMPLES: &str = "\
Examples:
  hopline packet decode 01020701020304050607080000031011121314151617aabbcc
  hopline packet decode - --verify KEY < packets.txt

A packet given as an argument that does not decode ends the command with status 1 and one line. Read from standard \
input, every line gives one object, {\"error\": …} for a packet that does not decode, and the status is 0.";

/// Why a line is not a packet.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("offset {}: character {character} is not a hex digit", character / 2)]
    Digit { character: usize },
    #[error("offset {}: the last byte has one hex digit", digits / 2)]
    HalfByte { digits: usize },
    #[error("offset {MAX_FRAME_LEN}: no packet is that long")]
    TooLong,
    #[error(transparent)]
    Packet(#[from] DecodeError),
}

pub(in crate::cli) fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let Command::Decode(decode) = arguments.command;
    if decode.packet == "-" {
        return each_line(context, io::stdin().lock(), decode.verify);
    }
    let packet = describe(decode.packet.as_bytes(), decode.verify);
    context.out.object(&packet.map_err(|error| CliError::Packet(error.to_string()))?)
}

fn each_line(context: &Context, mut input: impl BufRead, key: Option<[u8; 32]>) -> Result<(), CliError> {
    while let Some(line) = next_line(&mut input).map_err(CliError::Input)? {
        let described = line.and_then(|line| describe(&line, key));
        let object = described.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        context.out.object(&object)?;
    }
    Ok(())
}

/// The next line, if there is one, and if it is not longer than any packet.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, LineError>>> {
    const LIMIT: usize = 2 * MAX_FRAME_LEN + 2;
    let limit = u64::try_from(LIMIT).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() < LIMIT || line.ends_with(b"\n") {
        return Ok(Some(Ok(line)));
    }
    while !line.is_empty() && !line.ends_with(b"\n") {
        line.clear();
        input.by_ref().take(limit).read_until(b'\n', &mut line)?;
    }
    Ok(Some(Err(LineError::TooLong)))
}

fn describe(hex: &[u8], key: Option<[u8; 32]>) -> Result<Value, LineError> {
    let frame = bytes_of(hex.trim_ascii())?;
    let received = Received::decode(&frame)?;
    let mut object = wire::json::describe(&received);
    if let (Some(key), Some(fields)) = (key, object.as_object_mut()) {
        fields.insert("signature_valid".to_owned(), signature_holds(&received, &key).into());
    }
    Ok(object)
}

fn signature_holds(received: &Received, key: &[u8; 32]) -> bool {
    let Some(signature) = received.packet().signature else { return false };
    verify(key, &signature, received.signing_preimages(), ()).is_ok()
}

fn bytes_of(hex: &[u8]) -> Result<Bytes, LineError> {
    let digit = |(character, digit): (usize, &u8)| {
        char::from(*digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
            .ok_or(LineError::Digit { character })
    };
    let nibbles = hex.iter().enumerate().map(digit).collect::<Result<Vec<u8>, LineError>>()?;
    let (pairs, rest) = nibbles.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(LineError::HalfByte { digits: nibbles.len() });
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn key(text: &str) -> Result<[u8; 32], ParseIdError> {
    parse_hex(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(hex: &str) -> String {
        describe(hex.as_bytes(), None).unwrap_err().to_string()
    }

    #[test]
    fn bad_hex_and_bad_packets_name_offset_and_reason() {
        assert_eq!(error("01zz"), "offset 1: character 2 is not a hex digit");
        assert_eq!(error("010"), "offset 1: the last byte has one hex digit");
        assert_eq!(error(""), "offset 0: the header takes 14 bytes, 0 are left");
    }

    #[test]
    fn lines_are_read_one_by_one_and_a_monster_is_skipped_whole() {
        let monster = "ab".repeat(MAX_FRAME_LEN * 2);
        let input = format!("01\r\n{monster}\n\n02");
        let mut input = input.as_bytes();
        let mut next = || next_line(&mut input).unwrap();
        assert_eq!(next().unwrap().unwrap(), b"01\r\n");
        assert!(matches!(next(), Some(Err(LineError::TooLong))));
        assert_eq!(next().unwrap().unwrap(), b"\n");
        assert_eq!(next().unwrap().unwrap(), b"02");
        assert!(next().is_none());
    }
}
