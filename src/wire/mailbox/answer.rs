//! What a relay answers.

use bytes::Bytes;

use super::MAX_PAGE;
use super::error::MailboxError;
use super::framing::{MAX_FRAME_LEN, framed};
use super::request::{MAX_ENVELOPE_LEN, Op};
use crate::wire::cbor::{Fields, Map, Value, fields};
use crate::wire::record::MAX_RECORD_LEN;

/// The answer to one request, on the same stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done, and on disk.
    Ok,
    /// Not done. An unknown address, a wrong token or signature and a full mailbox are all this.
    Refused,
    /// Not understood.
    Malformed,
    /// Envelopes of a mailbox.
    Fetched(Page),
    /// The bytes of [`Request::Echo`](super::Request::Echo).
    Echoed([u8; 8]),
    /// A signed node record, as `wire::record` reads it.
    Record(Bytes),
}

/// Some envelopes of a mailbox, as many as one answer carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Each with the id that acknowledges it, in the order of the ids.
    pub envelopes: Vec<(u64, Bytes)>,
    /// The cursor to ask with for what comes behind these.
    pub next: u64,
    /// The most bytes the answer takes.
    len: usize,
}

/// The bytes of a page with no envelope: heads, status, cursor.
const EMPTY_PAGE_LEN: usize = 32;
/// The most bytes an envelope takes beside its own: the heads, its id.
const ENVELOPE_OVERHEAD: usize = 16;

impl Page {
    /// A page with nothing behind this cursor.
    pub fn after(cursor: u64) -> Self {
        Self { envelopes: Vec::new(), next: cursor, len: EMPTY_PAGE_LEN }
    }

    /// Adds the next envelope; `false`, and nothing happens, when there is no room for it in one answer.
    pub fn push(&mut self, id: u64, envelope: Bytes) -> bool {
        let len = self.len.saturating_add(envelope.len()).saturating_add(ENVELOPE_OVERHEAD);
        if len > MAX_FRAME_LEN || self.envelopes.len() >= MAX_PAGE {
            return false;
        }
        self.len = len;
        self.envelopes.push((id, envelope));
        self.next = id;
        true
    }

    fn value(&self) -> Value {
        let envelope = |(id, bytes): &(u64, Bytes)| Value::Array(vec![(*id).into(), bytes.clone().into()]);
        Value::Array(self.envelopes.iter().map(envelope).collect())
    }

    fn read(map: &mut Fields) -> Result<Self, MailboxError> {
        let mut page = Self::after(0);
        for item in map.list(1, "envelopes", MAX_PAGE)? {
            let [id, envelope] = fields::tuple(item, "envelope")?;
            let id = fields::number(id, "id of an envelope")?;
            let envelope = fields::bytes(envelope, "envelope", MAX_ENVELOPE_LEN)?;
            page.len = page.len.saturating_add(envelope.len()).saturating_add(ENVELOPE_OVERHEAD);
            page.envelopes.push((id, envelope));
        }
        page.next = map.number(2, "cursor")?;
        Ok(page)
    }
}

impl Answer {
    const fn status(&self) -> u64 {
        match self {
            Self::Ok | Self::Fetched(_) | Self::Echoed(_) | Self::Record(_) => 0,
            Self::Refused => 1,
            Self::Malformed => 2,
        }
    }

    /// The answer's bytes, its length included.
    pub fn encode(&self) -> Result<Bytes, MailboxError> {
        let mut map = Map::new();
        map.insert(0_u64, self.status());
        match self {
            Self::Ok | Self::Refused | Self::Malformed => {}
            Self::Fetched(page) => {
                map.insert(1_u64, page.value());
                map.insert(2_u64, page.next);
            }
            Self::Echoed(bytes) => drop(map.insert(1_u64, *bytes)),
            Self::Record(record) => drop(map.insert(1_u64, record.clone())),
        }
        framed(&Value::Map(map).encode())
    }

    /// The answer to a request for `op` that these bytes are, their length taken off.
    pub fn decode(op: Op, content: &Bytes) -> Result<Self, MailboxError> {
        if content.len() > MAX_FRAME_LEN {
            return Err(MailboxError::TooLong { len: content.len() });
        }
        let mut map = Fields::of(Value::decode(content)?, "answer")?;
        let answer = match map.number(0, "status")? {
            0 => match op {
                Op::Create | Op::Deposit | Op::Ack => Self::Ok,
                Op::Fetch => Self::Fetched(Page::read(&mut map)?),
                Op::Echo => Self::Echoed(map.array(1, "echo")?),
                Op::Record => Self::Record(fields::bytes(map.value(1, "record")?, "record", MAX_RECORD_LEN)?),
            },
            1 => Self::Refused,
            2 => Self::Malformed,
            status => return Err(MailboxError::UnknownStatus(status)),
        };
        map.end()?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::ids::to_hex;

    fn content(answer: &Answer) -> Bytes {
        answer.encode().unwrap().slice(4..)
    }

    fn page(envelopes: impl IntoIterator<Item = (u64, Bytes)>, next: u64) -> Page {
        let mut page = Page::after(0);
        assert!(envelopes.into_iter().all(|(id, envelope)| page.push(id, envelope)));
        page.next = next;
        page
    }

    fn answers() -> impl Strategy<Value = (Op, Answer)> {
        let bytes = || vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        let op = prop_oneof![Just(Op::Create), Just(Op::Fetch), Just(Op::Echo), Just(Op::Record)];
        prop_oneof![
            prop_oneof![Just(Op::Create), Just(Op::Deposit), Just(Op::Ack)].prop_map(|op| (op, Answer::Ok)),
            (op, any::<bool>())
                .prop_map(|(op, refused)| (op, if refused { Answer::Refused } else { Answer::Malformed })),
            (vec((any::<u64>(), bytes()), 0..6), any::<u64>())
                .prop_map(|(envelopes, next)| (Op::Fetch, Answer::Fetched(page(envelopes, next)))),
            any::<[u8; 8]>().prop_map(|bytes| (Op::Echo, Answer::Echoed(bytes))),
            bytes().prop_map(|record| (Op::Record, Answer::Record(record))),
        ]
    }

    proptest! {
        #[test]
        fn an_answer_reads_as_it_was_written((op, answer) in answers()) {
            prop_assert_eq!(Answer::decode(op, &content(&answer)), Ok(answer));
        }

        #[test]
        fn no_bytes_make_it_panic(
            (op, answer) in answers(),
            at in any::<prop::sample::Index>(),
            with in any::<u8>(),
        ) {
            let mut bytes = content(&answer).to_vec();
            let at = at.index(bytes.len());
            bytes[at] = with;
            Answer::decode(op, &bytes.into()).ok();
        }
    }

    #[test]
    fn an_answer_has_the_bytes_of_the_specification() {
        let hex = |answer: &Answer| to_hex(&content(answer));
        assert_eq!(hex(&Answer::Ok), "a10000");
        assert_eq!(hex(&Answer::Refused), "a10001");
        assert_eq!(hex(&Answer::Malformed), "a10002");
        assert_eq!(hex(&Answer::Echoed([7; 8])), "a2000001480707070707070707");
        let page = page([(5, Bytes::from_static(b"hi")), (6, Bytes::new())], 6);
        assert_eq!(hex(&Answer::Fetched(page)), "a30000018282054268698206400206");
    }

    #[test]
    fn a_page_stops_before_the_bound_and_its_cursor_is_the_last_id() {
        let mut page = Page::after(7);
        let envelope = Bytes::from(vec![0; 1 << 18]);
        let pushed = (8..20).take_while(|id| page.push(*id, envelope.clone())).count();
        assert_eq!((pushed, page.next), (5, 12), "a sixth would be beyond the bound");
        let bytes = content(&Answer::Fetched(page.clone()));
        assert!(bytes.len() <= MAX_FRAME_LEN);
        assert_eq!(Answer::decode(Op::Fetch, &bytes), Ok(Answer::Fetched(page)));

        let mut longest = Page::after(0);
        assert!(longest.push(u64::MAX, vec![0; MAX_ENVELOPE_LEN].into()));
        assert!(content(&Answer::Fetched(longest)).len() <= MAX_FRAME_LEN);
    }

    #[test]
    fn a_page_of_all_envelopes_of_a_mailbox_can_be_read() {
        let mut page = Page::after(0);
        let most = u64::try_from(MAX_PAGE).unwrap();
        assert!((0..most).all(|id| page.push(u64::MAX - most + id, Bytes::from_static(&[0; 100]))));
        assert!(!page.push(u64::MAX, Bytes::new()));
        let bytes = content(&Answer::Fetched(page.clone()));
        assert_eq!(Answer::decode(Op::Fetch, &bytes), Ok(Answer::Fetched(page)));
    }
}
