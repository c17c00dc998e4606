//! What a peer says it can do (spec 3.1): a bit set, little-endian, as short as it can be.

use std::fmt;

/// A set of capability bits. Hints, until a session proves them (spec 3.6.11).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u64);

/// Names by bit (spec 3.1).
const NAMES: [&str; 10] = [
    "prekeys",
    "wifiBulk",
    "gateway",
    "groups",
    "board",
    "vouch",
    "meshDiagnostics",
    "bridge",
    "privateMedia",
    "privateMediaReceipts",
];

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);
    /// The bit of who can be left mail with couriers, sealed to prekeys.
    pub const PREKEYS: u32 = 0;
    /// The bit of who can be in private groups.
    pub const GROUPS: u32 = 3;
    /// The bit of who takes vouches (spec 3.6.5).
    pub const VOUCH: u32 = 5;
    /// What this node announces: what the iOS app does, bit by bit.
    pub const HOPLINE: Self = Self(
        1 << Self::PREKEYS
            | 1 << Self::GROUPS
            | 1 << Self::VOUCH
            | 1 << Self::PRIVATE_MEDIA
            | 1 << Self::PRIVATE_MEDIA_RECEIPTS,
    );
    /// The bit of who takes private files.
    pub const PRIVATE_MEDIA: u32 = 8;
    /// The bit of who confirms them.
    pub const PRIVATE_MEDIA_RECEIPTS: u32 = 9;

    /// The set of these bits; those beyond 63 cannot be said and are left out.
    pub fn of(bits: impl IntoIterator<Item = u32>) -> Self {
        Self(bits.into_iter().filter_map(|bit| 1_u64.checked_shl(bit)).fold(0, |set, bit| set | bit))
    }

    /// Whether a bit is set.
    pub fn contains(self, bit: u32) -> bool {
        self.0.checked_shr(bit).is_some_and(|rest| rest & 1 == 1)
    }

    /// The bits that are set, the lowest first.
    pub fn bits(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |&bit| self.contains(bit))
    }

    /// The names of the bits that are set; `bit 12` for one without a name.
    pub fn names(self) -> impl Iterator<Item = String> {
        self.bits().map(|bit| {
            let name = usize::try_from(bit).ok().and_then(|bit| NAMES.get(bit));
            name.map_or_else(|| format!("bit {bit}"), ToString::to_string)
        })
    }

    /// As sent: as many bytes as the highest bit needs, at least one.
    pub fn encode(self) -> Vec<u8> {
        shortest(self.0)
    }

    /// Reads what an announce says: of any length, bits beyond 63 are not looked at.
    pub fn decode(bytes: &[u8]) -> Self {
        Self(bits_of(bytes))
    }
}

/// A bit field as sent: little-endian, as many bytes as the highest bit needs, at least one.
pub(super) fn shortest(bits: u64) -> Vec<u8> {
    let mut bytes = bits.to_le_bytes().to_vec();
    while bytes.len() > 1 && bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

/// The first 64 bits of a bit field.
pub(super) fn bits_of(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(first)
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_print_by_name() {
        let set = Capabilities::of([0, 8, 12, 64, 200]);
        assert_eq!(set.names().collect::<Vec<_>>(), ["prekeys", "privateMedia", "bit 12"]);
    }

    #[test]
    fn what_this_node_announces_is_what_the_ios_app_does() {
        assert_eq!(shortest(Capabilities::HOPLINE.0), [0x29, 0x03]);
    }

    #[test]
    fn a_set_longer_than_eight_bytes_is_cut() {
        assert_eq!(Capabilities::decode(&[1; 300]), Capabilities::decode(&[1; 8]));
        assert_eq!(Capabilities::decode(&[]), Capabilities::NONE);
    }
}
