//! Whom a person means by a name.
//!
//! An id or a fingerprint is exact. A nickname is only what a peer calls itself: when two peers share it,
//! nobody is chosen. There are no contacts yet whose names could win over it.

use crate::ids::{Fingerprint, PeerId};
use crate::mesh::event::{PeerInfo, Reach};
use crate::message::Recipient;

use super::error::{NameError, ValueError};

/// The name that means everybody in reach.
pub const EVERYONE: &str = "everyone";

/// Reads a name: `everyone`, a peer id, a fingerprint or a nickname, each with or without `@`.
pub fn resolve(name: &str, peers: &[PeerInfo]) -> Result<Recipient, NameError> {
    let name = name.trim();
    let bare = name.strip_prefix('@').unwrap_or(name);
    if bare == EVERYONE {
        return Ok(Recipient::Everyone);
    }
    if let Ok(id) = bare.parse::<PeerId>() {
        return Ok(Recipient::Peer(id));
    }
    if let Ok(fingerprint) = bare.parse::<Fingerprint>() {
        return Ok(Recipient::Peer(fingerprint.peer_id()));
    }
    let named = |present: bool| -> Vec<PeerId> {
        let wanted = peers.iter().filter(|peer| (peer.reach != Reach::Gone) == present);
        wanted.filter(|peer| peer.nickname == bare).map(|peer| peer.id).collect()
    };
    // Somebody who left keeps the name only while nobody here has it.
    let present = named(true);
    let candidates = if present.is_empty() { named(false) } else { present };
    match candidates.as_slice() {
        [] => Err(NameError::Unknown { name: bare.to_owned() }),
        [one] => Ok(Recipient::Peer(*one)),
        _ => Err(NameError::Ambiguous { name: bare.to_owned(), peers: candidates }),
    }
}

/// Checks a nickname before it is announced.
pub fn check_nickname(nickname: &str) -> Result<String, ValueError> {
    /// An announce writes its length in one byte (spec 3.1).
    const LIMIT: usize = 255;
    let nickname = nickname.trim();
    let nickname = nickname.strip_prefix('@').unwrap_or(nickname);
    if nickname.is_empty() {
        return Err(ValueError::EmptyNickname);
    }
    if nickname.len() > LIMIT {
        return Err(ValueError::LongNickname(nickname.len()));
    }
    if nickname.chars().any(char::is_control) {
        return Err(ValueError::ControlInNickname);
    }
    if nickname == EVERYONE {
        return Err(ValueError::ReservedNickname);
    }
    Ok(nickname.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixMillis;

    fn peer(first: u8, nickname: &str, reach: Reach) -> PeerInfo {
        let fingerprint = Fingerprint([first; 32]);
        PeerInfo {
            id: fingerprint.peer_id(),
            fingerprint,
            nickname: nickname.to_owned(),
            reach,
            links: Vec::new(),
            last_seen: UnixMillis(0),
            session: false,
        }
    }

    #[test]
    fn everyone_is_reserved_and_the_at_sign_is_optional() {
        let peers = [peer(1, "everyone", Reach::Direct)];
        assert_eq!(resolve("everyone", &peers), Ok(Recipient::Everyone));
        assert_eq!(resolve("@everyone", &peers), Ok(Recipient::Everyone));
    }

    #[test]
    fn a_nickname_an_id_and_a_fingerprint_lead_to_the_same_peer() {
        let peers = [peer(1, "ada", Reach::Mesh), peer(2, "ben", Reach::Direct)];
        let ada = Ok(Recipient::Peer(peers[0].id));
        assert_eq!(resolve("ada", &peers), ada);
        assert_eq!(resolve("@ada", &peers), ada);
        assert_eq!(resolve(&peers[0].id.to_string(), &peers), ada);
        assert_eq!(resolve(&peers[0].fingerprint.to_string().to_uppercase(), &peers), ada);
    }

    #[test]
    fn a_shared_nickname_is_refused_with_both_listed() {
        let peers = [peer(1, "ada", Reach::Mesh), peer(2, "ada", Reach::Direct)];
        let error = resolve("ada", &peers).unwrap_err();
        assert!(error.to_string().contains("0101010101010101, 0202020202020202"), "{error}");
    }

    #[test]
    fn who_is_here_has_a_name_before_who_left() {
        let peers = [peer(1, "ada", Reach::Gone), peer(2, "ada", Reach::Direct)];
        assert_eq!(resolve("ada", &peers), Ok(Recipient::Peer(peers[1].id)));
        assert_eq!(resolve("ada", &peers[..1]), Ok(Recipient::Peer(peers[0].id)));
    }

    #[test]
    fn an_unheard_name_is_unknown() {
        assert_eq!(resolve("@zoe", &[]), Err(NameError::Unknown { name: "zoe".to_owned() }));
    }

    #[test]
    fn a_nickname_is_one_line_of_at_most_255_bytes_that_means_one_person() {
        assert_eq!(check_nickname(" @ada ").as_deref(), Ok("ada"));
        assert_eq!(check_nickname("@"), Err(ValueError::EmptyNickname));
        assert_eq!(check_nickname(&"x".repeat(256)), Err(ValueError::LongNickname(256)));
        assert_eq!(check_nickname("a\nb"), Err(ValueError::ControlInNickname));
        assert_eq!(check_nickname("everyone"), Err(ValueError::ReservedNickname));
    }
}
