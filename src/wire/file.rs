//! What two nodes say about a file before and after its bytes, on a QUIC stream of its own.
//!
//! ```text
//! sender                                         receiver
//! STREAM_KIND, Offer {id, size, modified, name} ──►
//!                 ◄── Answer::Resume {offset, hash of what is there} │ Have {hash} │ Declined {reason}
//! Start {offset}  ──►        the offset asked for, or 0 when those bytes are not the file's
//! bytes from there on  ──►
//! End {hash of the whole file}  ──►
//!                                        ◄── Verdict::Done │ Corrupt │ Declined {reason}
//! ```
//!
//! Each of these but the bytes is a frame: a length of two bytes, then as many bytes. All hashes are BLAKE3.

use std::fmt;

use bytes::Bytes;

use super::error::{EncodeError, PayloadError};
use super::reader::Reader;
use super::tlv;
use crate::ids::TransferId;

/// The first byte of a stream that carries a file.
pub const STREAM_KIND: u8 = 0x02;
/// The longest frame there is: an offer with the longest name.
pub const MAX_FRAME_LEN: usize = 16 + 8 + 8 + MAX_NAME_LEN;
/// The longest name, in bytes: what Linux file systems take.
pub const MAX_NAME_LEN: usize = 255;

mod answer {
    pub(super) const RESUME: u8 = 0x01;
    pub(super) const HAVE: u8 = 0x02;
}

mod verdict {
    pub(super) const DONE: u8 = 0x01;
    pub(super) const CORRUPT: u8 = 0x02;
}

/// The kind of a refusal, whether it comes as an answer or as a verdict.
const DECLINED: u8 = 0x03;

/// The BLAKE3 hash of a file, or of its beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileHash(pub [u8; 32]);

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::ids::to_hex(&self.0))
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileHash({self})")
    }
}

/// A file that its sender would like to hand over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The transfer: the same at every try.
    pub id: TransferId,
    /// The file's length in bytes.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970; with the size, what tells it from a later version.
    pub modified: u64,
    /// What it is called, as the sender says: see [`FileName::tame`].
    pub name: String,
}

/// What the receiver makes of an [`Offer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Send it from there on.
    Resume {
        /// So many bytes are here and on disk.
        offset: u64,
        /// Their hash.
        hash: FileHash,
    },
    /// It is here already, whole and verified.
    Have {
        /// Its hash.
        hash: FileHash,
    },
    /// No.
    Declined(Reason),
}

/// Where the bytes that follow begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The offset of the answer, or 0.
    pub offset: u64,
}

/// All bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Of the whole file, whatever part of it this stream carried.
    pub hash: FileHash,
}

/// What became of the file at the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Whole, verified, on disk under its name.
    Done,
    /// Its hash is another: what came is thrown away.
    Corrupt,
    /// No, after all.
    Declined(Reason),
}

/// Why a file is not taken, or no longer sent. Its number is also the QUIC error code of a stream that ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The receiver takes no files from this sender.
    NotAccepted,
    /// Larger than the receiver takes.
    TooLarge,
    /// The receiver's disk has no room for it.
    NoSpace,
    /// Too many files are on their way already; later, perhaps.
    Busy,
    /// The file is not the one this transfer began with.
    Changed,
    /// A person stopped it.
    Cancelled,
    /// A disk did not do what it should.
    Disk,
    /// The other side did not keep to the protocol.
    Protocol,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::NotAccepted,
        Self::TooLarge,
        Self::NoSpace,
        Self::Busy,
        Self::Changed,
        Self::Cancelled,
        Self::Disk,
        Self::Protocol,
    ];

    /// Its number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::NotAccepted => 1,
            Self::TooLarge => 2,
            Self::NoSpace => 3,
            Self::Busy => 4,
            Self::Changed => 5,
            Self::Cancelled => 6,
            Self::Disk => 7,
            Self::Protocol => 8,
        }
    }

    /// The reason with this number.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| u64::from(reason.code()) == code)
    }

    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAccepted => "not accepted",
            Self::TooLarge => "too large",
            Self::NoSpace => "no space",
            Self::Busy => "busy",
            Self::Changed => "changed",
            Self::Cancelled => "cancelled",
            Self::Disk => "disk",
            Self::Protocol => "protocol",
        }
    }

    /// Whether the same offer may be taken another time.
    pub const fn is_passing(self) -> bool {
        match self {
            Self::Busy | Self::Disk => true,
            Self::NotAccepted
            | Self::TooLarge
            | Self::NoSpace
            | Self::Changed
            | Self::Cancelled
            | Self::Protocol => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAccepted => "the receiver does not take it",
            Self::TooLarge => "the file is larger than the receiver takes",
            Self::NoSpace => "the receiver's disk has no room for it",
            Self::Busy => "the receiver has too many files on their way, or is just starting",
            Self::Changed => "the file is not the one the transfer began with",
            Self::Cancelled => "it was cancelled on the other side",
            Self::Disk => "the disk on the other side failed",
            Self::Protocol => "the other side understood something else",
        })
    }
}

impl Offer {
    /// Its frame, without the length.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        if self.name.len() > MAX_NAME_LEN {
            let len = self.name.len();
            return Err(EncodeError::TooLong { field: "file name", len, max: MAX_NAME_LEN });
        }
        let mut frame = self.id.0.to_vec();
        frame.extend(self.size.to_be_bytes());
        frame.extend(self.modified.to_be_bytes());
        frame.extend(self.name.as_bytes());
        Ok(frame)
    }

    /// The offer in a frame.
    pub fn decode(frame: &Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(frame);
        let id = TransferId(reader.array().map_err(|short| short.of_payload("transfer id"))?);
        let size = reader.u64().map_err(|short| short.of_payload("file size"))?;
        let modified = reader.u64().map_err(|short| short.of_payload("time of change"))?;
        let offset = reader.offset();
        let name = reader.take(reader.left()).map_err(|short| short.of_payload("file name"))?;
        if name.len() > MAX_NAME_LEN {
            let got = name.len();
            return Err(PayloadError::Size { field: "file name", offset, expected: "0 to 255", got });
        }
        Ok(Self { id, size, modified, name: tlv::text(&name, "file name", offset)?.to_owned() })
    }
}

impl Answer {
    /// Its frame, without the length.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Resume { offset, hash } => [&[answer::RESUME][..], &offset.to_be_bytes(), &hash.0].concat(),
            Self::Have { hash } => [&[answer::HAVE][..], &hash.0].concat(),
            Self::Declined(reason) => vec![DECLINED, reason.code()],
        }
    }

    /// The answer in a frame.
    pub fn decode(frame: &Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(frame);
        match reader.u8().map_err(|short| short.of_payload("answer"))? {
            answer::RESUME => Ok(Self::Resume {
                offset: reader.u64().map_err(|short| short.of_payload("offset"))?,
                hash: hash(&mut reader)?,
            }),
            answer::HAVE => Ok(Self::Have { hash: hash(&mut reader)? }),
            DECLINED => reason(&mut reader).map(Self::Declined),
            kind => Err(PayloadError::Value { field: "answer", offset: 0, value: kind.into() }),
        }
    }
}

impl Start {
    /// Its frame, without the length.
    pub fn encode(&self) -> Vec<u8> {
        self.offset.to_be_bytes().to_vec()
    }

    /// The start in a frame.
    pub fn decode(frame: &Bytes) -> Result<Self, PayloadError> {
        let offset = Reader::new(frame).u64().map_err(|short| short.of_payload("offset"))?;
        Ok(Self { offset })
    }
}

impl End {
    /// Its frame, without the length.
    pub fn encode(&self) -> Vec<u8> {
        self.hash.0.to_vec()
    }

    /// The end in a frame.
    pub fn decode(frame: &Bytes) -> Result<Self, PayloadError> {
        Ok(Self { hash: hash(&mut Reader::new(frame))? })
    }
}

impl Verdict {
    /// Its frame, without the length.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Done => vec![verdict::DONE],
            Self::Corrupt => vec![verdict::CORRUPT],
            Self::Declined(reason) => vec![DECLINED, reason.code()],
        }
    }

    /// The verdict in a frame.
    pub fn decode(frame: &Bytes) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(frame);
        match reader.u8().map_err(|short| short.of_payload("verdict"))? {
            verdict::DONE => Ok(Self::Done),
            verdict::CORRUPT => Ok(Self::Corrupt),
            DECLINED => reason(&mut reader).map(Self::Declined),
            kind => Err(PayloadError::Value { field: "verdict", offset: 0, value: kind.into() }),
        }
    }
}

fn hash(reader: &mut Reader) -> Result<FileHash, PayloadError> {
    Ok(FileHash(reader.array().map_err(|short| short.of_payload("hash"))?))
}

fn reason(reader: &mut Reader) -> Result<Reason, PayloadError> {
    let offset = reader.offset();
    let code = reader.u8().map_err(|short| short.of_payload("reason"))?;
    let unknown = PayloadError::Value { field: "reason", offset, value: code.into() };
    Reason::from_code(code.into()).ok_or(unknown)
}

/// A name that can be given to a file in a directory of ours, and does nothing but name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

/// What a file is called whose name leaves nothing.
const NAMELESS: &str = "file";
/// Room that is left in a name for the number that tells it from another.
const NUMBER_LEN: usize = 16;

impl FileName {
    /// What is left of a name that somebody else chose: its last part, with no control and no invisible
    /// characters, not hidden, not too long.
    pub fn tame(name: &str) -> Self {
        let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let shown: String = last.chars().filter(|&c| !c.is_control() && !steers_text(c)).collect();
        let bare = shown.trim().trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
        let short = shorten(bare, MAX_NAME_LEN - NUMBER_LEN);
        let short = short.trim_end_matches(['.', ' ']);
        Self(if short.is_empty() { NAMELESS } else { short }.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for the `number`th file that wants it: `name (2).ext` for the second.
    pub fn numbered(&self, number: u32) -> String {
        let (stem, extension) = self.0.rsplit_once('.').unwrap_or((&self.0, ""));
        match (number, extension) {
            (0 | 1, _) => self.0.clone(),
            (_, "") => format!("{} ({number})", self.0),
            (_, extension) => format!("{stem} ({number}).{extension}"),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Characters that are not seen but change what is: zero widths, and the marks that turn the direction of
/// writing, with which `gpj.exe` is made to look like `exe.jpg`.
const fn steers_text(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{061C}')
}

/// The name cut to `max` bytes, its extension kept if that is short itself.
fn shorten(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_owned();
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let extension = if extension.len() <= NUMBER_LEN { extension } else { "" };
    let tail = if extension.is_empty() { String::new() } else { format!(".{extension}") };
    let mut stem = String::new();
    for c in name.chars() {
        if stem.len() + c.len_utf8() + tail.len() > max {
            break;
        }
        stem.push(c);
    }
    stem + &tail
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hashes() -> impl Strategy<Value = FileHash> {
        any::<[u8; 32]>().prop_map(FileHash)
    }

    fn reasons() -> impl Strategy<Value = Reason> {
        proptest::sample::select(Reason::ALL.to_vec())
    }

    fn answers() -> impl Strategy<Value = Answer> {
        prop_oneof![
            (any::<u64>(), hashes()).prop_map(|(offset, hash)| Answer::Resume { offset, hash }),
            hashes().prop_map(|hash| Answer::Have { hash }),
            reasons().prop_map(Answer::Declined),
        ]
    }

    fn verdicts() -> impl Strategy<Value = Verdict> {
        prop_oneof![Just(Verdict::Done), Just(Verdict::Corrupt), reasons().prop_map(Verdict::Declined)]
    }

    proptest! {
        #[test]
        fn an_offer_reads_as_it_was_written(
            id in any::<[u8; 16]>(),
            (size, modified) in any::<(u64, u64)>(),
            name in ".{0,60}",
        ) {
            let offer = Offer { id: TransferId(id), size, modified, name };
            let frame = Bytes::from(offer.encode().unwrap());
            prop_assert!(frame.len() <= MAX_FRAME_LEN);
            prop_assert_eq!(Offer::decode(&frame), Ok(offer));
        }

        #[test]
        fn answers_and_verdicts_read_as_they_were_written(answer in answers(), verdict in verdicts()) {
            prop_assert_eq!(Answer::decode(&Bytes::from(answer.encode())), Ok(answer));
            prop_assert_eq!(Verdict::decode(&Bytes::from(verdict.encode())), Ok(verdict));
        }

        #[test]
        fn start_and_end_read_as_they_were_written(offset in any::<u64>(), hash in hashes()) {
            let (start, end) = (Start { offset }, End { hash });
            prop_assert_eq!(Start::decode(&Bytes::from(start.encode())), Ok(start));
            prop_assert_eq!(End::decode(&Bytes::from(end.encode())), Ok(end));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let frame = Bytes::from(bytes);
            Offer::decode(&frame).ok();
            Answer::decode(&frame).ok();
            Start::decode(&frame).ok();
            End::decode(&frame).ok();
            Verdict::decode(&frame).ok();
        }

        #[test]
        fn a_tamed_name_only_names(name in any::<String>(), number in any::<u32>()) {
            let tame = FileName::tame(&name);
            for name in [tame.as_str().to_owned(), tame.numbered(number)] {
                prop_assert!(!name.is_empty() && name.len() <= MAX_NAME_LEN);
                prop_assert!(!name.starts_with('.'));
                let forbidden = ['/', '\\', '\0', '\n', '\u{202E}'];
                prop_assert!(!name.contains(forbidden));
            }
            prop_assert_eq!(FileName::tame(tame.as_str()), tame);
        }
    }

    #[test]
    fn what_points_elsewhere_is_only_a_name() {
        for (name, tame) in [
            ("../../etc/passwd", "passwd"),
            ("/etc/cron.d/job", "job"),
            ("C:\\Windows\\system.ini", "system.ini"),
            (".bashrc", "bashrc"),
            ("..", "file"),
            ("", "file"),
            ("folder/", "file"),
            ("a\nb\0c\u{1b}[2J.txt", "abc[2J.txt"),
            ("invoice\u{202E}gpj.exe", "invoicegpj.exe"),
            ("holiday photo.jpg", "holiday photo.jpg"),
            ("Übersicht – 2.pdf", "Übersicht – 2.pdf"),
        ] {
            assert_eq!(FileName::tame(name).as_str(), tame, "of {name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let tame = FileName::tame(&format!("{}.tar", "ä".repeat(300)));
        assert!(tame.as_str().ends_with("ä.tar"));
        assert!(tame.numbered(u32::MAX).len() <= MAX_NAME_LEN);
    }

    #[test]
    fn the_second_file_of_a_name_says_so() {
        assert_eq!(FileName::tame("a.txt").numbered(1), "a.txt");
        assert_eq!(FileName::tame("a.txt").numbered(2), "a (2).txt");
        assert_eq!(FileName::tame("README").numbered(3), "README (3)");
    }

    #[test]
    fn every_reason_has_its_number_and_zero_is_none() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code().into()), Some(reason));
        }
        assert_eq!(Reason::from_code(0), None);
    }
}
