"""The inner handshake (chapter 6), its keys and nonces (chapter 7), wire 1.1.0."""

import hashlib
import secrets

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from noise.connection import Keypair, NoiseConnection

WIRE = b"1.1.0"
EXPORTER_LABEL = b"EXPORTER-betanet-htx"
NAMES = {1: b"Noise_XK_25519_ChaChaPoly_SHA256", 2: b"Noise_XKpsk2_25519_ChaChaPoly_SHA256"}
CIPHERTEXT = 1088
MESSAGE_SIZES = {1: (48, 48, 64), 2: (1232, 1136, 64)}


def prologue(suite: int, host: str, ekm: bytes) -> bytes:
    name = host.encode()
    return (b"betanet-htx-v1\0" + WIRE + b"\0" + bytes([suite]) + len(name).to_bytes(2, "big") + name + ekm)


def kem_psk(secret: bytes, encapsulation_key: bytes, ciphertext: bytes) -> bytes:
    salt = hashlib.sha256(encapsulation_key + ciphertext).digest()
    return HKDF(hashes.SHA256(), 32, salt, b"hopline-htx-mlkem768-v1").derive(secret)


def length_prefixed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


class Initiator:
    """The client's side of one handshake."""

    def __init__(self, suite: int, relay_static: bytes, host: str, ekm: bytes) -> None:
        self.suite, self.ekm = suite, ekm
        self.noise = NoiseConnection.from_name(NAMES[suite])
        self.noise.set_as_initiator()
        self.noise.set_prologue(prologue(suite, host, ekm))
        self.noise.set_keypair_from_private_bytes(Keypair.STATIC, secrets.token_bytes(32))
        self.noise.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, relay_static)
        if suite == 2:
            # The library wants one before it starts; message 2 is the first to use it, and by then it is another.
            self.noise.set_psks(psk=bytes(32))
        self.noise.start_handshake()

    def first(self) -> bytes:
        offer = b""
        if self.suite == 2:
            self.kem = MLKEM768PrivateKey.generate()
            offer = self.encapsulation_key = self.kem.public_key().public_bytes_raw()
        return self._sized(0, bytes(self.noise.write_message(offer)))

    def last(self, second: bytes) -> bytes:
        """Reads message 2, answers with message 3."""
        second = self._sized(1, second)
        if self.suite == 2:
            ciphertext, second = second[:CIPHERTEXT], second[CIPHERTEXT:]
            secret = self.kem.decapsulate(ciphertext)
            self.noise.set_psks(psk=kem_psk(secret, self.encapsulation_key, ciphertext))
        if self.noise.read_message(second) != b"":
            raise ValueError("message 2 has a payload")
        return self._sized(2, bytes(self.noise.write_message()))

    def directions(self) -> tuple["Direction", "Direction"]:
        """The client's and the server's."""
        protocol = self.noise.noise_protocol
        return directions(protocol.cipher_state_encrypt.k, protocol.cipher_state_decrypt.k,
                          self.ekm, self.noise.get_handshake_hash())

    def _sized(self, index: int, message: bytes) -> bytes:
        expected = MESSAGE_SIZES[self.suite][index]
        if len(message) != expected:
            raise ValueError(f"message {index + 1} has {len(message)} bytes, not {expected}")
        return message


def directions(k1: bytes, k2: bytes, ekm: bytes, handshake_hash: bytes) -> tuple["Direction", "Direction"]:
    extract = HMAC(ekm, hashes.SHA256())
    extract.update(k1 + k2)
    k0 = expand_label(extract.finalize(), b"htx inner v1", 64)
    return Direction(k0[:32], handshake_hash), Direction(k0[32:], handshake_hash)


def expand_label(secret: bytes, label: bytes, length: int) -> bytes:
    """RFC 8446 7.1, with an empty context."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return HKDFExpand(hashes.SHA256(), length, info).derive(secret)


class Direction:
    """Key, salt and counter of the frames that go one way."""

    def __init__(self, key: bytes, handshake_hash: bytes) -> None:
        self.handshake_hash = handshake_hash
        self._use(key)

    def _use(self, key: bytes) -> None:
        self.key, self.counter = key, 0
        self.salt = HKDF(hashes.SHA256(), 12, b"ns", b"").derive(key)
        self.cipher = ChaCha20Poly1305(key)

    def update(self) -> None:
        self._use(HKDF(hashes.SHA256(), 64, b"next", self.handshake_hash).derive(self.key)[:32])

    def nonce(self) -> bytes:
        counter = self.counter.to_bytes(8, "little") + bytes(4)
        return bytes(a ^ b for a, b in zip(self.salt, counter))

    def seal(self, header: bytes, plaintext: bytes) -> bytes:
        sealed = self.cipher.encrypt(self.nonce(), plaintext, header)
        self.counter += 1
        return sealed

    def open(self, header: bytes, sealed: bytes) -> bytes:
        plaintext = self.cipher.decrypt(self.nonce(), sealed, header)
        self.counter += 1
        return plaintext
