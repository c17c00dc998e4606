//! `hopline fav`, `unfav`, `block` and `unblock`: what you decide about a person, contact or met on the mesh.

use crate::api::Client;
use crate::api::contacts::{ContactPatch, ContactReport};
use crate::api::schema::{Peer, ReachWord};
use crate::ids::{Fingerprint, PeerId};
use crate::nickname::calls;

use super::contact::pick;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::names;
use crate::cli::words::printable;

/// Whom.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A contact's name, a nickname heard on the mesh (`ben`, or `ben#1a2b` where two have it), a peer id or a
    /// fingerprint; `@` is optional
    pub(in crate::cli) name: String,
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Decision {
    Favourite,
    NoFavourite,
    Block,
    Unblock,
    Verified,
    Unverified,
}

impl Decision {
    fn patch(self) -> ContactPatch {
        let patch = ContactPatch::default();
        match self {
            Self::Favourite => ContactPatch { favourite: Some(true), ..patch },
            Self::NoFavourite => ContactPatch { favourite: Some(false), ..patch },
            Self::Block => ContactPatch { blocked: Some(true), ..patch },
            Self::Unblock => ContactPatch { blocked: Some(false), ..patch },
            Self::Verified => ContactPatch { verified: Some(true), ..patch },
            Self::Unverified => ContactPatch { verified: Some(false), ..patch },
        }
    }

    /// What is true of a person then.
    fn done(self) -> &'static str {
        match self {
            Self::Favourite => "is a favourite, and is told with the next session over the mesh",
            Self::NoFavourite => "is no favourite, and is told with the next session over the mesh",
            Self::Block => {
                "is blocked: nothing of them is shown or stored; what they send to others is still passed on"
            }
            Self::Unblock => "is not blocked",
            Self::Verified => "is verified",
            Self::Unverified => "is not verified: whom they vouch for is not vouched for here",
        }
    }
}

/// Decides something about a person.
pub(in crate::cli) async fn run(context: &Context, name: &str, decision: Decision) -> Result<(), CliError> {
    let client = context.client()?;
    let person = find(&client, name).await?;
    let edited = client.edit_contact(person.fingerprint, &decision.patch()).await?;
    context.out.say(&edited, format!("{} {}", printable(&edited.name), decision.done()))
}

/// Somebody in the contact book, or else somebody heard on the mesh.
pub(in crate::cli) async fn find(client: &Client, name: &str) -> Result<ContactReport, CliError> {
    match pick(client.contacts().await?.contacts, name) {
        Err(CliError::NoContact(bare)) => {
            let who = heard(&client.peers().await?.peers, &bare)?;
            Ok(client.contact(who).await?)
        }
        picked => picked,
    }
}

/// Whom a name means among those heard: who is here comes before who left.
fn heard(peers: &[Peer], bare: &str) -> Result<Fingerprint, CliError> {
    let (fingerprint, id) = (bare.parse::<Fingerprint>().ok(), bare.parse::<PeerId>().ok());
    if let Some(exact) =
        peers.iter().find(|peer| Some(peer.fingerprint) == fingerprint || Some(peer.id) == id)
    {
        return Ok(exact.fingerprint);
    }
    let all = || peers.iter().map(|peer| (peer.id, peer.nickname.as_str()));
    let called = |peer: &&Peer| calls(bare, &peer.nickname, peer.id);
    let (here, gone): (Vec<&Peer>, Vec<&Peer>) =
        peers.iter().filter(called).partition(|peer| peer.reach != ReachWord::Gone);
    match if here.is_empty() { gone } else { here }.as_slice() {
        [] => Err(CliError::NoPerson(bare.to_owned())),
        [one] => Ok(one.fingerprint),
        several => {
            let names = several.iter().map(|peer| names::shown(peer.id, &peer.nickname, all())).collect();
            Err(CliError::ManyPeople { name: bare.to_owned(), names })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(first: u8, nickname: &str, reach: ReachWord) -> Peer {
        let fingerprint = Fingerprint([first; 32]);
        Peer {
            id: fingerprint.peer_id(),
            fingerprint,
            nickname: nickname.to_owned(),
            reach,
            links: Vec::new(),
            last_seen_ms: 0,
            session: false,
            trust: "known".to_owned(),
            favourite: false,
            favours_us: false,
            blocked: false,
        }
    }

    #[test]
    fn a_shared_nickname_needs_the_digits_that_are_shown() {
        let peers = [
            peer(1, "ada", ReachWord::Direct),
            peer(2, "ada", ReachWord::Mesh),
            peer(3, "ben", ReachWord::Gone),
        ];
        let found = |name: &str| heard(&peers, name).map(|who| who.0[0]).map_err(|error| error.to_string());
        assert_eq!(found("ada#0202"), Ok(2));
        assert_eq!(found("0101010101010101"), Ok(1));
        assert_eq!(found("ben"), Ok(3));
        assert!(found("ada").unwrap_err().contains("ada#0101, ada#0202"));
        assert!(found("zoe").unwrap_err().contains("`zoe`"));
    }
}
