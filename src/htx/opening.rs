//! The handshake at the head of both bodies (HTX spec 5, 6): one attempt, from bytes cut anywhere.

use bytes::{Buf, Bytes, BytesMut};
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::handshake::{Binding, Classical, HandshakeError, Initiator, Responder, Suite, message_len};
use super::keys::TunnelKeys;
use crate::time::UnixMillis;

/// Bytes of the length in front of every message.
const LENGTH_LEN: usize = 2;

/// A handshake under way.
pub(super) struct Opening {
    step: Step,
    suite: Suite,
    pending: Pending,
}

enum Step {
    /// Of a client: message 2 is awaited.
    Began(Box<Initiator>),
    /// Of a server: the suite is awaited.
    Listening(Listener),
    /// Of a server: message 1 is awaited.
    Chosen(Listener),
    /// Of a server: message 3 is awaited.
    Answered(Box<Responder>),
}

/// What a server answers with.
pub(super) struct Listener {
    pub(super) static_secret: Zeroizing<[u8; 32]>,
    pub(super) binding: Binding,
    pub(super) classical: Classical,
}

/// What came of some bytes, and what is to be sent for them; that may be nothing.
pub(super) enum Progress {
    /// More are awaited.
    Pending(Opening, Bytes),
    /// The tunnel is up.
    Done(TunnelKeys, Bytes),
}

impl Opening {
    /// Of a client; with the first bytes of its body.
    pub(super) fn begin(
        suite: Suite,
        relay_static: &[u8; 32],
        binding: &Binding,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Self, Bytes), HandshakeError> {
        let (initiator, first) = Initiator::new(suite, relay_static, binding, rng)?;
        Ok((Self::at(Step::Began(Box::new(initiator)), suite), first))
    }

    /// Of a server.
    pub(super) fn listen(listener: Listener) -> Self {
        Self::at(Step::Listening(listener), Suite::default())
    }

    fn at(step: Step, suite: Suite) -> Self {
        Self { step, suite, pending: Pending::default() }
    }

    /// Takes bytes of the peer's body, as many as belong to the next message, and at least one. After an error
    /// nothing is left of the handshake: the attempt is used up.
    pub(super) fn receive(
        self,
        bytes: &mut Bytes,
        rng: &mut ChaCha20Rng,
        now: UnixMillis,
    ) -> Result<Progress, HandshakeError> {
        let Self { step, suite, mut pending } = self;
        let number = match &step {
            Step::Listening(_) => 0,
            Step::Chosen(_) => 1,
            Step::Began(_) => 2,
            Step::Answered(_) => 3,
        };
        if let Step::Listening(listener) = step {
            if bytes.is_empty() {
                return Ok(Progress::Pending(Self::listen(listener), Bytes::new()));
            }
            let suite = Suite::read(bytes.get_u8(), listener.classical, now)?;
            return Ok(Progress::Pending(Self::at(Step::Chosen(listener), suite), Bytes::new()));
        }
        let Some(message) = pending.take(suite, number, bytes)? else {
            return Ok(Progress::Pending(Self { step, suite, pending }, Bytes::new()));
        };
        match step {
            Step::Began(initiator) => {
                initiator.finish(&message).map(|(third, keys)| Progress::Done(keys, third))
            }
            Step::Listening(listener) | Step::Chosen(listener) => {
                let Listener { static_secret, binding, .. } = &listener;
                let (responder, second) = Responder::new(static_secret, binding, suite, &message, rng)?;
                Ok(Progress::Pending(Self::at(Step::Answered(Box::new(responder)), suite), second))
            }
            Step::Answered(responder) => {
                responder.finish(&message).map(|keys| Progress::Done(keys, Bytes::new()))
            }
        }
    }
}

/// What has come of a message, its length in front.
#[derive(Default)]
struct Pending(BytesMut);

impl Pending {
    /// Takes what is missing. A length that is not the one of its place is refused as soon as it is known.
    fn take(
        &mut self,
        suite: Suite,
        number: u8,
        bytes: &mut Bytes,
    ) -> Result<Option<BytesMut>, HandshakeError> {
        let expected = message_len(suite, number);
        let missing = (LENGTH_LEN + expected).saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes.split_to(missing.min(bytes.len())));
        let Some(&length) = self.0.first_chunk::<LENGTH_LEN>() else { return Ok(None) };
        let actual = usize::from(u16::from_be_bytes(length));
        if actual != expected {
            return Err(HandshakeError::Length { number, expected, actual });
        }
        if self.0.len() < LENGTH_LEN + expected {
            return Ok(None);
        }
        self.0.advance(LENGTH_LEN);
        Ok(Some(std::mem::take(&mut self.0)))
    }
}
