//! `bitchat-protocol`, a package that others wrote, and this program read what the other writes: packets, announces and
//! private messages, whole ones and damaged ones. Where they disagree, `docs/protocol.md` says why.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bytes::Bytes;
use hopline::ids::{Fingerprint, PeerId, to_hex};
use hopline::time::UnixMillis;
use hopline::wire::{
    Announce, Capabilities, DecodeError, InflateError, NoisePayload, Packet, Received, Version, padding,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};

/// Values of each kind that each side makes.
const PACKETS: u64 = 2_500;
const PAYLOADS: u64 = 1_000;
/// Packets that are damaged on the way.
const DAMAGED: u64 = 4_000;
/// The flags of a signed packet and of a compressed payload, and where the flags stand.
const SIGNED: u8 = 0x02;
const COMPRESSED: u8 = 0x04;
const FLAGS: usize = 11;

/// What a value says, in words that both sides have, and its bytes as this side writes them.
type Told = (Value, Vec<u8>);

/// One kind of value, on our side.
struct Kind {
    name: &'static str,
    make: fn(&mut Dice) -> Told,
    read: fn(&Bytes) -> Result<Told, String>,
}

const KINDS: [Kind; 4] = [
    Kind { name: "packet", make: |dice| told(&packet(dice)), read: read_packet },
    Kind { name: "padded", make: padded_packet, read: read_packet },
    Kind { name: "announce", make: announce, read: read_announce },
    Kind { name: "private_message", make: private_message, read: read_private_message },
];

/// Their side, answering in a process of its own.
struct Theirs {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Theirs {
    fn start() -> Self {
        let interpreter = std::env::var_os("BITCHAT_PROTOCOL_PYTHON")
            .expect("BITCHAT_PROTOCOL_PYTHON names the interpreter that has the package");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/bitchat-protocol/answer.py");
        let mut process = Command::new(interpreter)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{question}: {error}: {line:?}"))
    }

    /// What they read and write again; `None` when they refuse.
    fn read(&mut self, kind: &str, bytes: &[u8]) -> Option<Told> {
        let answer = self.ask(&json!({ "read": kind, "hex": to_hex(bytes) }));
        answer["refused"].is_null().then(|| of_answer(&answer))
    }

    fn make(&mut self, kind: &str, seed: u64) -> Told {
        of_answer(&self.ask(&json!({ "make": kind, "seed": seed })))
    }

    fn end(mut self) {
        drop(self.input);
        assert!(self.process.wait().unwrap().success());
    }
}

fn of_answer(answer: &Value) -> Told {
    (answer["fields"].clone(), from_hex(answer["hex"].as_str().unwrap()))
}

#[test]
#[ignore = "needs Python with tools/bitchat-protocol/requirements.txt: .ci/run makes it"]
fn each_side_reads_what_the_other_writes() {
    let mut theirs = Theirs::start();
    let mut dice = Dice(ChaCha20Rng::seed_from_u64(1));
    let (mut ours_made, mut theirs_made) = (0, 0);
    let mut other_bytes = BTreeMap::<&str, u64>::new();
    for kind in &KINDS {
        let count = if kind.name == "packet" { PACKETS } else { PAYLOADS };
        for seed in 0..count {
            let (fields, bytes) = (kind.make)(&mut dice);
            let (read, again) = theirs.read(kind.name, &bytes).unwrap_or_else(|| panic!("refused: {fields}"));
            compare(kind, &fields, &read);
            let (read, _) = (kind.read)(&again.clone().into()).unwrap();
            compare(kind, &fields, &read);
            *other_bytes.entry(why_other(kind, &bytes, &again, &fields)).or_default() += 1;
            ours_made += 1;

            let (fields, bytes) = theirs.make(kind.name, seed);
            let (read, again) = (kind.read)(&bytes.clone().into()).unwrap();
            compare(kind, &fields, &read);
            let (read, _) = theirs.read(kind.name, &again).unwrap();
            compare(kind, &fields, &read);
            *other_bytes.entry(why_other(kind, &bytes, &again, &fields)).or_default() += 1;
            theirs_made += 1;
        }
    }
    theirs.end();
    println!("{ours_made} values made here and {theirs_made} made there were read and written on both sides");
    for (why, count) in other_bytes {
        println!("{count:7} {why}");
    }
}

#[test]
#[ignore = "needs Python with tools/bitchat-protocol/requirements.txt: .ci/run makes it"]
fn both_sides_say_the_same_of_a_damaged_packet() {
    let mut theirs = Theirs::start();
    let mut dice = Dice(ChaCha20Rng::seed_from_u64(2));
    let mut verdicts = BTreeMap::<&str, u64>::new();
    for _ in 0..DAMAGED {
        let (_, mut frame) = told(&packet(&mut dice));
        damage(&mut frame, &mut dice);
        let there = theirs.read("packet", &frame);
        let frame = Bytes::from(frame);
        let verdict = match (Received::decode(&frame), there) {
            (Ok(ours), Some((fields, _))) => {
                assert_eq!(packet_fields(ours.packet()), fields, "{}", to_hex(&frame));
                "read alike"
            }
            (Err(_), None) => "refused on both sides",
            (Err(error), Some(_)) => why_refused(&error)
                .unwrap_or_else(|| panic!("refused here alone: {error}: {}", to_hex(&frame))),
            (Ok(_), None) => panic!("refused there alone: {}", to_hex(&frame)),
        };
        *verdicts.entry(verdict).or_default() += 1;
    }
    theirs.end();
    println!("{DAMAGED} damaged packets");
    for (verdict, count) in verdicts {
        println!("{count:7} {verdict}");
    }
}

fn compare(kind: &Kind, one: &Value, other: &Value) {
    assert_eq!(one, other, "a {}", kind.name);
}

/// Why the same value has other bytes on the other side; the reasons of `docs/protocol.md`, and no other.
fn why_other(kind: &Kind, one: &[u8], other: &[u8], fields: &Value) -> &'static str {
    match kind.name {
        _ if one == other => "the same bytes",
        "packet" | "padded" if one[FLAGS] ^ other[FLAGS] == COMPRESSED => "compressed on one side only",
        "padded" if unpadded(one) == unpadded(other) => "padded by another rule",
        "announce" if one.starts_with(other) => "an announce without the fields they do not know",
        name => panic!("a {name} has other bytes: {} and {}: {fields}", to_hex(one), to_hex(other)),
    }
}

fn unpadded(frame: &[u8]) -> Bytes {
    let frame = Bytes::copy_from_slice(frame);
    let len = Received::decode(&frame).unwrap().frame_len();
    frame.slice(..len)
}

/// Why we refuse what they take; the reasons of `docs/protocol.md`, and no other.
fn why_refused(error: &DecodeError) -> Option<&'static str> {
    match error {
        DecodeError::TooLong { .. } => Some("refused here: beyond the ceiling of iOS"),
        DecodeError::Inflate { reason: InflateError::Stream { .. }, .. } => {
            Some("refused here: something follows the compressed stream")
        }
        DecodeError::Inflate { reason: InflateError::OriginalEmpty, .. } => {
            Some("refused here: a compressed payload of nothing")
        }
        DecodeError::Inflate { .. }
        | DecodeError::Truncated { .. }
        | DecodeError::Version { .. }
        | DecodeError::PayloadLength { .. } => None,
    }
}

/// Where the numbers come from.
struct Dice(ChaCha20Rng);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.0.next_u64() % bound).unwrap()
    }

    fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    fn byte(&mut self) -> u8 {
        self.0.next_u32().to_be_bytes()[0]
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn peers(&mut self, count: usize) -> Vec<PeerId> {
        (0..count).map(|_| PeerId(self.bytes())).collect()
    }

    /// A text of at most so many bytes.
    fn text(&mut self, most: usize) -> String {
        let wanted = self.below(most + 1);
        let mut text = String::new();
        loop {
            let word = self.pick(&["mesh ", "a", "hallo ", "ü", "0123456789", "🦔", "\n"]);
            if text.len() + word.len() > wanted {
                return text;
            }
            text.push_str(word);
        }
    }
}

fn packet(dice: &mut Dice) -> Packet {
    let version = dice.pick(&[Version::V1, Version::V2]);
    let hops = if version == Version::V2 { dice.pick(&[0, 0, 1, 4, 255]) } else { 0 };
    let random = [dice.bytes()];
    Packet {
        version,
        packet_type: dice.byte().into(),
        ttl: dice.byte(),
        timestamp: UnixMillis(u64::from_be_bytes(dice.bytes()) >> dice.pick(&[0, 23, 63])),
        sender: PeerId(dice.bytes()),
        recipient: dice.pick(&[None, Some(PeerId::BROADCAST), random.map(PeerId).first().copied()]),
        route: dice.peers(hops),
        rsr: dice.one_in(5),
        payload: payload(dice, if version == Version::V1 { 65_000 } else { 150_000 }),
        signature: dice.one_in(2).then(|| dice.bytes()),
    }
}

fn payload(dice: &mut Dice, longest: usize) -> Bytes {
    let bound = dice.pick(&[1, 101, 300, 2_000, longest]);
    let len = dice.below(bound);
    match dice.below(4) {
        0 => (0..len).map(|_| dice.byte()).collect(),
        1 => vec![dice.byte(); len].into(),
        2 => (0..len).map(|_| dice.pick(b"0123456789abcdef")).collect(),
        _ => dice.text(len).into(),
    }
}

fn padded_packet(dice: &mut Dice) -> Told {
    let (fields, mut frame) = told(&packet(dice));
    padding::pad(&mut frame);
    (fields, frame)
}

fn told(packet: &Packet) -> Told {
    (packet_fields(packet), packet.encode().unwrap())
}

fn read_packet(frame: &Bytes) -> Result<Told, String> {
    let received = Received::decode(frame).map_err(|error| error.to_string())?;
    Ok(told(received.packet()))
}

fn packet_fields(packet: &Packet) -> Value {
    json!({
        "version": packet.version.number(),
        "type": packet.packet_type.code(),
        "ttl": packet.ttl,
        "timestamp": packet.timestamp.0,
        "sender": packet.sender.to_string(),
        "recipient": packet.recipient.map(|recipient| recipient.to_string()),
        "route": packet.route.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "rsr": packet.rsr,
        "payload": to_hex(&packet.payload),
        "signature": packet.signature.map(|signature| to_hex(&signature)),
    })
}

fn announce(dice: &mut Dice) -> Told {
    let neighbours = dice.pick(&[0, 1, 10]);
    let announce = Announce {
        nickname: dice.text(255),
        noise_public: dice.bytes(),
        signing_public: dice.bytes(),
        neighbours: dice.peers(neighbours),
        capabilities: dice.one_in(2).then(|| Capabilities::of([0, 8, 9])),
        bridge_geohash: dice.one_in(4).then(|| "u33dc".to_owned()),
    };
    (announce_fields(&announce), announce.encode().unwrap())
}

fn read_announce(payload: &Bytes) -> Result<Told, String> {
    let announce = Announce::decode(payload).map_err(|error| error.to_string())?;
    Ok((announce_fields(&announce), announce.encode().unwrap()))
}

fn announce_fields(announce: &Announce) -> Value {
    json!({
        "nickname": announce.nickname,
        "noise": to_hex(&announce.noise_public),
        "signing": to_hex(&announce.signing_public),
        "neighbours": announce.neighbours.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "peer": Fingerprint::of(&announce.noise_public).peer_id().to_string(),
    })
}

fn private_message(dice: &mut Dice) -> Told {
    let message =
        NoisePayload::PrivateMessage { id: format!("M{}", dice.text(254)), content: dice.text(255) };
    message_told(&message)
}

/// They know what is behind the type byte.
fn read_private_message(payload: &Bytes) -> Result<Told, String> {
    let plaintext = [&[1], payload.as_ref()].concat();
    NoisePayload::decode(&plaintext.into())
        .map(|message| message_told(&message))
        .map_err(|error| error.to_string())
}

fn message_told(message: &NoisePayload) -> Told {
    let NoisePayload::PrivateMessage { id, content } = message else { panic!("no private message") };
    (json!({ "id": id, "content": content }), message.encode().unwrap().split_off(1))
}

/// One or two of: a byte is changed, the end is missing, something follows, the flags or the length lie, the payload is
/// longer than it was.
fn damage(frame: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(2) {
        match dice.below(7) {
            0 => frame.truncate(dice.below(frame.len() + 1)),
            1 => frame.extend(dice.bytes::<9>()),
            2 => change(frame, FLAGS, dice.byte()),
            3 => {
                let at = 12 + dice.below(4);
                change(frame, at, dice.byte());
            }
            4 => change(frame, 0, dice.pick(&[0, 1, 2, 3])),
            5 => lengthen(frame, dice.byte()),
            _ => {
                let at = dice.below(frame.len().max(1));
                change(frame, at, dice.byte());
            }
        }
    }
}

fn change(frame: &mut [u8], at: usize, to: u8) {
    if let Some(byte) = frame.get_mut(at) {
        *byte = to;
    }
}

/// One byte more of payload, and a length that says so.
fn lengthen(frame: &mut Vec<u8>, byte: u8) {
    let len_ends = if frame.first() == Some(&1) { 14 } else { 16 };
    let behind = if frame.get(FLAGS).is_some_and(|flags| flags & SIGNED != 0) { 64 } else { 0 };
    if frame.len() < len_ends + behind {
        return;
    }
    frame[len_ends - 1] = frame[len_ends - 1].wrapping_add(1);
    frame.insert(frame.len() - behind, byte);
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
