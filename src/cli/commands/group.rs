//! `hopline group`: private groups, who is in them, and talking to them.

use clap::Subcommand;
use serde_json::json;

use crate::api::Client;
use crate::api::groups::{GroupRef, GroupReport, MemberReport};
use crate::ids::GroupId;
use crate::nickname::{calls, same};

use crate::cli::context::Context;
use crate::cli::error::{CliError, RoomError};
use crate::cli::words::{Place, printable, table};

/// Of an id, what is shown.
const SHOWN: usize = 8;

/// What `group` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    deed: Option<Deed>,
}

const EXAMPLES: &str = "\
Examples:
  hopline group create crew
  hopline group invite crew ben
  hopline group send crew 'meet at the well at 8'

GROUP is a group's name, or the beginning of its id.";

#[derive(Debug, Subcommand)]
enum Deed {
    /// Show your groups and who is in them; this is what `group` alone does
    List,
    /// Make a group; you are its creator, and alone in it
    Create {
        /// What it is called, 40 characters at most
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Make somebody a member of a group of yours; they get the key when they are in reach
    Invite {
        /// Which group
        #[arg(value_name = "GROUP")]
        group: String,
        /// Whom
        #[arg(value_name = "PEER")]
        peer: String,
    },
    /// End somebody's membership of a group of yours: they cannot read what follows
    Remove {
        /// Which group
        #[arg(value_name = "GROUP")]
        group: String,
        /// Whom: the name in the group, or the beginning of the peer id
        #[arg(value_name = "MEMBER")]
        member: String,
    },
    /// Be a member no longer
    Leave {
        /// Of which group
        #[arg(value_name = "GROUP")]
        group: String,
    },
    /// Say something that only members can read
    Send {
        /// To which group
        #[arg(value_name = "GROUP")]
        group: String,
        /// What
        #[arg(value_name = "TEXT")]
        text: String,
    },
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let client = context.client()?;
    match arguments.deed {
        None | Some(Deed::List) => list(context, &client, Place::Shell).await,
        Some(Deed::Create { name }) => create(context, &client, &name, Place::Shell).await,
        Some(Deed::Invite { group, peer }) => invite(context, &client, &group, &peer).await,
        Some(Deed::Remove { group, member }) => remove(context, &client, &group, &member).await,
        Some(Deed::Leave { group }) => leave(context, &client, &group).await,
        Some(Deed::Send { group, text }) => {
            let said = client.say_to_group(find(&client, &group).await?.group.id, &text).await?;
            let text = format!("message {} to {}", said.id, printable(&said.group.name));
            context.out.say(&said, text)
        }
    }
}

/// Shows every group.
pub(super) async fn list(context: &Context, client: &Client, place: Place) -> Result<(), CliError> {
    let report = client.groups().await?;
    if context.out.is_json() {
        return context.out.object(&report);
    }
    if report.groups.is_empty() {
        return context.out.line(place.says("you are in no group; `hopline group create NAME` makes one"));
    }
    let header = ["GROUP", "ID", "MEMBERS"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(report.groups.iter().map(row)).collect();
    context.out.line(table(&rows))
}

/// Makes a group.
pub(super) async fn create(
    context: &Context,
    client: &Client,
    name: &str,
    place: Place,
) -> Result<(), CliError> {
    let report = client.create_group(name).await?;
    let named = client.groups().await?.groups;
    let shared = named.iter().filter(|other| same(&other.group.name, &report.group.name)).count() > 1;
    let handle = if shared { front(report.group.id) } else { handle(&report.group) };
    let (name, second) =
        (printable(&report.group.name), if shared { ", not the only one called so" } else { "" });
    let typed = place.says(&format!("`hopline group invite {handle} PEER`"));
    context.out.say(&report, format!("{name} is made{second}; {typed} fills it"))
}

/// Invites somebody.
pub(super) async fn invite(
    context: &Context,
    client: &Client,
    group: &str,
    peer: &str,
) -> Result<(), CliError> {
    let report = client.invite(find(client, group).await?.group.id, peer).await?;
    let (name, count) = (printable(&report.group.name), report.members.len());
    let text = format!("{} is a member of {name}, which has {count}", printable(peer));
    context.out.say(&report, text)
}

/// Removes somebody.
pub(super) async fn remove(
    context: &Context,
    client: &Client,
    group: &str,
    member: &str,
) -> Result<(), CliError> {
    let group = find(client, group).await?;
    let found: Vec<&MemberReport> = group.members.iter().filter(|other| is_called(other, member)).collect();
    let member = match found.as_slice() {
        [member] => *member,
        [] => return Err(RoomError::NoMember(printable(member)).into()),
        [..] => return Err(RoomError::ManyMembers(printable(member)).into()),
    };
    client.remove_member(group.group.id, member.fingerprint).await?;
    let text = format!(
        "{} is no member of {} any more, and the key is another",
        printable(&member.nickname),
        printable(&group.group.name)
    );
    context.out.say(&json!({ "removed": member.fingerprint.to_string() }), text)
}

/// Leaves a group.
pub(super) async fn leave(context: &Context, client: &Client, group: &str) -> Result<(), CliError> {
    let group = find(client, group).await?;
    client.leave_group(group.group.id).await?;
    let orphaned = if group.own { "; it was yours, so nobody can change it from here on" } else { "" };
    let text = format!("you left {}{orphaned}", printable(&group.group.name));
    context.out.say(&json!({ "left": group.group.id.to_string() }), text)
}

/// What to type for a group: its name where that is a plain word, and otherwise the front of its id.
pub(in crate::cli) fn handle(group: &GroupRef) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || character == '_';
    if !group.name.is_empty() && group.name.chars().all(is_plain) {
        return group.name.clone();
    }
    front(group.id)
}

/// The front of an id: enough to tell apart the groups one is in.
fn front(id: GroupId) -> String {
    id.to_string().chars().take(SHOWN).collect()
}

/// The group of this name, or whose id begins so. A name that is the front of another group's id leads to neither.
pub(super) async fn find(client: &Client, wanted: &str) -> Result<GroupReport, CliError> {
    let wanted = wanted.strip_prefix('#').unwrap_or(wanted);
    let groups = client.groups().await?.groups;
    let meant = |group: &&GroupReport| same(&group.group.name, wanted) || begins(&group.group.id, wanted);
    let found: Vec<&GroupReport> = groups.iter().filter(meant).collect();
    match found.as_slice() {
        [group] => Ok((*group).clone()),
        [] => Err(RoomError::NoGroup(printable(wanted)).into()),
        [..] => {
            let ids = found.iter().map(|group| group.group.id.to_string()).collect();
            Err(RoomError::ManyGroups { name: printable(wanted), ids }.into())
        }
    }
}

fn is_called(member: &MemberReport, wanted: &str) -> bool {
    let wanted = wanted.strip_prefix('@').unwrap_or(wanted);
    calls(wanted, &member.nickname, member.fingerprint.peer_id()) || begins(&member.fingerprint, wanted)
}

/// Whether an id begins with what was typed: four digits or more, in either case.
fn begins(id: &impl ToString, wanted: &str) -> bool {
    wanted.len() >= 4 && id.to_string().starts_with(&wanted.to_ascii_lowercase())
}

fn row(group: &GroupReport) -> Vec<String> {
    let member = |member: &MemberReport| {
        let creator = if member.fingerprint == group.creator { " (creator)" } else { "" };
        let waits = if member.told { "" } else { " (not reached yet)" };
        format!("{}{creator}{waits}", printable(&member.nickname))
    };
    let members: Vec<String> = group.members.iter().map(member).collect();
    vec![printable(&group.group.name), front(group.group.id), members.join(", ")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_of_an_id_is_enough_in_either_case() {
        let id = "1a92f23852dc908d".to_owned();
        assert!(begins(&id, "1a92") && begins(&id, "1A92F2"));
        assert!(!begins(&id, "1a9") && !begins(&id, "2a92"));
    }
}
