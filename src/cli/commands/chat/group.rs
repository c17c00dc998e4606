//! Private groups in the chat.

use super::table::{is_quoted, one, pair};
use crate::api::Client;
use crate::cli::commands::group;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::Place;

/// What is wanted of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    List,
    Create(&'a str),
    Invite { group: &'a str, peer: &'a str },
    Remove { group: &'a str, member: &'a str },
    Leave(&'a str),
    Say { group: &'a str, text: &'a str },
}

/// Reads what follows `/group`.
pub(super) fn read(rest: &str) -> Option<Wish<'_>> {
    let (deed, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let rest = rest.trim();
    match (deed, rest) {
        ("" | "list", "") => Some(Wish::List),
        ("create" | "leave" | "invite" | "remove" | "say", "") => None,
        ("create", name) => one(name).map(Wish::Create),
        ("leave", group) => one(group).map(Wish::Leave),
        ("invite", rest) => two(rest).map(|(group, peer)| Wish::Invite { group, peer }),
        ("remove", rest) => two(rest).map(|(group, member)| Wish::Remove { group, member }),
        ("say", rest) => say(rest),
        (_, _) => None,
    }
}

/// Reads what follows `#`: a group, and what to say to it.
pub(super) fn say(rest: &str) -> Option<Wish<'_>> {
    pair(rest).map(|(group, text)| Wish::Say { group, text })
}

/// A group and a person, either in quotes. Without them the person is the last word; a group's name may have several.
fn two(rest: &str) -> Option<(&str, &str)> {
    if is_quoted(rest) {
        let (group, person) = pair(rest)?;
        return Some((group, one(person.strip_prefix('@').unwrap_or(person))?));
    }
    let (group, person) = match rest.strip_suffix('"') {
        Some(rest) => rest.rsplit_once('"')?,
        None => rest.rsplit_once(char::is_whitespace)?,
    };
    let group = group.trim_end_matches('@').trim();
    let person = person.strip_prefix('@').unwrap_or(person);
    (!group.is_empty() && !person.is_empty()).then_some((group, person))
}

/// Does it.
pub(super) async fn act(context: &Context, client: &Client, wish: Wish<'_>) -> Result<(), CliError> {
    match wish {
        Wish::List => group::list(context, client, Place::Chat).await,
        Wish::Create(name) => group::create(context, client, name, Place::Chat).await,
        Wish::Invite { group, peer } => group::invite(context, client, group, peer).await,
        Wish::Remove { group, member } => group::remove(context, client, group, member).await,
        Wish::Leave(group) => group::leave(context, client, group).await,
        Wish::Say { group, text } => {
            client.say_to_group(group::find(client, group).await?.group.id, text).await?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_made_filled_and_spoken_to() {
        assert_eq!(read(""), Some(Wish::List));
        assert_eq!(read("create night watch"), Some(Wish::Create("night watch")));
        let invite = Some(Wish::Invite { group: "night watch", peer: "ben" });
        assert_eq!(read("invite night watch @ben"), invite);
        for rest in
            ["invite \"night watch\" ben", "invite \"night watch\" @ben", "invite night watch \"ben\""]
        {
            assert_eq!(read(rest), invite, "{rest}");
        }
        let remove = Some(Wish::Remove { group: "crew", member: "ben smith" });
        for rest in ["remove crew \"ben smith\"", "remove crew @\"ben smith\"", "remove \"crew\" ben smith"] {
            assert_eq!(read(rest), remove, "{rest}");
        }
        assert_eq!(read("leave \"night watch\""), Some(Wish::Leave("night watch")));
        assert_eq!(read("say crew at  8"), Some(Wish::Say { group: "crew", text: "at  8" }));
        assert_eq!(say("crew at 8"), Some(Wish::Say { group: "crew", text: "at 8" }));
    }

    #[test]
    fn half_a_wish_does_nothing() {
        for rest in [
            "create",
            "invite crew",
            "remove ",
            "leave",
            "say crew",
            "dance",
            "list all",
            "invite \"ben",
            "invite \"crew\"",
        ] {
            assert_eq!(read(rest), None, "{rest}");
        }
        assert_eq!(say("crew"), None);
    }
}
