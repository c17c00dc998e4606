"""What a relay does for its clients (16.2): requests, their answers, and an owner's signatures."""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from . import record

CREATE, DEPOSIT, FETCH, ACK, PACKET, ECHO, RECORD = range(1, 8)
OK, REFUSED, MALFORMED = range(3)
MAX_LENGTH = 1_312_768


@dataclass
class Owner:
    """Who holds the key of a mailbox."""

    key: Ed25519PrivateKey
    token: bytes

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def address(self) -> bytes:
        return hashlib.sha256(b"hopline-mailbox-v1" + self.public).digest()

    def create(self, ekm: bytes) -> bytes:
        return self._signed(ekm, CREATE, self.public, self.token)

    def fetch(self, ekm: bytes, after: int) -> bytes:
        return self._signed(ekm, FETCH, self.address, after)

    def ack(self, ekm: bytes, ids: list[int]) -> bytes:
        return self._signed(ekm, ACK, self.address, ids)

    def _signed(self, ekm: bytes, operation: int, *fields) -> bytes:
        values = _numbered(operation, fields)
        values[len(values)] = self.key.sign(b"hopline-mb-v1" + ekm + record.encode(values))
        return _sized(values)


def request(operation: int, *fields) -> bytes:
    return _sized(_numbered(operation, fields))


def _numbered(operation: int, fields) -> dict:
    return dict(enumerate((operation, *fields)))


def _sized(values: dict) -> bytes:
    encoded = record.encode(values)
    return len(encoded).to_bytes(4, "big") + encoded


def answer(data: bytes) -> tuple[int, list]:
    """Status and results of a whole answer."""
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 or length > MAX_LENGTH or len(data) != 4 + length:
        raise record.Malformed(f"an answer of {len(data)} bytes that says {length}")
    values = record.decode(data[4:])
    if not isinstance(values, dict) or list(values) != list(range(len(values))):
        raise record.Malformed("an answer whose keys are not 0, 1, …")
    return values[0], [values[key] for key in range(1, len(values))]
