//! The key, handshake and cipher vectors of `tests/vectors/bitchat.json`, through the public door.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

use hopline::crypto::courier::{self, OpenWith, SealTo};
use hopline::crypto::{Established, Identity, Initiator, PrekeySecret, Responder};
use hopline::ids::parse_hex;
use hopline::time::UnixMillis;
use rand_core::{CryptoRng, RngCore};
use serde_json::Value;

#[test]
fn the_identities_have_their_keys_fingerprints_and_peer_ids() {
    let vectors = Vectors::load();
    for name in ["alice", "bob", "carol"] {
        let identity = vectors.identity(name);
        let expected = |field: &str| vectors.text(&["identities", name, field]);
        assert_eq!(hex(&identity.noise_public()), expected("noise_public"));
        assert_eq!(hex(&identity.signing_public()), expected("sign_public"));
        assert_eq!(identity.fingerprint().to_string(), expected("fingerprint"));
        assert_eq!(identity.peer_id().to_string(), expected("peer_id"));
        assert_eq!(identity.peer_id().to_string(), hex(&vectors.hex(&format!("identity_{name}"))));
    }
}

#[test]
fn the_handshake_messages_are_the_vectors_byte_for_byte() {
    let vectors = Vectors::load();
    let (alice, bob) = (vectors.identity("alice"), vectors.identity("bob"));

    let (initiator, message1) = Initiator::new(&alice, &mut vectors.rng("init_ephemeral")).unwrap();
    assert_eq!(message1, vectors.hex("noise_xx_msg1"));
    let (responder, message2) =
        Responder::new(&bob, &vectors.hex("noise_xx_msg1"), &mut vectors.rng("resp_ephemeral")).unwrap();
    assert_eq!(message2, vectors.hex("noise_xx_msg2"));
    let (message3, of_alice) =
        initiator.finish(&alice, bob.peer_id(), &vectors.hex("noise_xx_msg2")).unwrap();
    assert_eq!(message3, vectors.hex("noise_xx_msg3"));
    let of_bob = responder.finish(&bob, alice.peer_id(), &vectors.hex("noise_xx_msg3")).unwrap();

    assert_eq!(of_alice.remote_fingerprint(), bob.fingerprint());
    assert_eq!(of_bob.remote_fingerprint(), alice.fingerprint());
    assert_eq!(of_alice.handshake_hash.to_vec(), vectors.hex("noise_xx_split"));
    assert_eq!(of_bob.handshake_hash, of_alice.handshake_hash);
}

#[test]
fn the_transport_messages_are_the_vectors_in_both_directions() {
    let vectors = Vectors::load();
    let (mut of_alice, mut of_bob) = vectors.session();
    for name in ["noise_transport_0", "noise_transport_1"] {
        let (plaintext, message) = vectors.transport(name);
        assert_eq!(of_alice.send.seal(&plaintext).unwrap(), message);
        assert_eq!(of_bob.receive.open(&message).unwrap(), plaintext);
    }
    let (plaintext, message) = vectors.transport("noise_transport_r0");
    assert_eq!(of_bob.send.seal(&plaintext).unwrap(), message);
    assert_eq!(of_alice.receive.open(&message).unwrap(), plaintext);
}

#[test]
fn the_split_keys_are_the_vectors() {
    use chacha20poly1305::aead::{Aead, KeyInit};
    use chacha20poly1305::{ChaCha20Poly1305, Nonce};

    let vectors = Vectors::load();
    let (mut of_alice, mut of_bob) = vectors.session();
    for (key, cipher) in [("k1_hex", &mut of_alice.send), ("k2_hex", &mut of_bob.send)] {
        let key: [u8; 32] = parse_hex(vectors.field("noise_xx_split", key)).unwrap();
        let message = cipher.seal(b"under the split key").unwrap();
        let cipher = ChaCha20Poly1305::new(&key.into());
        let plaintext = cipher.decrypt(&Nonce::default(), &message[4..]).unwrap();
        assert_eq!(plaintext, b"under the split key");
    }
}

#[test]
fn courier_tags_and_sealed_messages_are_the_vectors_in_both_directions() {
    let vectors = Vectors::load();
    let (alice, bob) = (vectors.identity("alice"), vectors.identity("bob"));
    let day = UnixMillis(1_750_000_000_123).day();
    assert_eq!(day, 20_254);
    assert_eq!(courier::tag(&bob.noise_public(), day).to_vec(), vectors.hex("courier_tag_bob"));

    let (message, sealed) = vectors.transport("courier_ciphertext");
    let ephemeral = || Fixed([5; 32]);
    let recipient = bob.noise_public();
    let made = courier::seal(&alice, SealTo::Static(&recipient), &message, &mut ephemeral()).unwrap();
    assert_eq!(made, sealed);
    let (sender, opened) = courier::open(OpenWith::Static(&bob), &sealed).unwrap();
    assert_eq!((sender, opened.to_vec()), (alice.noise_public(), message.clone()));

    let (id, secret) = (7, PrekeySecret::from_bytes(&[6; 32]));
    let sealed = vectors.hex("courier_ciphertext_prekey");
    let to = SealTo::Prekey { id, public: &secret.public() };
    assert_eq!(courier::seal(&alice, to, &message, &mut ephemeral()).unwrap(), sealed);
    let (sender, opened) = courier::open(OpenWith::Prekey { id, secret: &secret }, &sealed).unwrap();
    assert_eq!((sender, opened.to_vec()), (alice.noise_public(), message));
    assert!(courier::open(OpenWith::Static(&bob), &sealed).is_err());
}

struct Vectors(Value);

impl Vectors {
    fn load() -> Self {
        Self(serde_json::from_str(include_str!("vectors/bitchat.json")).unwrap())
    }

    fn text(&self, path: &[&str]) -> &str {
        let value = path.iter().fold(&self.0, |value, key| &value[key]);
        value.as_str().unwrap_or_else(|| panic!("no text at {path:?}"))
    }

    fn vector(&self, name: &str) -> &Value {
        let mut vectors = self.0["vectors"].as_array().unwrap().iter();
        vectors.find(|vector| vector["name"] == name).unwrap_or_else(|| panic!("no vector {name}"))
    }

    fn field(&self, name: &str, field: &str) -> &str {
        self.vector(name)[field].as_str().unwrap()
    }

    fn hex(&self, name: &str) -> Vec<u8> {
        bytes(self.field(name, "hex"))
    }

    fn transport(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        let plaintext = self.vector(name)["inputs"]["plaintext"].as_str().unwrap();
        (bytes(plaintext), self.hex(name))
    }

    fn identity(&self, name: &str) -> Identity {
        let secret = |field| bytes(self.text(&["identities", name, field]));
        let secrets = [secret("noise_private"), secret("sign_seed")].concat();
        Identity::from_bytes(&secrets.try_into().unwrap())
    }

    fn rng(&self, ephemeral: &str) -> Fixed {
        let bytes = self.vector("noise_xx_msg1")["inputs"][ephemeral].as_str().unwrap();
        Fixed(parse_hex(bytes).unwrap())
    }

    fn session(&self) -> (Established, Established) {
        let (alice, bob) = (self.identity("alice"), self.identity("bob"));
        let (initiator, message1) = Initiator::new(&alice, &mut self.rng("init_ephemeral")).unwrap();
        let (responder, message2) = Responder::new(&bob, &message1, &mut self.rng("resp_ephemeral")).unwrap();
        let (message3, of_alice) = initiator.finish(&alice, bob.peer_id(), &message2).unwrap();
        (of_alice, responder.finish(&bob, alice.peer_id(), &message3).unwrap())
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    hopline::ids::to_hex(bytes)
}

/// The "randomness" of a vector: the same 32 bytes for whoever asks for 32 bytes.
struct Fixed([u8; 32]);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        unreachable!("handshakes draw bytes")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("handshakes draw bytes")
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.0);
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(buffer);
        Ok(())
    }
}

impl CryptoRng for Fixed {}
