"""DET-CBOR (O-13) and the signed node record (D-32)."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LINK = "hopline://relay/"
SIGNED = b"bn-node-v1"
SIMPLE = {20: False, 21: True, 22: None}


class Malformed(ValueError):
    """Bytes that are not what the specification says."""


def encode(value) -> bytes:
    """DET-CBOR of integers, byte strings, texts, lists and maps."""
    if value is None or isinstance(value, bool):
        return bytes([0xE0 | {False: 20, True: 21, None: 22}[value]])
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, (bytes, bytearray)):
        return _head(2, len(value)) + bytes(value)
    if isinstance(value, str):
        text = value.encode()
        return _head(3, len(text)) + text
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, dict):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise TypeError(f"{type(value).__name__} has no place in DET-CBOR")


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | extra]) + number.to_bytes(size, "big")
    raise ValueError("an integer of more than 64 bits")


def decode(data: bytes):
    """Reads one value and nothing after it; anything but the one shortest form is refused."""
    reader = _Reader(bytes(data))
    value = reader.value()
    if reader.at != len(reader.data):
        raise Malformed("bytes after the value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        part = self.data[self.at:self.at + count]
        if len(part) != count:
            raise Malformed("the value is cut short")
        self.at += count
        return part

    def value(self, depth: int = 0):
        if depth > 16:
            raise Malformed("too deep")
        first = self.take(1)[0]
        major, low = first >> 5, first & 31
        if major == 7:
            if low not in SIMPLE:
                raise Malformed("a float or an unknown simple value")
            return SIMPLE[low]
        number = self.number(low)
        if major == 0:
            return number
        if major == 1:
            return -1 - number
        if major == 2:
            return self.take(number)
        if major == 3:
            try:
                return self.take(number).decode()
            except UnicodeDecodeError as error:
                raise Malformed("a text that is not UTF-8") from error
        if major == 4:
            return [self.value(depth + 1) for _ in range(number)]
        if major == 5:
            return self.pairs(number, depth)
        raise Malformed("a tag")

    def number(self, low: int) -> int:
        if low < 24:
            return low
        if low > 27:
            raise Malformed("an indefinite length")
        size = 1 << (low - 24)
        number = int.from_bytes(self.take(size), "big")
        if number < 24 or size > 1 and number < 1 << 4 * size:
            raise Malformed("an integer longer than it need be")
        return number

    def pairs(self, count: int, depth: int) -> dict:
        found, last = {}, None
        for _ in range(count):
            start = self.at
            key = self.value(depth + 1)
            encoded = self.data[start:self.at]
            if last is not None and encoded <= last:
                raise Malformed("map keys out of order, or one twice")
            if isinstance(key, (list, dict)):
                raise Malformed("a list or map as a key")
            found[key], last = self.value(depth + 1), encoded
        return found


def peer_id(public_key: bytes) -> bytes:
    return b"\x12\x20" + hashlib.sha256(public_key).digest()


@dataclass(frozen=True)
class TicketKey:
    id: bytes
    public: bytes
    day: int


@dataclass(frozen=True)
class NodeRecord:
    encoded: bytes
    peer_id: bytes
    static: bytes
    protocols: list
    ticket_keys: list
    policy: str
    cookie: str
    host: str
    addresses: list
    path: str
    content_type: str
    expiry: int

    def ticket_key(self, now: float) -> TicketKey:
        day = int(now // 86400)
        for key in self.ticket_keys:
            if key.day == day:
                return key
        raise Malformed(f"no ticket key for day {day}")


def read(text_or_bytes: bytes) -> NodeRecord:
    """Reads the record in either form and checks its signature and peer id."""
    encoded = text_or_bytes
    if text_or_bytes.lstrip().startswith(LINK.encode()):
        text = text_or_bytes.decode("ascii").strip().removeprefix(LINK)
        encoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    outer = decode(encoded)
    if not (isinstance(outer, list) and len(outer) == 2 and all(isinstance(part, bytes) for part in outer)):
        raise Malformed("not [map as byte string, signature]")
    map_bytes, signature = outer
    fields = decode(map_bytes)
    identity = fields[2]
    if fields[1] != peer_id(identity):
        raise Malformed("the peer id is not that of the key")
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, SIGNED + map_bytes)
    except InvalidSignature as error:
        raise Malformed("the signature does not verify") from error
    if len(fields[3]) != 32 or not all(len(key) == 3 for key in fields[5]):
        raise Malformed("a key of the wrong length")
    return NodeRecord(
        encoded=encoded, peer_id=fields[1], static=fields[3], protocols=fields[4],
        ticket_keys=[TicketKey(*key) for key in fields[5]], policy=fields[6], cookie=fields[7],
        host=fields[8], addresses=fields[9], path=fields[10], content_type=fields[11], expiry=fields[16])
