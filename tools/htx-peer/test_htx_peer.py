"""The published vectors, and the two ends of a tunnel in memory."""

import json
import unittest
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from noise.connection import Keypair, NoiseConnection

from htx_peer import frames, inner, record, services, streams, ticket

VECTORS = json.loads((Path(__file__).parents[2] / "tests/vectors/htx.json").read_text())


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


class Vectors(unittest.TestCase):
    def test_ticket(self):
        vector = VECTORS["ticket_1_1"]
        private = X25519PrivateKey.from_private_bytes(raw(vector["cli_priv"]))
        payload = ticket.payload(private, raw(vector["ticket_key_id"]), raw(vector["ticket_pub"]), vector["hour"],
                                 raw(vector["nonce32"]), raw(vector["pad"]))
        self.assertEqual(len(payload), vector["payload_len"])
        self.assertEqual(ticket.base64url(payload), vector["b64url"])

    def test_bound_keys(self):
        vector = VECTORS["keys_1_1_bound"]
        pair = inner.directions(raw(vector["split_k1"]), raw(vector["split_k2"]), raw(vector["exporter"]),
                                raw(vector["noise_h"]))
        for direction, name in zip(pair, "cs"):
            expected = vector["dir"][name]
            self.assertEqual((direction.key.hex(), direction.salt.hex()), (expected["key"], expected["ns"]))
            direction.update()
            self.assertEqual((direction.key.hex(), direction.salt.hex()), (expected["next_key"], expected["next_ns"]))

    def test_frames(self):
        for vector in VECTORS["frames_1_1"]:
            stream = vector["stream_id"] if vector["type"] in frames.WITH_STREAM_ID else None
            frame = frames.Frame(vector["type"], raw(vector["plaintext"]), stream)
            direction = self.client_direction(vector["counter"])
            self.assertEqual(frames.seal(direction, frame).hex(), vector["wire"])
            decoder = frames.Decoder(self.client_direction(vector["counter"]))
            self.assertEqual(decoder.feed(raw(vector["wire"])), [frame])

    def test_a_flipped_bit_anywhere_in_a_frame_is_noticed(self):
        wire = raw(VECTORS["frames_1_1"][0]["wire"])
        for bit in range(8 * len(wire)):
            flipped = bytearray(wire)
            flipped[bit // 8] ^= 1 << bit % 8
            try:
                found = frames.Decoder(self.client_direction(0)).feed(bytes(flipped))
            except frames.Violation:
                continue
            self.assertEqual(found, [], "only a frame that seems longer may wait for the rest")

    def client_direction(self, counter: int) -> inner.Direction:
        vector = VECTORS["keys_1_1_bound"]
        direction = inner.Direction(raw(vector["dir"]["c"]["key"]), raw(vector["noise_h"]))
        direction.counter = counter
        return direction

    def test_peer_id(self):
        vector = VECTORS["peer_id"]
        self.assertEqual(record.peer_id(raw(vector["pubkey"])).hex(), vector["peer_id"])


class DetCbor(unittest.TestCase):
    def test_what_is_written_is_read(self):
        for value in (0, 23, 24, 255, 256, 2**32, 2**64 - 1, -1, -500, b"", b"x" * 300, "ü", [1, [b"2", "3"]],
                      {0: 1, 24: [], "a": {}, b"b": None}):
            self.assertEqual(record.decode(record.encode(value)), value)

    def test_other_forms_are_refused(self):
        for text in ("1801", "190001", "5f4100ff", "a201000100", "a202000100", "c100", "f90000", "0000", "81", "61ff"):
            with self.assertRaises(record.Malformed, msg=text):
                record.decode(raw(text))


class Record(unittest.TestCase):
    def setUp(self):
        self.key = Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes_raw()
        self.fields = {1: record.peer_id(public), 2: public, 3: bytes(32), 4: ["/betanet/htx/1.1.0"],
                       5: [[bytes(8), bytes(32), 20784]], 6: "", 7: "__Host-sid", 8: "relay.test", 9: [], 10: "/a",
                       11: "application/grpc", 16: 1}

    def signed(self) -> bytes:
        encoded = record.encode(self.fields)
        return record.encode([encoded, self.key.sign(b"bn-node-v1" + encoded)])

    def test_both_forms_are_read(self):
        encoded = self.signed()
        link = record.LINK + ticket.base64url(encoded) + "\n"
        self.assertEqual(record.read(encoded), record.read(link.encode()))

    def test_a_changed_record_and_anothers_peer_id_are_refused(self):
        encoded = bytearray(self.signed())
        encoded[-1] ^= 1
        with self.assertRaises(record.Malformed):
            record.read(bytes(encoded))
        self.fields[1] = record.peer_id(bytes(32))
        with self.assertRaises(record.Malformed):
            record.read(self.signed())


class Policy(unittest.TestCase):
    def test_unknown_carriers_are_left_out_of_the_sum(self):
        policy = ticket.Policy.read("BN-Ticket: v1; carriers=cookie:0.3,smoke:4,query:0.3; len=24..64")
        self.assertEqual(policy.carriers, {"cookie": 0.5, "query": 0.5, "body": 0.0})
        self.assertEqual((policy.shortest, policy.longest), (24, 64))


class Tunnels(unittest.TestCase):
    def pair(self, suite: int, **options) -> tuple[streams.Tunnel, streams.Tunnel]:
        """The responder is written here once more, on the library alone."""
        host, ekm, static = "relay.test", bytes(range(32)), X25519PrivateKey.generate()
        client = inner.Initiator(suite, static.public_key().public_bytes_raw(), host, ekm)
        server = NoiseConnection.from_name(inner.NAMES[suite])
        server.set_as_responder()
        server.set_prologue(b"betanet-htx-v1\x001.1.0\x00" + bytes([suite]) + b"\x00\x0arelay.test" + ekm)
        server.set_keypair_from_private_bytes(Keypair.STATIC, static.private_bytes_raw())
        if suite == 2:
            server.set_psks(psk=b"\xff" * 32)
        server.start_handshake()
        offer = bytes(server.read_message(client.first()))
        ciphertext = b""
        if suite == 2:
            secret, ciphertext = MLKEM768PublicKey.from_public_bytes(offer).encapsulate()
            server.set_psks(psk=inner.kem_psk(secret, offer, ciphertext))
        server.read_message(client.last(ciphertext + bytes(server.write_message())))
        protocol = server.noise_protocol
        there = inner.directions(protocol.cipher_state_decrypt.k, protocol.cipher_state_encrypt.k, ekm,
                                 server.get_handshake_hash())
        here = client.directions()
        self.assertEqual([one.key for one in here], [one.key for one in there])
        return streams.Tunnel(*here, **options), streams.Tunnel(*reversed(there))

    def test_a_stream_waits_for_credit_in_both_suites(self):
        for suite in (1, 2):
            client, server = self.pair(suite)
            stream = client.open()
            far = server.open()
            sent = bytes(range(256)) * 1024
            stream.write(sent)
            stream.end()
            for _ in range(50):
                server.receive(client.take())
                client.receive(server.take())
            self.assertEqual(bytes(far.received), sent)
            self.assertTrue(far.end_received)
            self.assertGreater(client.waited_for_credit, 0)

    def test_a_held_stream_gets_one_window(self):
        client, server = self.pair(1, window=1 << 20)
        held = client.open()
        held.held = True
        far = server.open()
        far.write(bytes(200_000))
        server.receive(client.take())
        client.receive(server.take())
        self.assertEqual(len(held.received), streams.WINDOW)

    def test_keys_change_both_ways(self):
        client, server = self.pair(2)
        for _ in range(streams.FRAMES_BETWEEN_UPDATES):
            client.pad(1)
            server.pad(1)
        client.update_key()
        server.update_key()
        asked = client.ping()
        server.receive(client.take())
        client.receive(server.take())
        self.assertEqual(client.answers, {asked})
        client.update_key()
        with self.assertRaises(frames.Violation):
            server.receive(client.take())

    def test_a_key_ends_at_2_to_the_16_frames(self):
        client, server = self.pair(1)
        for _ in range(streams.FRAMES_OF_A_KEY + 5):
            client.pad(0)
        server.receive(client.take())
        self.assertEqual((client.key_updates_sent, server.key_updates_received, server.longest_key),
                         (1, 1, streams.FRAMES_OF_A_KEY))


class Services(unittest.TestCase):
    def test_the_signature_comes_last_and_covers_the_rest(self):
        owner = services.Owner(Ed25519PrivateKey.generate(), bytes(16))
        data = owner.fetch(b"e" * 32, 7)
        status, results = services.answer(data)
        self.assertEqual((status, results[:2]), (services.FETCH, [owner.address, 7]))
        signed = record.encode({0: services.FETCH, 1: owner.address, 2: 7})
        owner.key.public_key().verify(results[2], b"hopline-mb-v1" + b"e" * 32 + signed)


if __name__ == "__main__":
    unittest.main()
