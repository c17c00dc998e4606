//! What people are called, and names that several share, told apart (spec 5.1).

use std::collections::BTreeMap;

use crate::api::client::{Client, ClientError};
use crate::api::contacts::Standing;
use crate::ids::PeerId;
use crate::nickname::told_apart;

use super::words::printable;

/// The names of everybody who was heard or is a contact.
pub(super) struct Names(BTreeMap<PeerId, String>);

impl Names {
    /// Asks the node. What a contact is called here counts more than what they call themselves.
    pub(super) async fn known(client: &Client) -> Result<Self, ClientError> {
        let peers = client.peers().await?.peers.into_iter().map(|peer| (peer.id, peer.nickname));
        let contacts = client.contacts().await?.contacts.into_iter();
        let ours = contacts.filter(|contact| contact.standing == Standing::Contact);
        Ok(Self(peers.chain(ours.map(|contact| (contact.peer_id, contact.name))).collect()))
    }

    /// Somebody's name; what is no peer id, or nobody's, is given back.
    pub(super) fn of(&self, peer: &str) -> String {
        let known = peer.parse().ok().and_then(|id| self.0.get(&id).map(|name| (id, name)));
        let all = self.0.iter().map(|(&id, name)| (id, name.as_str()));
        known.map_or_else(|| peer.to_owned(), |(id, name)| shown(id, name, all))
    }
}

/// A peer's name as it is shown: with the first four digits of its id where another peer has the same name.
pub(super) fn shown<'a>(
    id: PeerId,
    nickname: &str,
    others: impl IntoIterator<Item = (PeerId, &'a str)>,
) -> String {
    let name = printable(nickname);
    let mut others = others.into_iter();
    if others.any(|(other, theirs)| other != id && printable(theirs) == name) {
        return told_apart(&name, id);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_known_has_a_name_and_anybody_else_an_id() {
        let (ada, ben, other) = (PeerId([0xAB; 8]), PeerId([1; 8]), PeerId([0xCD; 8]));
        let names = Names(
            [(ada, "ada"), (ben, "ben"), (other, "ada")].map(|(id, name)| (id, name.to_owned())).into(),
        );
        assert_eq!(names.of(&ben.to_string()), "ben");
        assert_eq!(names.of(&ada.to_string()), "ada#abab");
        assert_eq!(names.of("0202020202020202"), "0202020202020202");
        assert_eq!(names.of("everyone"), "everyone");
    }

    #[test]
    fn only_a_name_that_two_have_gets_digits() {
        let (ada, other, ben) = (PeerId([0xAB; 8]), PeerId([0xCD; 8]), PeerId([1; 8]));
        let others = [(ada, "ada"), (other, "ada"), (ben, "ben")];
        let all = others.map(|(id, name)| shown(id, name, others));
        assert_eq!(all, ["ada#abab", "ada#cdcd", "ben"]);
    }
}
