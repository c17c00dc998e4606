//! What the node may ask of its engine: every command, with whatever the course makes of it.

use std::time::Duration;

use bytes::Bytes;

use super::course::{Tape, template};
use crate::crypto::Identity;
use crate::ids::{AttemptId, GroupId, MessageId, PeerId};
use crate::mesh::engine::Engine;
use crate::mesh::event::{Command, Introduction};
use crate::mesh::public::public_packet;
use crate::mesh::trust::Standing;
use crate::mesh::{board, courier, diagnostics, groups, media, trust};
use crate::time::Now;
use crate::wire::MediaFile;

/// Who asks, and whom it is about.
pub(super) struct Asker<'a> {
    pub(super) engine: &'a Engine,
    pub(super) identity: &'a Identity,
    pub(super) attempt: AttemptId,
    pub(super) to: PeerId,
    pub(super) now: Now,
}

impl Asker<'_> {
    pub(super) fn order(&self, tape: &mut Tape) -> Command {
        let Self { attempt, to, now, .. } = *self;
        let id = MessageId([tape.below(32); 16]);
        match tape.below(20) {
            0 | 1 => Command::SendPrivate { attempt, to, id, text: tape.text() },
            2 => {
                let made = public_packet(self.identity, &tape.text(), now.unix);
                Command::Flood { attempt, packet: made.map(|made| made.bytes).unwrap_or_default() }
            }
            3 => Command::Relay { packet: template(tape) },
            4 => Command::SendRead { attempt, to, id, wire_ids: vec![tape.text()] },
            5 => Command::SendCard { attempt, to, id, card: tape.bytes() },
            6 => Command::Cancel { attempt: AttemptId(u64::from(tape.byte())), id },
            7 => Command::Acknowledge { to, wire_ids: vec![tape.text()] },
            8 | 9 => Command::Know(introduction(tape)),
            10 | 11 => Command::Media(self.media(tape)),
            12 | 13 => Command::Group(self.group(tape)),
            14 => Command::Board(self.board(tape)),
            15 => Command::People(people(tape)),
            16 | 17 => Command::Courier(self.courier(id, tape)),
            18 => {
                let nonce = [tape.byte(); 8];
                Command::Diagnostics(diagnostics::Command::Ping { peer: to, nonce })
            }
            _ if tape.byte() == 0 => Command::Leave,
            _ => Command::Greet { peer: to },
        }
    }

    fn media(&self, tape: &mut Tape) -> media::event::Command {
        let (attempt, to) = (self.attempt, self.to);
        let file = MediaFile {
            name: tape.text(),
            mime: "application/octet-stream".to_owned(),
            content: vec![tape.byte(); usize::from(tape.number())].into(),
        };
        match tape.below(6) {
            0 => media::event::Command::ToEveryone { attempt, file },
            1 => media::event::Command::Cancel { attempt: AttemptId(u64::from(tape.byte())) },
            2 => {
                let to = (tape.byte() & 1 == 0).then_some(to);
                media::event::Command::Speak { attempt, to, recording: recording(tape) }
            }
            _ => media::event::Command::ToPeer { attempt, to, file },
        }
    }

    fn group(&self, tape: &mut Tape) -> groups::Command {
        let known: Vec<GroupId> = self.engine.groups().into_iter().map(|group| group.id).collect();
        let group = tape.pick(&known).unwrap_or(GroupId([1; 16]));
        match tape.below(6) {
            0 => groups::Command::Create { name: tape.text() },
            1 => groups::Command::Remove { group, member: somebody(tape).fingerprint() },
            2 => groups::Command::Leave { group },
            3 => groups::Command::Say { group, text: tape.text() },
            _ => groups::Command::Invite { group, peer: self.to },
        }
    }

    fn board(&self, tape: &mut Tape) -> board::Command {
        let standing: Vec<_> = self.engine.notices(self.now).into_iter().map(|notice| notice.id).collect();
        match tape.pick(&standing).filter(|_| tape.below(3) == 0) {
            Some(id) => board::Command::Remove { id },
            None => {
                let life = Duration::from_secs(u64::from(tape.number()) * 60);
                board::Command::Post { text: tape.text(), urgent: tape.byte() & 1 == 1, life }
            }
        }
    }

    fn courier(&self, id: MessageId, tape: &mut Tape) -> courier::event::Command {
        if tape.below(4) == 0 {
            return courier::event::Command::Recall { id };
        }
        let written = self.now.unix;
        let expires = written + Duration::from_secs(u64::from(tape.number()) * 10);
        courier::event::Command::Deposit { to: self.to, id, text: tape.text(), written, expires }
    }
}

/// One of a few people, so that what is known of them meets what they say.
fn somebody(tape: &mut Tape) -> Identity {
    Identity::from_bytes(&[tape.below(8); Identity::LEN])
}

fn introduction(tape: &mut Tape) -> Introduction {
    let (who, manner) = (somebody(tape), tape.byte());
    Introduction {
        noise_public: who.noise_public(),
        signing_public: who.signing_public(),
        nickname: tape.text(),
        standing: Standing {
            favourite: manner & 1 == 1,
            verified: manner & 2 == 2,
            blocked: manner & 0x1C == 0x1C,
        },
    }
}

fn people(tape: &mut Tape) -> trust::event::Command {
    let who = somebody(tape);
    if tape.below(3) == 0 {
        return trust::event::Command::Forget(who.fingerprint());
    }
    trust::event::Command::Challenge {
        noise_public: who.noise_public(),
        signing_public: who.signing_public(),
        nickname: tape.text(),
    }
}

/// A few frames of sound that is none, or what the course has.
fn recording(tape: &mut Tape) -> Bytes {
    const FRAME: [u8; 16] = [0xFF, 0xF1, 0x60, 0x40, 0x02, 0x1F, 0xFC, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    match tape.below(4) {
        0 => tape.bytes(),
        count => FRAME.repeat(usize::from(count) * 20).into(),
    }
}
