//! Makes a signed public message, looks at its bytes as a stranger would, and checks the signature.
//!
//! ```sh
//! cargo run --example decode_packet
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to people")]

use std::process::ExitCode;

use hopline::crypto::{Identity, verify};
use hopline::ids::to_hex;
use hopline::time::UnixMillis;
use hopline::wire::{self, Packet, PacketType, Received, Version};

fn main() -> ExitCode {
    // A real node keeps 64 random bytes; these are for everybody to see.
    let ada = Identity::from_bytes(&[0xAD; Identity::LEN]);
    match exchange(&ada) {
        Ok(object) => {
            println!("{object:#}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn exchange(ada: &Identity) -> Result<serde_json::Value, Error> {
    let mut packet = Packet {
        version: Version::V1,
        packet_type: PacketType::Message,
        ttl: 7,
        timestamp: UnixMillis(1_800_000_000_000),
        sender: ada.peer_id(),
        recipient: None,
        route: Vec::new(),
        rsr: false,
        signature: None,
        payload: "good morning".into(),
    };
    packet.signature = Some(ada.sign(&packet.signing_preimage()?));
    let frame = packet.encode()?;
    println!("on the air: {}", to_hex(&frame));

    let received = Received::decode(&frame.into())?;
    let signature = received.packet().signature.ok_or(Error::Unsigned)?;
    let preimages = received.signing_preimages();
    let verified =
        verify(&ada.signing_public(), &signature, preimages, &received).map_err(|_| Error::Forged)?;
    Ok(wire::json::describe(&verified))
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Encode(#[from] wire::EncodeError),
    #[error(transparent)]
    Decode(#[from] wire::DecodeError),
    #[error("the packet carries no signature")]
    Unsigned,
    #[error("the signature is not ada's")]
    Forged,
}
