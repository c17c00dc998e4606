//! What must hold for whatever a request to the tunnel path shows: the bodies of a target in `fuzz/`.

use core::net::IpAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{Gate, GateConfig, Verdict};
use crate::htx::ticket::{Policy, Presented, TicketSecret};
use crate::time::{Now, UnixMillis};

/// A request: up to three lines, its cookies, its query and its form. Nobody gets in by guessing.
pub fn presented(bytes: &[u8]) {
    let now = Now { unix: UnixMillis(1_728_043_200_000), ..Now::default() };
    let secret = TicketSecret::from_parts(*b"\x01\x02\x03\x04\x05\x06\x07\x08", 20_000, &[7; 32]);
    let config = GateConfig::new("sid".to_owned());
    let mut gate = Gate::new(config, [secret], [], ChaCha20Rng::from_seed([0; 32]));
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let presented = Presented { cookie: lines.next(), query: lines.next(), form: lines.next() };
    let verdict = gate.check(IpAddr::from([192, 0, 2, 1]), &presented, now);
    assert!(matches!(verdict, Verdict::Refused(_)));
    assert_eq!(gate.curve_operations(), 1);
}

/// A policy line of a record.
pub fn policy(bytes: &[u8]) {
    let Ok(line) = std::str::from_utf8(bytes) else { return };
    if let Ok(policy) = Policy::parse(line) {
        assert_eq!(Policy::parse(&policy.to_string()), Ok(policy));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_targets_hold_for_noise_and_for_what_is_nearly_right(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            ticket in "(sid|bn1)=AQ[A-Za-z0-9_-]{168,226}(\nbn1=AQ[A-Za-z0-9_-]{168,226}){0,2}",
            line in "BN-Ticket: v1; carriers=[a-z]{0,6}:[0-9.]{0,5}(,(cookie|query|body):[0-9.]{0,12}){0,3}; len=[0-9]{2}..[0-9]{2}",
        ) {
            super::presented(&bytes);
            super::policy(&bytes);
            super::presented(ticket.as_bytes());
            super::policy(line.as_bytes());
        }
    }
}
