//! Fragments back into packets, within limits (spec 3.8).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::ids::PeerId;
use crate::time::Instant;
use crate::wire::fragment::Fragment;
use crate::wire::{MAX_PAYLOAD_LEN, PacketType};

/// Packets under assembly at once; the one that waited longest for a fragment goes first.
const MAX_ASSEMBLIES: usize = 128;
/// Packets of one sender under assembly at once; a further one is refused, so that a stranger who floods
/// displaces only itself.
const MAX_PER_SENDER: usize = 16;
/// Fragments of one packet.
const MAX_FRAGMENTS: u16 = 10_000;
/// Bytes of one packet: the payload ceiling and the longest header around it.
const MAX_PACKET_BYTES: usize = MAX_PAYLOAD_LEN + 4_096;
/// Bytes of all packets under assembly.
const MAX_TOTAL_BYTES: usize = 8 * 1024 * 1024;
/// How long a packet waits for its next fragment.
const IDLE: Duration = Duration::from_secs(30);

/// What became of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Kept; more are missing.
    Waiting,
    /// It was the last one missing.
    Complete {
        /// The original frame.
        frame: Bytes,
        /// How many fragments it was cut into.
        fragments: u16,
    },
    /// It contradicts the others, or a limit was reached.
    Refused,
}

#[derive(Debug)]
struct Assembly {
    original_type: PacketType,
    total: u16,
    pieces: BTreeMap<u16, Bytes>,
    bytes: usize,
    touched: Instant,
}

/// Every packet under assembly.
#[derive(Debug, Default)]
pub struct Reassembly {
    assemblies: BTreeMap<(PeerId, [u8; 8]), Assembly>,
    bytes: usize,
}

impl Reassembly {
    /// Takes one fragment.
    pub fn insert(&mut self, sender: PeerId, fragment: Fragment, now: Instant) -> Outcome {
        self.expire(now);
        let key = (sender, fragment.id);
        if !self.assemblies.contains_key(&key) && !self.open(key, &fragment, now) {
            return Outcome::Refused;
        }
        let Some(assembly) = self.assemblies.get_mut(&key) else { return Outcome::Refused };
        if assembly.total != fragment.total || assembly.original_type != fragment.original_type {
            return Outcome::Refused;
        }
        if let Some(piece) = assembly.pieces.get(&fragment.index) {
            return if *piece == fragment.data { Outcome::Waiting } else { Outcome::Refused };
        }
        let size = fragment.data.len();
        if assembly.bytes + size > MAX_PACKET_BYTES || self.bytes + size > MAX_TOTAL_BYTES {
            self.close(key);
            return Outcome::Refused;
        }
        assembly.bytes += size;
        self.bytes += size;
        assembly.touched = now;
        assembly.pieces.insert(fragment.index, fragment.data);
        if assembly.pieces.len() < usize::from(assembly.total) {
            return Outcome::Waiting;
        }
        self.close(key).map_or(Outcome::Refused, |assembly| Outcome::Complete {
            fragments: assembly.total,
            frame: joined(assembly),
        })
    }

    /// Forgets what waited too long.
    pub fn expire(&mut self, now: Instant) {
        let stale: Vec<_> = self
            .assemblies
            .iter()
            .filter(|(_, assembly)| now.since(assembly.touched) >= IDLE)
            .map(|(&key, _)| key)
            .collect();
        for key in stale {
            self.close(key);
        }
    }

    /// When the next packet will have waited too long.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.assemblies.values().map(|assembly| assembly.touched + IDLE).min()
    }

    fn open(&mut self, key: (PeerId, [u8; 8]), fragment: &Fragment, now: Instant) -> bool {
        let of_sender = self.assemblies.keys().filter(|(sender, _)| *sender == key.0).count();
        if fragment.total > MAX_FRAGMENTS || of_sender >= MAX_PER_SENDER {
            return false;
        }
        if self.assemblies.len() >= MAX_ASSEMBLIES {
            let oldest = self.assemblies.iter().min_by_key(|(_, assembly)| assembly.touched);
            if let Some(oldest) = oldest.map(|(&key, _)| key) {
                self.close(oldest);
            }
        }
        let assembly = Assembly {
            original_type: fragment.original_type,
            total: fragment.total,
            pieces: BTreeMap::new(),
            bytes: 0,
            touched: now,
        };
        self.assemblies.insert(key, assembly);
        true
    }

    fn close(&mut self, key: (PeerId, [u8; 8])) -> Option<Assembly> {
        let assembly = self.assemblies.remove(&key)?;
        self.bytes -= assembly.bytes;
        Some(assembly)
    }
}

fn joined(assembly: Assembly) -> Bytes {
    let mut frame = BytesMut::with_capacity(assembly.bytes);
    for piece in assembly.pieces.into_values() {
        frame.extend_from_slice(&piece);
    }
    frame.freeze()
}
