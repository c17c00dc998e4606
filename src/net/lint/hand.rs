//! A tunnel by hand: the handshake, the keys and the frames of HTX without the machine that keeps to the rules,
//! so that they can be broken.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use rand_chacha::ChaCha20Rng;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::htx::frame::{Kind, Reader};
use crate::htx::handshake::{Binding, HandshakeError, Initiator, Suite, message_len};
use crate::htx::sealing::{Opener, RekeyLimits, Sealer};
use crate::net::session::{Session, alongside};

/// Bytes of the length in front of a handshake message.
const LENGTH_LEN: usize = 2;

/// Why no handshake came about.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTunnel {
    #[error("nothing was answered to the handshake")]
    Silent,
    #[error("the relay ended the tunnel during the handshake")]
    Ended,
    #[error("the answer to the handshake is not the relay's: {0}")]
    Handshake(#[from] HandshakeError),
}

/// What comes of listening for bytes.
enum More {
    Data(Bytes),
    Ended,
}

/// The two bodies of an accepted tunnel, in which nothing was said yet.
pub(super) struct Doorway {
    pub(super) session: Session,
    outgoing: SendStream<Bytes>,
    incoming: RecvStream,
}

impl Doorway {
    pub(super) fn new(session: Session, outgoing: SendStream<Bytes>, incoming: RecvStream) -> Self {
        Self { session, outgoing, incoming }
    }

    /// The keying material of the connection.
    pub(super) fn exporter(&self) -> [u8; 32] {
        self.session.exporter
    }

    /// Shakes hands.
    pub(super) async fn shake(
        mut self,
        suite: Suite,
        relay_static: &[u8; 32],
        binding: &Binding,
        patience: Duration,
        rng: &mut ChaCha20Rng,
        clock: Clock,
    ) -> Result<Hand, NoTunnel> {
        let (initiator, first) = Initiator::new(suite, relay_static, binding, rng)?;
        self.post(first);
        let mut heard = BytesMut::new();
        let wanted = LENGTH_LEN + message_len(suite, 2);
        let whole = timeout(patience, async {
            while heard.len() < wanted {
                match self.more().await {
                    More::Data(data) => heard.extend_from_slice(&data),
                    More::Ended => return Err(NoTunnel::Ended),
                }
            }
            Ok(())
        });
        whole.await.map_err(|_| NoTunnel::Silent)??;
        let mut message = heard.split_to(wanted);
        message.advance(LENGTH_LEN);
        let (third, keys) = initiator.finish(&message)?;
        self.post(third);
        let now = clock.now().instant;
        Ok(Hand {
            doorway: self,
            sealer: Sealer::new(keys.client.clone(), keys.transcript, RekeyLimits::LONGEST, now),
            opener: Opener::new(keys.server, keys.transcript, now),
            first_key: keys.client,
            transcript: keys.transcript,
            reader: Reader::default(),
            unread: heard.freeze(),
            strange: false,
            over: false,
            clock,
        })
    }

    fn post(&mut self, bytes: Bytes) {
        // Refused where the relay has reset the stream, which is heard when it is listened to.
        self.outgoing.send_data(bytes, false).ok();
    }

    async fn more(&mut self) -> More {
        match alongside(&mut self.session.connection, self.incoming.data()).await {
            Ok(Some(Ok(data))) => {
                // The stream is over where this is refused.
                self.incoming.flow_control().release_capacity(data.len()).ok();
                More::Data(data)
            }
            Ok(Some(Err(_)) | None) | Err(_) => More::Ended,
        }
    }
}

/// A frame of the relay's.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) stream: u64,
    pub(super) content: Bytes,
    /// As it came, sealed.
    pub(super) raw: Bytes,
}

/// What comes of listening for a frame.
#[derive(Debug)]
pub(super) enum Heard {
    Frame(Frame),
    /// The relay's body is over.
    Ended,
    /// Nothing that was listened for came in time.
    Silence,
}

/// A tunnel.
pub(super) struct Hand {
    doorway: Doorway,
    sealer: Sealer,
    opener: Opener,
    first_key: Zeroizing<[u8; 32]>,
    transcript: [u8; 32],
    reader: Reader,
    unread: Bytes,
    /// Something came that is no frame of this tunnel.
    strange: bool,
    over: bool,
    clock: Clock,
}

impl Hand {
    /// Sends a frame.
    pub(super) fn send(&mut self, kind: Kind, stream: u64, content: impl Into<Bytes>) {
        let frame = self.seal(kind, stream, content);
        self.post(frame);
    }

    /// Seals a frame without sending it.
    pub(super) fn seal(&mut self, kind: Kind, stream: u64, content: impl Into<Bytes>) -> BytesMut {
        let mut frame = BytesMut::new();
        // A tunnel of a few frames does not run out of counters.
        self.sealer.seal(kind, stream, &[content.into()], self.clock.now().instant, &mut frame).ok();
        frame
    }

    /// Changes our key.
    pub(super) fn update_key(&mut self) {
        let mut frame = BytesMut::new();
        self.sealer.update_key(self.clock.now().instant, &mut frame).ok();
        self.post(frame);
    }

    /// Another who seals with our first key, from its first counter.
    pub(super) fn twin(&self) -> Sealer {
        let now = self.clock.now().instant;
        Sealer::new(self.first_key.clone(), self.transcript, RekeyLimits::LONGEST, now)
    }

    /// Sends these bytes as they are.
    pub(super) fn post(&mut self, bytes: impl Into<Bytes>) {
        self.doorway.post(bytes.into());
    }

    /// Whether everything that came was a frame of this tunnel, of a type there is.
    pub(super) fn heard_only_frames(&self) -> bool {
        !self.strange
    }

    /// Waits for a frame; padding and all that is not wanted is passed over.
    pub(super) async fn hear(&mut self, patience: Duration, wanted: impl Fn(&Frame) -> bool) -> Heard {
        let listen = async {
            while let Some(frame) = self.next().await {
                if wanted(&frame) {
                    return Heard::Frame(frame);
                }
            }
            Heard::Ended
        };
        timeout(patience, listen).await.unwrap_or(Heard::Silence)
    }

    /// The next frame; `None` when the relay's body is over, or is no tunnel's any more.
    async fn next(&mut self) -> Option<Frame> {
        while !self.over {
            match self.reader.read(&mut self.unread) {
                Ok(Some(sealed)) => {
                    let raw = Bytes::from([sealed.header.bytes(), &sealed.body].concat());
                    let Ok((header, content)) = self.opener.open(sealed) else { break };
                    match header.kind() {
                        Kind::KeyUpdate => {
                            self.opener.update_key(self.clock.now().instant).ok()?;
                        }
                        Kind::Unknown(_) => self.strange = true,
                        Kind::Stream | Kind::Ping | Kind::Close | Kind::WindowUpdate => {}
                    }
                    let (kind, stream) = (header.kind(), header.stream());
                    return Some(Frame { kind, stream, content: content.freeze(), raw });
                }
                Ok(None) => match self.doorway.more().await {
                    More::Data(data) => self.unread = data,
                    More::Ended => self.over = true,
                },
                Err(_) => break,
            }
        }
        self.strange |= !self.over;
        self.over = true;
        None
    }
}
