//! One handshake message in, one out: lengths, payloads and the draw of an ephemeral key.

use rand_core::{CryptoRng, RngCore};
use snow::{Builder, HandshakeState};
use zeroize::Zeroizing;

use super::resolver::Resolver;
use crate::crypto::error::NoiseError;

/// Bytes of a tag.
const TAG_LEN: usize = 16;

/// A secret key from the RNG handed in.
pub(super) fn draw<R: RngCore + CryptoRng + ?Sized>(rng: &mut R) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(bytes.as_mut_slice());
    bytes
}

/// The message, if it is as long as its place demands.
pub(super) fn sized<const N: usize>(message: &[u8]) -> Result<[u8; N], NoiseError> {
    message.try_into().map_err(|_| NoiseError::Length { expected: N, actual: message.len() })
}

/// What a handshake starts from: the pattern's name, our static key and the ephemeral key it will use.
pub(super) fn builder<'a>(
    pattern: &str,
    static_secret: &'a [u8; 32],
    ephemeral: &Zeroizing<[u8; 32]>,
) -> Result<Builder<'a>, NoiseError> {
    let resolver = Resolver { ephemeral: ephemeral.clone() };
    let builder = Builder::with_resolver(pattern.parse()?, Box::new(resolver));
    Ok(builder.local_private_key(static_secret)?)
}

/// Reads a message that carries a payload of `payload_len` bytes.
pub(super) fn read(
    state: &mut HandshakeState,
    message: &[u8],
    payload_len: usize,
) -> Result<Vec<u8>, NoiseError> {
    let mut payload = vec![0; payload_len];
    state.read_message(message, &mut payload)?;
    Ok(payload)
}

/// Writes a message of `length` bytes that carries a payload.
pub(super) fn write(
    state: &mut HandshakeState,
    payload: &[u8],
    length: usize,
) -> Result<Vec<u8>, NoiseError> {
    // snow asks for room for a tag in message 1 of XX too, which has none.
    let mut message = vec![0; length.saturating_add(TAG_LEN)];
    let written = state.write_message(payload, &mut message)?;
    message.truncate(written);
    Ok(message)
}
