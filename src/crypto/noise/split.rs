//! What a finished handshake leaves behind.

use std::fmt;

use snow::HandshakeState;
use snow::error::StateProblem;
use zeroize::{Zeroize, Zeroizing};

use crate::crypto::error::NoiseError;

/// The two keys of Noise's `Split` and the hash of all that was said; wiped when dropped.
pub struct Split {
    /// For what the initiator sends.
    pub from_initiator: Zeroizing<[u8; 32]>,
    /// For what the responder sends.
    pub from_responder: Zeroizing<[u8; 32]>,
    /// The hash of the whole handshake, the same on both sides and in no other; not a secret.
    pub hash: [u8; 32],
}

impl Split {
    pub(super) fn of(state: &mut HandshakeState) -> Result<Self, NoiseError> {
        if !state.is_handshake_finished() {
            return Err(NoiseError::Library(StateProblem::HandshakeNotFinished.into()));
        }
        let hash = *state
            .get_handshake_hash()
            .first_chunk()
            .ok_or(NoiseError::Library(StateProblem::HandshakeNotFinished.into()))?;
        let (mut first, mut second) = state.dangerously_get_raw_split();
        let split = Self { from_initiator: first.into(), from_responder: second.into(), hash };
        first.zeroize();
        second.zeroize();
        Ok(split)
    }
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split").finish_non_exhaustive()
    }
}
