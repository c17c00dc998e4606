"""Answers for the package `bitchat-protocol`: reads bytes, and makes bytes of its own, as `tests/bitchat_protocol.rs` asks.

One question a line on the input, one answer a line on the output, both JSON:

    {"read": KIND, "hex": BYTES}    ->  {"fields": {...}, "hex": BYTES WRITTEN AGAIN}, or {"refused": true}
    {"make": KIND, "seed": NUMBER}  ->  {"fields": {...}, "hex": BYTES}

A kind is `packet`, `padded` (a packet), `announce` or `private_message`.
"""

import json
import random
import sys

import bitchat_protocol as theirs

WORDS = ("mesh ", "hello ", "ö", "wörld ", "0123456789 ", "the quick brown fox ", "\U0001f994 ")


def optional_hex(value):
    return None if value is None else value.hex()


# Packets


def packet_fields(packet):
    return {
        "version": packet.version,
        "type": packet.type,
        "ttl": packet.ttl,
        "timestamp": packet.timestamp,
        "sender": packet.sender_id.hex(),
        "recipient": optional_hex(packet.recipient_id),
        "route": [hop.hex() for hop in packet.route or []],
        "rsr": packet.is_rsr,
        "payload": packet.payload.hex(),
        "signature": optional_hex(packet.signature),
    }


def some_payload(dice, longest):
    length = dice.choice((0, 1, dice.randrange(100), dice.randrange(255, 260), dice.randrange(2_000), dice.randrange(longest)))
    kind = dice.randrange(4)
    if kind == 0:
        return dice.randbytes(length)
    if kind == 1:
        return bytes([dice.randrange(256)]) * length
    if kind == 2:
        return bytes(dice.choices(b"0123456789abcdef", k=length))
    return text(dice, length).encode()[:length]


def make_packet(dice):
    version = dice.choice((1, 2))
    hops = dice.choice((0, 0, 1, 3, 255)) if version == 2 else 0
    return theirs.BitchatPacket(
        version=version,
        type=dice.randrange(256),
        ttl=dice.randrange(256),
        timestamp=dice.choice((0, dice.getrandbits(41), dice.getrandbits(64))),
        flags=0,
        sender_id=dice.randbytes(8),
        payload=some_payload(dice, 65_000 if version == 1 else 150_000),
        recipient_id=dice.choice((None, b"\xff" * 8, dice.randbytes(8))),
        route=[dice.randbytes(8) for _ in range(hops)] or None,
        signature=dice.choice((None, dice.randbytes(64))),
        is_rsr=dice.random() < 0.2,
    )


def write_padded(packet):
    # Where its rule asks for more than 255 bytes of padding it fails: such a packet goes without.
    try:
        return theirs.encode(packet, padding=True)
    except ValueError:
        return theirs.encode(packet)


# What packets carry


def text(dice, length):
    return "".join(dice.choices(WORDS, k=length // 4 + 1))


def short_text(dice, most):
    made = text(dice, dice.randrange(most))
    while len(made.encode()) > most:
        made = made[:-1]
    return made


def announce_fields(announce):
    return {
        "nickname": announce.nickname,
        "noise": announce.noise_public_key.hex(),
        "signing": announce.signing_public_key.hex(),
        "neighbours": [neighbour.hex() for neighbour in announce.direct_neighbors or []],
        "peer": theirs.peer_id_from_noise_key(announce.noise_public_key),
    }


def make_announce(dice):
    neighbours = [dice.randbytes(8) for _ in range(dice.choice((0, 1, 10)))]
    return theirs.AnnouncementPacket(short_text(dice, 255), dice.randbytes(32), dice.randbytes(32), neighbours or None)


def message_fields(message):
    return {"id": message.message_id, "content": message.content}


def make_message(dice):
    return theirs.PrivateMessagePacket("M" + short_text(dice, 254), short_text(dice, 255))


# kind: how it is read, told, written and made
KINDS = {
    "packet": (theirs.decode, packet_fields, theirs.encode, make_packet),
    "padded": (theirs.decode, packet_fields, write_padded, make_packet),
    "announce": (theirs.decode_announcement, announce_fields, theirs.encode_announcement, make_announce),
    "private_message": (theirs.decode_private_message, message_fields, theirs.encode_private_message, make_message),
}


def answer(question):
    if "read" in question:
        read, fields, write, _ = KINDS[question["read"]]
        value = read(bytes.fromhex(question["hex"]))
        if value is None:
            return {"refused": True}
    else:
        _, fields, write, make = KINDS[question["make"]]
        value = make(random.Random(question["seed"]))
    return {"fields": fields(value), "hex": write(value).hex()}


def main():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


main()
