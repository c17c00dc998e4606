"""The access ticket (chapter 4)."""

import base64
import hashlib
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
SALT = b"betanet-ticket-v1"


@dataclass(frozen=True)
class Policy:
    """`BN-Ticket: v1; carriers=cookie:0.5,query:0.3,body:0.2; len=24..64`"""

    carriers: dict
    shortest: int
    longest: int

    @classmethod
    def read(cls, line: str) -> "Policy":
        name, _, rest = line.partition(":")
        parts = [part.strip() for part in rest.split(";")]
        if name.strip().lower() != "bn-ticket" or parts[0] != "v1":
            raise ValueError(f"not a ticket policy: {line!r}")
        values = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
        weights = {"cookie": 0.0, "query": 0.0, "body": 0.0}
        for item in values["carriers"].split(","):
            carrier, _, weight = item.strip().partition(":")
            if carrier in weights:
                weights[carrier] = float(weight)
        total = sum(weights.values())
        low, high = values["len"].split("..")
        return cls({carrier: weight / total for carrier, weight in weights.items()}, int(low), int(high))


def access_ticket(shared: bytes, key_id: bytes, hour: int) -> bytes:
    salt = hashlib.sha256(SALT + key_id + hour.to_bytes(8, "big")).digest()
    return HKDF(hashes.SHA256(), 32, salt, b"").derive(shared)


def payload(private: X25519PrivateKey, key_id: bytes, key: bytes, hour: int, nonce: bytes, pad: bytes) -> bytes:
    shared = private.exchange(X25519PublicKey.from_public_bytes(key))
    public = private.public_key().public_bytes_raw()
    return VERSION + public + key_id + nonce + access_ticket(shared, key_id, hour) + pad


def fresh(key_id: bytes, key: bytes, now: float, padding: int | None = None) -> bytes:
    if padding is None:
        padding = 24 + secrets.randbelow(41)
    private = X25519PrivateKey.generate()
    return payload(private, key_id, key, int(now // 3600), secrets.token_bytes(32), secrets.token_bytes(padding))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
