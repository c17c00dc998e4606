//! `hopline contact`: the own card, and the people one knows.

use std::io::{self, Read};

use clap::Subcommand;
use serde_json::json;

use crate::api::contacts::{CardQuery, ContactPatch, ContactReport, NewContact, Standing};
use crate::ids::{Fingerprint, PeerId};
use crate::nickname::same;

use super::person;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::qr::qr;
use crate::cli::words::{printable, table};

/// The longest input read for a card; anything longer is none.
const INPUT_LIMIT: u64 = 64 * 1024;

/// What `contact` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    deed: Option<Deed>,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Print your card, for somebody to add
    Card {
        /// As a QR code too; with a mailbox in it the code is about 160 columns wide and 80 lines high, without
        /// one (--no-mailbox) it fits an ordinary terminal
        #[arg(long)]
        qr: bool,
        /// Without the addresses at which you can be reached over IP: a card to be shown around. Your mailbox at
        /// a relay stays in it, which tells nobody where you are, and lets whoever has the card write to you
        #[arg(long)]
        no_addresses: bool,
        /// Without your mailbox
        #[arg(long)]
        no_mailbox: bool,
    },
    /// Add somebody by their card, or take a card that was offered
    Add {
        /// The card (`hopline://contact/…`), `@name` of an offer, its fingerprint, or `-` to read the card
        #[arg(value_name = "CARD|@OFFER|-")]
        card: String,
        /// The name to give them [default: the one in the card]
        #[arg(long)]
        name: Option<String>,
    },
    /// List contacts, offers and blocked people; this is what `contact` alone does
    List,
    /// Show one person, with what to compare
    Show { name: String },
    /// Know somebody no more, and let them no longer find you
    Remove { name: String },
    /// Give somebody another name
    Rename {
        name: String,
        #[arg(value_name = "NEW-NAME")]
        new_name: String,
    },
}

const EXAMPLES: &str = "\
Examples:
  hopline contact card --qr             show your card
  hopline contact add hopline://contact/AQEI…
  hopline contact add @ben              take the card that ben offered
  hopline contact show ben              what to compare with ben

What you decide about people: `hopline fav`, `unfav`, `block`, `unblock`, `verify`.
A NAME is a contact's name, a fingerprint or a peer id; `@` is optional.";

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    match arguments.deed.unwrap_or(Deed::List) {
        Deed::Card { qr, no_addresses, no_mailbox } => {
            card(context, qr, CardQuery { addresses: !no_addresses, mailbox: !no_mailbox }).await
        }
        Deed::Add { card, name } => add(context, card, name).await,
        Deed::List => list(context).await,
        Deed::Show { name } => {
            let client = context.client()?;
            let person = client.contact(person::find(&client, &name).await?.fingerprint).await?;
            context.out.say(&person, describe(&person))
        }
        Deed::Rename { name, new_name } => {
            let patch = ContactPatch { name: Some(new_name), ..ContactPatch::default() };
            edit(context, &name, patch, "is the name from now on").await
        }
        Deed::Remove { name } => {
            let person = find(context, &name).await?;
            context.client()?.remove_contact(person.fingerprint).await?;
            let removed = json!({ "removed": person.fingerprint.to_string() });
            context.out.say(&removed, format!("{} is removed", printable(&person.name)))
        }
    }
}

async fn card(context: &Context, as_qr: bool, query: CardQuery) -> Result<(), CliError> {
    let card = context.client()?.card(query).await?;
    if as_qr {
        context.out.tell(qr(&card.link).map_err(|_too_long| CliError::NoQrCode)?)?;
    }
    context.out.say(&card, &card.link)
}

async fn add(context: &Context, card: String, name: Option<String>) -> Result<(), CliError> {
    let offer = card.trim();
    let contact = if offer == "-" {
        let mut link = String::new();
        io::stdin().lock().take(INPUT_LIMIT).read_to_string(&mut link).map_err(CliError::Input)?;
        NewContact { link: Some(link), offered: None, name }
    } else if offer.starts_with('@') || offer.parse::<Fingerprint>().is_ok() {
        let offered = find(context, offer).await?.fingerprint.to_string();
        NewContact { link: None, offered: Some(offered), name }
    } else {
        NewContact { link: Some(card), offered: None, name }
    };
    let added = context.client()?.add_contact(&contact).await?;
    let text = format!(
        "{} is a contact\n`hopline verify` lets each be sure that the keys are the other's",
        printable(&added.name)
    );
    context.out.say(&added, text)
}

async fn list(context: &Context) -> Result<(), CliError> {
    let list = context.client()?.contacts().await?;
    if context.out.is_json() {
        return context.out.object(&list);
    }
    if list.contacts.is_empty() {
        return context
            .out
            .line("nobody yet: give your card to somebody (`hopline contact card`) and add theirs");
    }
    let header = ["NAME", "PEER", "STANDING", "OVER IP"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(list.contacts.iter().map(row)).collect();
    context.out.line(table(&rows))
}

fn row(person: &ContactReport) -> Vec<String> {
    let counted =
        |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let mut ways = Vec::new();
    if let Some(direct) = &person.direct {
        ways.push(counted(direct.addresses.len(), "address", "addresses"));
        ways.push(counted(direct.relays.len(), "relay", "relays"));
    }
    if person.mailbox {
        ways.push("a mailbox".to_owned());
    }
    let over_ip = if ways.is_empty() { "no".to_owned() } else { ways.join(", ") };
    vec![printable(&person.name), person.peer_id.to_string(), standing(person), over_ip]
}

fn standing(person: &ContactReport) -> String {
    let word = match person.standing {
        Standing::Contact => "contact",
        Standing::Offered => "offers a card",
        Standing::Blocked => "blocked",
        Standing::Stranger => "no contact",
    };
    let verified = if person.verified { ", verified" } else { "" };
    let favourite = if person.favourite { ", favourite" } else { "" };
    format!("{word}{verified}{favourite}")
}

fn describe(person: &ContactReport) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("name", printable(&person.name)),
        row("calls itself", printable(&person.nickname)),
        row("standing", standing(person)),
    ];
    if let Some(trust) = &person.trust {
        rows.push(row("trust", trust.level.clone()));
        rows.extend(trust.vouched_by.iter().map(|voucher| row("vouched for by", printable(&voucher.name))));
    }
    rows.extend([
        row("peer id", person.peer_id.to_string()),
        row("fingerprint", grouped(&person.fingerprint.to_string())),
        row("Noise key", person.noise_public.clone()),
        row("signing key", person.signing_public.clone()),
    ]);
    // Of whom only the mesh told there is no card.
    if person.serial > 0 {
        rows.push(row("card serial", person.serial.to_string()));
    }
    if let Some(direct) = &person.direct {
        rows.push(row("direct key", format!("{} (generation {})", direct.key, direct.generation)));
        rows.extend(direct.addresses.iter().map(|address| row("address", address.clone())));
        rows.extend(direct.relays.iter().map(|relay| row("relay", printable(relay))));
    }
    if person.mailbox {
        rows.push(row("mailbox", "at a relay: betanet carries mail there".to_owned()));
    }
    rows.push(row("safety number", person.safety_number.clone()));
    let advice = if person.verified {
        String::new()
    } else {
        let name = printable(&person.name);
        format!("\n{name}'s node shows the same safety number for you, unless somebody stands between")
    };
    format!("{}{advice}", table(&rows))
}

/// Hex digits by fours, for eyes.
fn grouped(hex: &str) -> String {
    let spaced = |(index, digit): (usize, char)| {
        let space = (index > 0 && index % 4 == 0).then_some(' ');
        space.into_iter().chain([digit])
    };
    hex.chars().enumerate().flat_map(spaced).collect()
}

async fn edit(context: &Context, name: &str, patch: ContactPatch, done: &str) -> Result<(), CliError> {
    let person = find(context, name).await?;
    let edited = context.client()?.edit_contact(person.fingerprint, &patch).await?;
    context.out.say(&edited, format!("{} {done}", printable(&edited.name)))
}

async fn find(context: &Context, name: &str) -> Result<ContactReport, CliError> {
    pick(context.client()?.contacts().await?.contacts, name)
}

/// Whom a name means: an id, or else a contact, or else an offer, if there is only one of that name.
pub(super) fn pick(people: Vec<ContactReport>, name: &str) -> Result<ContactReport, CliError> {
    let name = name.trim();
    let bare = name.strip_prefix('@').unwrap_or(name);
    let (fingerprint, peer) = (bare.parse::<Fingerprint>().ok(), bare.parse::<PeerId>().ok());
    let mut offers = Vec::new();
    for person in people {
        let offered = person.standing == Standing::Offered;
        if Some(person.fingerprint) == fingerprint
            || Some(person.peer_id) == peer
            || same(&person.name, bare) && !offered
        {
            return Ok(person);
        }
        if same(&person.name, bare) {
            offers.push(person);
        }
    }
    match offers.pop() {
        None => Err(CliError::NoContact(bare.to_owned())),
        Some(only) if offers.is_empty() => Ok(only),
        Some(last) => {
            let all = offers.iter().chain([&last]);
            let fingerprints = all.map(|offer| offer.fingerprint.to_string()).collect();
            Err(CliError::ManyOffers { name: bare.to_owned(), fingerprints })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(first: u8, name: &str, standing: Standing) -> ContactReport {
        let fingerprint = Fingerprint([first; 32]);
        ContactReport {
            fingerprint,
            peer_id: fingerprint.peer_id(),
            name: name.to_owned(),
            nickname: name.to_owned(),
            standing,
            verified: false,
            favourite: false,
            noise_public: String::new(),
            signing_public: String::new(),
            safety_number: String::new(),
            serial: 0,
            direct: None,
            mailbox: false,
            trust: None,
        }
    }

    fn picked(name: &str) -> Result<u8, String> {
        let people = vec![
            person(1, "ada", Standing::Offered),
            person(2, "ada", Standing::Contact),
            person(3, "ben", Standing::Offered),
            person(4, "zoe", Standing::Offered),
            person(5, "zoe", Standing::Offered),
        ];
        pick(people, name).map(|person| person.fingerprint.0[0]).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_card_tells_is_shown_and_without_one_there_is_no_serial() {
        let ways = |person: &ContactReport| row(person).last().cloned().unwrap_or_default();
        let heard = person(1, "ada", Standing::Stranger);
        assert_eq!(ways(&heard), "no");
        assert!(!describe(&heard).contains("card serial"));
        let added = ContactReport { serial: 7, mailbox: true, ..person(2, "ben", Standing::Contact) };
        assert_eq!(ways(&added), "a mailbox");
        assert!(describe(&added).contains("card serial    7\n"));
    }

    #[test]
    fn a_contact_has_a_name_before_an_offer_and_an_id_is_exact() {
        assert_eq!(picked("@ada"), Ok(2));
        assert_eq!(picked("0101010101010101"), Ok(1));
        assert_eq!(picked(&"01".repeat(32)), Ok(1));
        assert_eq!(picked("ben"), Ok(3));
    }

    #[test]
    fn a_name_that_two_offers_share_is_refused_with_both_listed() {
        let error = picked("zoe").unwrap_err();
        assert!(error.contains(&"04".repeat(32)) && error.contains(&"05".repeat(32)), "{error}");
        assert!(picked("eve").unwrap_err().contains("`eve`"));
    }

    #[test]
    fn a_fingerprint_is_read_by_fours() {
        assert_eq!(grouped("0123456789"), "0123 4567 89");
    }
}
