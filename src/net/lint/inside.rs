//! What is said in a tunnel, in good order and out of it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::finding::{Finding, Verdict};
use super::guest::Guest;
use super::hand::{Doorway, Frame, Hand, Heard, NoTunnel};
use crate::htx::error::ErrorCode;
use crate::htx::frame::{Kind, MAX_ACCEPTED, put_header};
use crate::htx::handshake::{Binding, Suite, classical_allowed};
use crate::net::client::ConnectError;
use crate::wire::mailbox::Request;

/// How long a relay may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long there must be silence for it to count.
const HUSH: Duration = Duration::from_secs(2);
const ASK: u8 = 0;
const ANSWER: u8 = 1;
/// Our first stream, as ids go (1 is kept for another use).
const STREAM: u64 = 3;

/// Why there is no tunnel to look into.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    #[error(transparent)]
    Door(#[from] ConnectError),
    #[error(transparent)]
    Handshake(#[from] NoTunnel),
}

type Checked = Result<Finding, Closed>;

/// A tunnel in good order.
pub(super) async fn tunnel(guest: &mut Guest<'_>) -> Result<Hand, Closed> {
    let doorway = guest.enter().await?;
    Ok(shake(guest, doorway, Suite::Hybrid).await?)
}

/// The handshake in good order.
pub(super) async fn shake(guest: &mut Guest<'_>, doorway: Doorway, suite: Suite) -> Result<Hand, NoTunnel> {
    let binding = Binding { host: guest.record.host.clone(), exporter: doorway.exporter() };
    let relay_static = guest.record.noise_public;
    doorway.shake(suite, &relay_static, &binding, PATIENCE, &mut guest.rng, guest.clock).await
}

/// R16 and R18: a handshake without a post-quantum part.
pub(super) async fn classical(guest: &mut Guest<'_>) -> Result<(Finding, Finding), Closed> {
    let allowed = classical_allowed(guest.clock.now().unix);
    let doorway = guest.enter().await?;
    let shaken = shake(guest, doorway, Suite::Classical).await;
    Ok(match (shaken, allowed) {
        (Ok(mut hand), true) => {
            let answered = answers(&mut hand, 1).await;
            let xk = if answered {
                Finding::met("suite 0x01 was done, and both ends have the same keys")
            } else {
                Finding::not_met("suite 0x01 was done, but what follows does not open")
            };
            (xk, Finding::not_applicable("not until 2027-01-01; what comes then is for r18_"))
        }
        (Ok(_), false) => {
            let late = "suite 0x01 is still taken: from 2027-01-01 a relay must refuse it";
            (Finding::met("suite 0x01 was done with the relay"), Finding::not_met(late))
        }
        (Err(NoTunnel::Silent | NoTunnel::Ended), false) => (
            Finding::not_applicable("suite 0x01 is refused, as it must be; r16_ has the vectors"),
            Finding::met("suite 0x01 gets no answer"),
        ),
        (Err(NoTunnel::Silent | NoTunnel::Ended), true) => {
            let refused = "this relay refuses suite 0x01, as it may";
            (Finding::not_applicable(format!("{refused}; r16_ has the vectors")), Finding::met(refused))
        }
        (Err(error), _) => {
            (Finding::not_met(error.to_string()), Finding::not_applicable("the handshake went wrong before"))
        }
    })
}

/// R19: a handshake bound to another TLS session.
pub(super) async fn other_session(guest: &mut Guest<'_>) -> Checked {
    let doorway = guest.enter().await?;
    let exporter = doorway.exporter().map(|byte| !byte);
    let binding = Binding { host: guest.record.host.clone(), exporter };
    let relay_static = guest.record.noise_public;
    let shaken =
        doorway.shake(Suite::Hybrid, &relay_static, &binding, HUSH, &mut guest.rng, guest.clock).await;
    Ok(match shaken {
        Err(NoTunnel::Silent | NoTunnel::Ended) => {
            Finding::met("bound to another one, a handshake gets no answer")
        }
        Err(NoTunnel::Handshake(_)) | Ok(_) => Finding::not_met(
            "a handshake bound to another TLS session was answered: the exporter is not in it",
        ),
    })
}

/// R20: both ends derive the same keys.
pub(super) async fn same_keys(hand: &mut Hand) -> Finding {
    if answers(hand, 1).await {
        Finding::met("frames open both ways under the bound keys; r20_ has the vectors")
    } else {
        Finding::not_met("the handshake was done, but a PING under the derived keys is not answered")
    }
}

/// R30: a PING is answered, an answer is not.
pub(super) async fn ping(hand: &mut Hand) -> Finding {
    if !answers(hand, 2).await {
        return Finding::not_met("a PING was not answered within 5 s");
    }
    hand.send(Kind::Ping, 0, ping_content(ANSWER, 3));
    match hand.hear(HUSH, |frame| frame.kind == Kind::Ping && frame.content.first() == Some(&ANSWER)).await {
        Heard::Silence => Finding::met("within 5 s, and an answer is not answered"),
        Heard::Frame(_) => Finding::not_met("the answer to a PING was answered again"),
        Heard::Ended => Finding::not_met("an answer to no question ended the tunnel"),
    }
}

/// R29: credit comes, and a stream that stands still holds up no other.
pub(super) async fn credit(hand: &mut Hand) -> Finding {
    // The head of a request that is never finished: more than half of the first window, so that credit is due.
    let mut half = BytesMut::zeroed(40_000);
    half.iter_mut().zip(50_000_u32.to_be_bytes()).for_each(|(byte, length)| *byte = length);
    let mut half = half.freeze();
    while !half.is_empty() {
        let piece = half.split_to(half.len().min(16_000));
        hand.send(Kind::Stream, STREAM, piece);
    }
    let credit = |frame: &Frame| frame.kind == Kind::WindowUpdate && [0, STREAM].contains(&frame.stream);
    if !matches!(hand.hear(PATIENCE, credit).await, Heard::Frame(_)) {
        return Finding::not_met("40,000 bytes were read or thrown away, and no WINDOW_UPDATE came");
    }
    let Ok(echo) = Request::Echo(*b"hop lint").encode() else {
        return Finding::not_met("no request can be made");
    };
    hand.send(Kind::Stream, STREAM + 2, echo);
    let answer = |frame: &Frame| frame.kind == Kind::Stream && frame.stream == STREAM + 2;
    match hand.hear(PATIENCE, answer).await {
        Heard::Frame(_) => Finding::met("credit comes, and no stream waits for another; overrun: r29_"),
        Heard::Silence | Heard::Ended => {
            Finding::not_met("beside a stream that stands still, no other was served")
        }
    }
}

/// R22: a key update of ours is followed.
pub(super) async fn rekey(hand: &mut Hand) -> Finding {
    hand.update_key();
    if answers(hand, 4).await {
        Finding::met("ours is followed; 65,536 frames, 8 GiB or 1 h are for r22_")
    } else {
        Finding::not_met("after a KEY_UPDATE, a PING under the next key was not answered")
    }
}

/// R31: a CLOSE is answered, and nothing after it.
pub(super) async fn close(hand: &mut Hand) -> Finding {
    hand.send(Kind::Close, 0, ErrorCode::Ok.number().to_be_bytes().to_vec());
    hand.send(Kind::Ping, 0, ping_content(ASK, 5));
    let last = |frame: &Frame| matches!(frame.kind, Kind::Close | Kind::Ping);
    match hand.hear(PATIENCE, last).await {
        Heard::Frame(frame) if frame.kind == Kind::Close => {}
        Heard::Frame(_) => return Finding::not_met("a PING after our CLOSE was answered"),
        Heard::Ended => return Finding::not_met("the tunnel ended without the relay's CLOSE"),
        Heard::Silence => return Finding::not_met("our CLOSE was not answered by one"),
    }
    match hand.hear(PATIENCE, |frame| frame.kind == Kind::Ping).await {
        Heard::Ended => Finding::met("answered by a CLOSE and the end, a later PING by nothing"),
        Heard::Frame(_) => Finding::not_met("a PING after our CLOSE was answered"),
        Heard::Silence => Finding::not_met("after both CLOSE frames the relay's body did not end"),
    }
}

/// R36: nothing but handshake and frames came.
pub(super) fn nothing_else(hand: &Hand) -> Finding {
    if hand.heard_only_frames() {
        Finding::met("the relay's body is handshake and frames; the wire is for r36_")
    } else {
        Finding::not_met("the relay's body held something that is no frame")
    }
}

/// R21: a frame of the relay's own.
pub(super) async fn reflected(guest: &mut Guest<'_>) -> Checked {
    let mut hand = tunnel(guest).await?;
    hand.send(Kind::Ping, 0, ping_content(ASK, 1));
    let Heard::Frame(theirs) = hand.hear(PATIENCE, |frame| frame.kind == Kind::Ping).await else {
        return Ok(Finding::not_met("no frame came that could be sent back"));
    };
    hand.post(theirs.raw);
    Ok(ended(&mut hand, "the relay's own frame, sent back,", End::Silent).await)
}

/// R23: a frame under the key before.
pub(super) async fn old_key(guest: &mut Guest<'_>) -> Checked {
    let mut hand = tunnel(guest).await?;
    let mut twin = hand.twin();
    let now = guest.clock.now().instant;
    // The twin uses up the counter of the KEY_UPDATE, and keeps the key.
    let (mut spent, mut late) = (BytesMut::new(), BytesMut::new());
    let ask = Bytes::from(ping_content(ASK, 1));
    twin.seal(Kind::Ping, 0, std::slice::from_ref(&ask), now, &mut spent).ok();
    twin.seal(Kind::Ping, 0, &[ask], now, &mut late).ok();
    hand.update_key();
    hand.post(late);
    Ok(ended(&mut hand, "a frame under the key before", End::Any).await)
}

/// R25: frames that are none.
pub(super) async fn no_frames(guest: &mut Guest<'_>) -> Checked {
    let mut hand = tunnel(guest).await?;
    hand.send(Kind::Unknown(9), 0, Bytes::new());
    let unknown = ended(&mut hand, "a frame of unknown type", End::Code(ErrorCode::MalformedFrame)).await;
    if unknown.verdict != Verdict::Met {
        return Ok(unknown);
    }
    let mut hand = tunnel(guest).await?;
    let mut header = BytesMut::new();
    put_header(&mut header, Kind::Stream, STREAM, MAX_ACCEPTED + 1);
    hand.post(header);
    let long = ended(&mut hand, "a frame of 65,536 bytes", End::Any).await;
    Ok(match long.verdict {
        Verdict::Met => Finding::met("an unknown type gets MALFORMED_FRAME, 65,536 bytes the end"),
        Verdict::NotMet | Verdict::NotApplicable => long,
    })
}

/// R27: a frame with one bit of its header flipped.
pub(super) async fn flipped(guest: &mut Guest<'_>) -> Checked {
    let mut hand = tunnel(guest).await?;
    let mut frame = hand.seal(Kind::Stream, STREAM, &b"flip"[..]);
    // The stream id, behind length and type: 3 becomes 7.
    if let Some(id) = frame.get_mut(4) {
        *id ^= 4;
    }
    hand.post(frame);
    Ok(ended(&mut hand, "a frame with one bit of its header flipped", End::Silent).await)
}

/// R28: ids of the other side, ids that fall, ids that are kept.
pub(super) async fn ids(guest: &mut Guest<'_>) -> Checked {
    for (what, streams) in
        [("an even id", &[4][..]), ("an id below one before", &[7, 5][..]), ("the kept id 1", &[1][..])]
    {
        let mut hand = tunnel(guest).await?;
        for &stream in streams {
            hand.send(Kind::Stream, stream, &b"\0"[..]);
        }
        let finding = ended(&mut hand, &format!("a stream of {what}"), End::Any).await;
        if finding.verdict != Verdict::Met {
            return Ok(finding);
        }
    }
    Ok(Finding::met("an even id, a falling one and the kept 1 each end the tunnel"))
}

/// How a tunnel should end.
#[derive(Clone, Copy)]
enum End {
    /// With this CLOSE.
    Code(ErrorCode),
    /// Without a word.
    Silent,
    /// It should, that is all.
    Any,
}

async fn ended(hand: &mut Hand, what: &str, wanted: End) -> Finding {
    match (hand.hear(PATIENCE, |frame| frame.kind == Kind::Close).await, wanted) {
        (Heard::Silence, _) => Finding::not_met(format!("{what} does not end the tunnel")),
        (Heard::Ended, End::Silent | End::Any) => {
            Finding::met(format!("{what} ends the tunnel without a word"))
        }
        (Heard::Ended, End::Code(code)) => {
            Finding::not_met(format!("{what} ends the tunnel without the CLOSE {code} that it should get"))
        }
        (Heard::Frame(frame), wanted) => {
            let code =
                frame.content.first_chunk().map(|code| ErrorCode::from_number(u16::from_be_bytes(*code)));
            let said = code.map_or_else(|| "an unreadable CLOSE".to_owned(), |code| code.to_string());
            match wanted {
                End::Silent => {
                    Finding::not_met(format!("{what} is answered: {said}, which tells an attacker"))
                }
                End::Code(wanted) if code != Some(wanted) => {
                    Finding::not_met(format!("{what} ends the tunnel with {said}, not with {wanted}"))
                }
                End::Code(_) | End::Any => Finding::met(format!("{what} ends the tunnel: {said}")),
            }
        }
    }
}

/// Whether a PING with this token is answered.
async fn answers(hand: &mut Hand, token: u8) -> bool {
    hand.send(Kind::Ping, 0, ping_content(ASK, token));
    let answer = ping_content(ANSWER, token);
    let mine = |frame: &Frame| frame.kind == Kind::Ping && frame.content.starts_with(&answer);
    matches!(hand.hear(PATIENCE, mine).await, Heard::Frame(_))
}

fn ping_content(kind: u8, token: u8) -> Vec<u8> {
    let mut content = vec![kind];
    content.extend([token; 8]);
    content
}
