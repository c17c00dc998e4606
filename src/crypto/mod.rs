//! Keys, handshakes, ciphers and proofs.
//!
//! Nothing here knows a packet, a peer table or a clock, and all randomness comes from the RNG handed in.
//! [`Identity`] is who we are; a handshake ([`Initiator`], [`Responder`]) ends in an [`Established`] session
//! with one cipher for each direction; [`verify`] is the only maker of a [`Verified`] value. [`xk`] is the handshake of
//! an HTX tunnel, [`kem`] what makes it hybrid; [`envelope`] and [`courier`] are for who is not there.

pub mod courier;
pub mod envelope;
mod error;
#[cfg(test)]
pub(crate) mod given;
pub mod group;
pub mod kem;
mod keys;
mod mailbox;
mod noise;
mod prekey;
mod replay;
mod subkey;
mod transport;
mod verified;

pub use error::{CipherError, NoiseError, SignatureError};
pub use keys::Identity;
pub use mailbox::MailboxKey;
pub use noise::{
    Established, Initiator, MESSAGE_1_LEN, MESSAGE_2_LEN, MESSAGE_3_LEN, Refused, Responder, Split, xk,
};
pub use prekey::PrekeySecret;
pub use transport::{MAX_PLAINTEXT, OVERHEAD, ReceiveCipher, SendCipher};
pub use verified::{Verified, verify};
