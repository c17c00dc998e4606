//! The steps of the demo, each verified at the far end.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::ids::{MessageId, PeerId};
use crate::mesh::config::ORIGIN_TTL;
use crate::mesh::event::{Event as Mesh, Reach};
use crate::message::{DeliveryStatus, Requirements};
use crate::node::NodeHandle;
use crate::node::event::Event;
use crate::node::name::EVERYONE;
use crate::node::status::Status;

use super::cast::{Cast, Player, seeded};
use super::error::DemoError;
use super::telling::Telling;

/// What `demo` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Makes the nodes' keys, the air's whims and the long message
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// The length of the long message: random base64 text, which deflates to about 24 KiB.
const LONG_TEXT: usize = 32 * 1024;
/// Into how many fragments it must be cut at least.
const LEAST_FRAGMENTS: u16 = 50;
/// Between two lines about the long message's progress.
const PROGRESS: Duration = Duration::from_millis(500);

/// A public message as it was shown.
struct Shown {
    sender: PeerId,
    text: String,
    ttl: u8,
    fragments: u16,
}

pub(in crate::cli) async fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    let telling = Telling::new(context);
    telling.opening(arguments.seed)?;
    let mut rng = seeded(arguments.seed);
    let mut cast = Cast::assemble(&mut rng).await?;
    discovery(&telling, &mut cast).await?;
    public_message(&telling, &mut cast).await?;
    private_message(&telling, &mut cast).await?;
    long_message(&telling, &mut cast, &base64_text(&mut rng)).await?;
    let mut counted = Vec::new();
    for player in [&cast.ada, &cast.ben, &cast.cy] {
        counted.push(player.handle().status().await.map_err(DemoError::from)?);
    }
    each_shown_once(&counted)?;
    telling.counted(&counted)?;
    Ok(cast.leave().await?)
}

async fn discovery(telling: &Telling<'_>, cast: &mut Cast) -> Result<(), CliError> {
    telling.begin("discovery: the nodes advertise, scan, connect and announce themselves")?;
    let (ada, ben, cy) = (cast.ada.id, cast.ben.id, cast.cy.id);
    meet(&mut cast.ada, ben, "ben", Reach::Direct).await?;
    telling.note(&format!("ada and ben have met: ben is {ben}"))?;
    meet(&mut cast.cy, ben, "ben", Reach::Direct).await?;
    telling.note("ben and cy have met")?;
    meet(&mut cast.ada, cy, "cy", Reach::Mesh).await?;
    meet(&mut cast.cy, ada, "ada", Reach::Mesh).await?;
    let facts = json!({ "ada": ada.to_string(), "ben": ben.to_string(), "cy": cy.to_string() });
    telling.verified("discovery", facts, "ada and cy know each other, though only ben hears both")
}

/// Waits until a player knows another one by its right name and reaches it as expected.
async fn meet(player: &mut Player, whom: PeerId, name: &'static str, reach: Reach) -> Result<(), DemoError> {
    let is_met = |event: &Event| {
        let Event::Mesh(Mesh::Peer(peer)) = event else { return None };
        (peer.id == whom && peer.reach == reach).then(|| peer.nickname.clone())
    };
    let nickname = player.wait_for("a verified announce", is_met).await?;
    if nickname == name { Ok(()) } else { Err(DemoError::Differs { node: player.name, what: "a nickname" }) }
}

async fn public_message(telling: &Telling<'_>, cast: &mut Cast) -> Result<(), CliError> {
    let text = "Good morning, everyone!";
    telling.begin(&format!("a public message: ada says \"{text}\""))?;
    let sent = cast
        .ada
        .handle()
        .send(EVERYONE, text.to_owned(), Requirements::default())
        .await
        .map_err(DemoError::from)?;
    for (player, ttl) in [(&mut cast.ben, ORIGIN_TTL), (&mut cast.cy, ORIGIN_TTL - 1)] {
        let shown = shown(player, sent.envelope.id).await?;
        same(player, "the text", shown.text == text)?;
        same(player, "the sender", shown.sender == cast.ada.id)?;
        same(player, "the TTL", shown.ttl == ttl)?;
        telling.note(&format!("{} reads \"{}\" (TTL {ttl})", player.name, shown.text))?;
    }
    let facts = json!({ "id": sent.envelope.id.to_string(), "text": text, "ttl_at_cy": ORIGIN_TTL - 1 });
    telling.verified("public_message", facts, "cy has it word for word, signed by ada, relayed by ben")
}

async fn private_message(telling: &Telling<'_>, cast: &mut Cast) -> Result<(), CliError> {
    let text = "Lunch at noon? Tell nobody.";
    let (ada, cy) = (cast.ada.id, cast.cy.id);
    telling.begin("a private message: ada and cy shake hands (Noise XX) through ben")?;
    let sent = cast
        .ada
        .handle()
        .send(&cy.to_string(), text.to_owned(), Requirements::default())
        .await
        .map_err(DemoError::from)?;
    session(&mut cast.ada, cy).await?;
    session(&mut cast.cy, ada).await?;
    let facts = json!({ "initiator": ada.to_string(), "responder": cy.to_string() });
    telling.verified("handshake", facts, "both ends have the session")?;

    let (id, arrived) = cast.cy.wait_for("the private message", private_from(ada)).await?;
    same(&cast.cy, "the private text", arrived == text && id == sent.envelope.id)?;
    telling.note(&format!("cy decrypts \"{arrived}\""))?;
    status(&mut cast.ada, sent.envelope.id, DeliveryStatus::Delivered).await?;
    telling.note("ada has cy's receipt: delivered")?;
    cast.cy.handle().mark_read(id).await.map_err(DemoError::from)?;
    status(&mut cast.ada, sent.envelope.id, DeliveryStatus::Read).await?;
    telling.note("ada has cy's receipt: read")?;
    let facts =
        json!({ "id": sent.envelope.id.to_string(), "text": text, "receipts": ["delivered", "read"] });
    telling.verified("private_message", facts, "cy has it word for word, ada has both receipts")
}

async fn long_message(telling: &Telling<'_>, cast: &mut Cast, text: &str) -> Result<(), CliError> {
    telling.begin(&format!("a long public message: {} characters of random text", text.len()))?;
    let before = frames_received(cast.cy.handle()).await?;
    let sent = cast
        .ada
        .handle()
        .send(EVERYONE, text.to_owned(), Requirements::default())
        .await
        .map_err(DemoError::from)?;
    let fragments = cut_into(&mut cast.ada, sent.envelope.id).await?;
    if fragments < LEAST_FRAGMENTS {
        return Err(DemoError::FewFragments { actual: fragments, least: LEAST_FRAGMENTS }.into());
    }
    telling.note(&format!("ada cuts it into {fragments} fragments"))?;

    let handle = cast.cy.handle().clone();
    let shown = async {
        let arrived = shown(&mut cast.cy, sent.envelope.id);
        tokio::pin!(arrived);
        loop {
            tokio::select! {
                shown = &mut arrived => return Ok::<_, CliError>(shown?),
                () = tokio::time::sleep(PROGRESS) => {
                    let frames = frames_received(&handle).await?.saturating_sub(before);
                    telling.note(&format!("cy has received {frames} frames"))?;
                }
            }
        }
    }
    .await?;
    same(&cast.cy, "the long text", shown.text == text)?;
    same(&cast.cy, "the number of fragments", shown.fragments == fragments)?;
    let at_ben = self::shown(&mut cast.ben, sent.envelope.id).await?;
    same(&cast.ben, "the long text", at_ben.text == text)?;
    let facts =
        json!({ "id": sent.envelope.id.to_string(), "characters": text.len(), "fragments": shown.fragments });
    let told = format!("cy put {} fragments together: the text is the same", shown.fragments);
    telling.verified("long_message", facts, &told)
}

/// Nothing was shown twice, and nothing to whom it was not for.
fn each_shown_once(nodes: &[Status]) -> Result<(), DemoError> {
    for (status, expected) in nodes.iter().zip([0, 2, 3]) {
        let count = status.messages.public_received + status.messages.private_received;
        if count != expected {
            return Err(DemoError::Count { node: status.profile.nickname.clone(), count, expected });
        }
    }
    Ok(())
}

async fn shown(player: &mut Player, wanted: MessageId) -> Result<Shown, DemoError> {
    let pick = |event: &Event| {
        let Event::Received { message, fragments } = event else { return None };
        let text = message.text.as_ref().ok()?.clone();
        let shown = Shown { sender: message.sender.peer_id(), text, ttl: message.ttl, fragments: *fragments };
        (message.public && message.id == wanted).then_some(shown)
    };
    player.wait_for("the public message", pick).await
}

async fn session(player: &mut Player, with: PeerId) -> Result<(), DemoError> {
    let pick =
        |event: &Event| matches!(event, Event::Mesh(Mesh::Session { peer }) if *peer == with).then_some(());
    player.wait_for("the session", pick).await
}

async fn status(player: &mut Player, message: MessageId, wanted: DeliveryStatus) -> Result<(), DemoError> {
    let pick = |event: &Event| {
        let Event::Status(told) = event else { return None };
        (told.id == message && told.status == wanted).then_some(())
    };
    player.wait_for("the receipt", pick).await
}

fn private_from(wanted: PeerId) -> impl Fn(&Event) -> Option<(MessageId, String)> {
    move |event| {
        let Event::Received { message, .. } = event else { return None };
        let text = message.text.as_ref().ok()?;
        (!message.public && message.sender.peer_id() == wanted).then(|| (message.id, text.clone()))
    }
}

fn same(player: &Player, what: &'static str, holds: bool) -> Result<(), DemoError> {
    if holds { Ok(()) } else { Err(DemoError::Differs { node: player.name, what }) }
}

/// Into how many fragments a message of this player went.
async fn cut_into(player: &mut Player, message: MessageId) -> Result<u16, DemoError> {
    let pick = |event: &Event| {
        let Event::Mesh(Mesh::Sent { id, fragments, .. }) = event else { return None };
        (*id == message).then_some(*fragments)
    };
    player.wait_for("the long message to leave", pick).await
}

async fn frames_received(node: &NodeHandle) -> Result<u64, DemoError> {
    Ok(node.status().await?.bitchat.link.frames_received)
}

fn base64_text(rng: &mut ChaCha20Rng) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = vec![0; LONG_TEXT];
    rng.fill_bytes(&mut random);
    random
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 64)))
        .map(|&digit| char::from(digit))
        .collect()
}
