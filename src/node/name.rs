//! Whom a person means by a name.
//!
//! An id or a fingerprint is exact. Then come the names of contacts, which lead to one person each. A nickname
//! is only what a peer calls itself: when two peers share it, nobody is chosen.

use std::collections::BTreeMap;

use crate::config::ValueError;
use crate::ids::{Fingerprint, PeerId};
use crate::mesh::event::{PeerInfo, Reach};
use crate::message::Recipient;
use crate::nickname::{calls, composed};

use super::error::NameError;

/// The name that means everybody in reach.
pub const EVERYONE: &str = "everyone";

/// Reads a name: `everyone`, a peer id, a fingerprint, a contact's name or a nickname, each with or without `@`.
pub fn resolve(
    name: &str,
    contacts: &BTreeMap<String, PeerId>,
    peers: &[PeerInfo],
) -> Result<Recipient, NameError> {
    let name = name.trim();
    let bare = &*composed(name.strip_prefix('@').unwrap_or(name));
    if bare == EVERYONE {
        return Ok(Recipient::Everyone);
    }
    if let Ok(id) = bare.parse::<PeerId>() {
        return Ok(Recipient::Peer(id));
    }
    if let Ok(fingerprint) = bare.parse::<Fingerprint>() {
        return Ok(Recipient::Peer(fingerprint.peer_id()));
    }
    if let Some(contact) = contacts.get(bare) {
        return Ok(Recipient::Peer(*contact));
    }
    let named = |present: bool| -> Vec<PeerId> {
        let wanted = peers.iter().filter(|peer| (peer.reach != Reach::Gone) == present);
        wanted.filter(|peer| calls(bare, &peer.nickname, peer.id)).map(|peer| peer.id).collect()
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

/// Checks a nickname before it is announced: at most 50 characters and 255 bytes, which is what a phone takes
/// (spec 5.1) and what an announce can say (spec 3.1).
pub fn check_nickname(nickname: &str) -> Result<String, ValueError> {
    const LIMIT: usize = 255;
    const CHARACTERS: usize = 50;
    let nickname = nickname.trim();
    let nickname = composed(nickname.strip_prefix('@').unwrap_or(nickname));
    if nickname.is_empty() {
        return Err(ValueError::EmptyNickname);
    }
    let characters = nickname.chars().count();
    if characters > CHARACTERS || nickname.len() > LIMIT {
        return Err(ValueError::LongNickname { characters, bytes: nickname.len() });
    }
    if nickname.chars().any(char::is_control) {
        return Err(ValueError::ControlInNickname);
    }
    if nickname == EVERYONE {
        return Err(ValueError::ReservedNickname);
    }
    Ok(nickname.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::trust::{Level, Standing};
    use crate::time::UnixMillis;

    /// Somebody's word where there are no contacts.
    fn heard(name: &str, peers: &[PeerInfo]) -> Result<Recipient, NameError> {
        resolve(name, &BTreeMap::new(), peers)
    }

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
            noise_public: [first; 32],
            signing_public: [first; 32],
            trust: Level::Known,
            standing: Standing::default(),
            favours_us: false,
        }
    }

    #[test]
    fn everyone_is_reserved_and_the_at_sign_is_optional() {
        let peers = [peer(1, "everyone", Reach::Direct)];
        assert_eq!(heard("everyone", &peers), Ok(Recipient::Everyone));
        assert_eq!(heard("@everyone", &peers), Ok(Recipient::Everyone));
    }

    #[test]
    fn a_nickname_an_id_and_a_fingerprint_lead_to_the_same_peer() {
        let peers = [peer(1, "ada", Reach::Mesh), peer(2, "ben", Reach::Direct)];
        let ada = Ok(Recipient::Peer(peers[0].id));
        assert_eq!(heard("ada", &peers), ada);
        assert_eq!(heard("@ada", &peers), ada);
        assert_eq!(heard(&peers[0].id.to_string(), &peers), ada);
        assert_eq!(heard(&peers[0].fingerprint.to_string().to_uppercase(), &peers), ada);
    }

    #[test]
    fn a_shared_nickname_is_refused_with_both_listed() {
        let peers = [peer(1, "ada", Reach::Mesh), peer(2, "ada", Reach::Direct)];
        let error = heard("ada", &peers).unwrap_err();
        assert!(error.to_string().contains("0101010101010101, 0202020202020202"), "{error}");
        assert_eq!(heard("@ada#0202", &peers), Ok(Recipient::Peer(peers[1].id)));
        assert!(heard("ada#0303", &peers).is_err() && heard("ada#", &peers).is_err());
    }

    #[test]
    fn a_name_is_found_in_whatever_form_it_is_typed() {
        let (one, several) = ("zo\u{eb}", "zoe\u{308}");
        let peers = [peer(1, one, Reach::Direct)];
        let contacts = BTreeMap::from([("ren\u{e9}".to_owned(), PeerId([7; 8]))]);
        assert_eq!(heard(several, &peers), Ok(Recipient::Peer(peers[0].id)));
        assert_eq!(heard(&format!("@{several}#0101"), &peers), Ok(Recipient::Peer(peers[0].id)));
        assert_eq!(resolve("rene\u{301}", &contacts, &peers), Ok(Recipient::Peer(PeerId([7; 8]))));
        assert_eq!(check_nickname(several).as_deref(), Ok(one));
    }

    #[test]
    fn who_is_here_has_a_name_before_who_left() {
        let peers = [peer(1, "ada", Reach::Gone), peer(2, "ada", Reach::Direct)];
        assert_eq!(heard("ada", &peers), Ok(Recipient::Peer(peers[1].id)));
        assert_eq!(heard("ada", &peers[..1]), Ok(Recipient::Peer(peers[0].id)));
    }

    #[test]
    fn the_name_of_a_contact_wins_over_a_nickname_and_loses_to_an_id() {
        let peers = [peer(1, "ada", Reach::Direct)];
        let contacts = BTreeMap::from([
            ("ada".to_owned(), PeerId([7; 8])),
            (peers[0].id.to_string(), PeerId([8; 8])),
            (EVERYONE.to_owned(), PeerId([9; 8])),
        ]);
        assert_eq!(resolve("@ada", &contacts, &peers), Ok(Recipient::Peer(PeerId([7; 8]))));
        let by_id = resolve(&peers[0].id.to_string(), &contacts, &peers);
        assert_eq!(by_id, Ok(Recipient::Peer(peers[0].id)));
        assert_eq!(resolve(EVERYONE, &contacts, &peers), Ok(Recipient::Everyone));
    }

    #[test]
    fn an_unheard_name_is_unknown() {
        assert_eq!(heard("@zoe", &[]), Err(NameError::Unknown { name: "zoe".to_owned() }));
    }

    #[test]
    fn a_nickname_is_one_line_of_at_most_50_characters_that_means_one_person() {
        assert_eq!(check_nickname(" @ada ").as_deref(), Ok("ada"));
        assert_eq!(check_nickname("@"), Err(ValueError::EmptyNickname));
        let long = |characters, bytes| Err(ValueError::LongNickname { characters, bytes });
        assert_eq!(check_nickname(&"x".repeat(51)), long(51, 51));
        assert_eq!(check_nickname(&"👩🏽‍🚀".repeat(20)), long(80, 300));
        assert!(check_nickname(&"ü".repeat(50)).is_ok());
        assert_eq!(check_nickname("a\nb"), Err(ValueError::ControlInNickname));
        assert_eq!(check_nickname("everyone"), Err(ValueError::ReservedNickname));
    }
}
