//! `hopline verify`: two people show each other that their keys are theirs.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::api::Client;
use crate::api::client::Events;
use crate::api::contacts::{ContactNews, ContactNotice, ContactReport};
use crate::api::people::{CodeReport, PersonNews, PersonNotice};
use crate::api::schema::EventReport;
use crate::ids::Fingerprint;
use crate::node::contacts::CODE_LIFETIME;

use super::person::{self, Decision};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::qr::qr;
use crate::cli::words::{self, Place, printable};

/// How long a proof is waited for: longer than the daemon does, which says so when none came.
const PROOF_TIMEOUT: Duration = Duration::from_secs(60);

/// What `verify` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Who is to scan your code: it is shown with the safety number, until they did or it is too old
    #[arg(required_unless_present = "scan")]
    name: Option<String>,
    /// Check the code that they show you, and let their node prove it
    #[arg(long, value_name = "CODE", conflicts_with = "name")]
    scan: Option<String>,
    /// Say that you compared the safety number, and that it is the same
    #[arg(long, conflicts_with = "scan")]
    compared: bool,
    /// Take a verification back: the number was not the same after all, or the device is in other hands
    #[arg(long, conflicts_with_all = ["scan", "compared"])]
    revoke: bool,
}

const EXAMPLES: &str = "\
Examples:
  hopline verify ben                            show ben your code
  hopline verify --scan 'bitchat://verify?…'    what ben's screen shows
  hopline verify ben --compared                 the safety numbers are the same
  hopline verify ben --revoke                   take that back

Whoever scans is the one who is sure then: for both to be, each scans the other's code.";

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    match arguments {
        Arguments { scan: Some(code), .. } => scan(context, code).await,
        Arguments { name: Some(name), compared: true, .. } => {
            person::run(context, &name, Decision::Verified).await
        }
        Arguments { name: Some(name), revoke: true, .. } => {
            person::run(context, &name, Decision::Unverified).await
        }
        Arguments { name: Some(name), .. } => show(context, &name).await,
        // The argument parser lets nobody through without one of them.
        Arguments { name: None, scan: None, .. } => Ok(()),
    }
}

/// Shows our code, and waits until it is scanned.
async fn show(context: &Context, name: &str) -> Result<(), CliError> {
    let client = context.client()?;
    let mut events = client.events().await?;
    let person = person::find(&client, name).await?;
    present(context, &client, &person, Place::Shell).await?;
    let scanned = timeout(CODE_LIFETIME, scanned_by(context, &mut events, person.fingerprint));
    let notice = scanned.await.map_err(|_| CliError::NotScanned)??;
    let text = format!("{name} has scanned your code and knows that your keys are yours");
    context.out.say(&EventReport::Person(notice), text)
}

/// Prints our code and the safety number with somebody.
pub(in crate::cli) async fn present(
    context: &Context,
    client: &Client,
    person: &ContactReport,
    place: Place,
) -> Result<(), CliError> {
    let CodeReport { code } = client.code().await?;
    let name = printable(&person.name);
    let object = json!({
        "event": "code",
        "code": code,
        "fingerprint": person.fingerprint.to_string(),
        "safety_number": person.safety_number,
    });
    let typed = place.says(&format!("`hopline verify {} --compared`", person.peer_id));
    let text = format!(
        "{}\n{code}\n\nlet {name} scan this within five minutes, or compare the safety number:\n{}\n\nif it is \
         the same on {name}'s screen: {typed}",
        qr(&code).map_err(|_too_long| CliError::NoQrCode)?,
        person.safety_number,
    );
    context.out.say(&object, text)
}

/// Checks a code, and waits for its proof.
async fn scan(context: &Context, code: String) -> Result<(), CliError> {
    let client = context.client()?;
    let mut events = client.events().await?;
    let asked = client.scan(&CodeReport { code }).await?;
    let name = printable(&asked.nickname);
    context.out.tell(format!("the code of {name} is good; {name}'s node has to prove it …"))?;
    let notice = timeout(PROOF_TIMEOUT, proven_by(&client, &mut events, asked.fingerprint, &name)).await;
    let notice =
        notice.map_err(|_| CliError::NotProven { name, reason: "nothing came in time".to_owned() })??;
    let text = format!("{} is verified", printable(&notice.name));
    context.out.say(&EventReport::Contact(notice), text)
}

async fn scanned_by(
    context: &Context,
    events: &mut Events,
    who: Fingerprint,
) -> Result<PersonNotice, CliError> {
    loop {
        let event = events.next().await?.ok_or(CliError::DaemonStopped)?;
        if let EventReport::Missed { .. } = event {
            // The scan may be among them, and nobody can be asked for it.
            context.out.tell(words::event(&event, Place::Shell))?;
        } else if let EventReport::Person(notice) = event
            && notice.news == PersonNews::ScannedUs
            && notice.fingerprint == who
        {
            return Ok(notice);
        }
    }
}

/// The proof may be among events that were missed.
async fn proven_meanwhile(client: &Client, who: Fingerprint) -> Result<Option<ContactNotice>, CliError> {
    let contacts = client.contacts().await?.contacts;
    let proven = contacts.into_iter().find(|contact| contact.fingerprint == who && contact.verified);
    Ok(proven.map(|ContactReport { fingerprint, name, .. }| ContactNotice {
        news: ContactNews::Verified,
        fingerprint,
        name,
    }))
}

async fn proven_by(
    client: &Client,
    events: &mut Events,
    who: Fingerprint,
    name: &str,
) -> Result<ContactNotice, CliError> {
    loop {
        let event = events.next().await?.ok_or(CliError::DaemonStopped)?;
        if let EventReport::Contact(notice) = event {
            if notice.news == ContactNews::Verified && notice.fingerprint == who {
                return Ok(notice);
            }
        } else if let EventReport::Missed { .. } = event {
            if let Some(notice) = proven_meanwhile(client, who).await? {
                return Ok(notice);
            }
        } else if let EventReport::Person(PersonNotice {
            news: PersonNews::NotVerified,
            fingerprint,
            reason,
            ..
        }) = event
            && fingerprint == who
        {
            return Err(CliError::NotProven { name: name.to_owned(), reason: reason.unwrap_or_default() });
        }
    }
}
