"""A BitChat peer of other make, for hardware tests to talk with.

    PYTHONPATH=$HW_FOREIGN_PYTHONPATH HW_FOREIGN_ADAPTER=hci1 \\
        $HW_PYTHON $HW_FOREIGN_PEER [NICKNAME]

Drives python-bitchat-client, which connects as a central to the first BitChat
node it finds and announces itself. Packets, sessions and payloads are that
package's own; bitchat-protocol decodes every packet once more as a second
opinion. Prints one JSON object per line:

    {"event": "started", "peer": ID, "nickname": NAME, "adapter": "hci1"}
    {"event": "status", "level": …, "code": "connected", "detail": …}
    {"event": "packet", "type": N, "sender": ID, "ttl": N, "bytes": N, "codec": "ok"}
    {"event": "announce", "peer": ID, "nickname": NAME, "noise_key": HEX, "signing_key": HEX,
     "neighbors": [ID, …]}
    {"event": "public", "peer": ID, "text": TEXT}
    {"event": "private", "peer": ID, "id": MESSAGE_ID, "text": TEXT}
    {"event": "delivered", "peer": ID, "id": MESSAGE_ID}     and "read"
    {"event": "private_sent", "peer": ID, "id": MESSAGE_ID, "text": TEXT}
    {"event": "done", "command": LINE, "ok": true}

Takes one command per line on standard input:

    public TEXT | private PEER TEXT | delivered PEER MESSAGE_ID | read PEER MESSAGE_ID
    announce | peers | quit
"""

import asyncio
import json
import os
import sys
import threading

from bitchat_protocol import decode
from python_bitchat_client import client as bitchat
from python_bitchat_client import protocol
from python_bitchat_client.noise_session import NoiseSessionManager

RECEIPTS = {
    protocol.NOISE_PAYLOAD_DELIVERED: "delivered",
    protocol.NOISE_PAYLOAD_READ_RECEIPT: "read",
}
RECEIPT_TYPES = {name: number for number, name in RECEIPTS.items()}
COMMAND_SECONDS = 30

printing = threading.Lock()


def tell(event: str, **details) -> None:
    with printing:
        print(json.dumps({"event": event, **details}), flush=True)


class Sessions(NoiseSessionManager):
    """Tells what was inside each decrypted payload and what goes out."""

    def decrypt(self, *, peer_id: str, ciphertext: bytes) -> bytes:
        plaintext = super().decrypt(peer_id=peer_id, ciphertext=ciphertext)
        private = protocol.parse_private_message_payload(plaintext)
        if private is not None:
            tell("private", peer=peer_id, id=private[0], text=private[1])
        elif plaintext and plaintext[0] in RECEIPTS:
            tell(RECEIPTS[plaintext[0]], peer=peer_id,
                 id=plaintext[1:].decode(errors="replace"))
        else:
            tell("payload", peer=peer_id, hex=plaintext.hex())
        return plaintext

    def encrypt(self, *, peer_id: str, plaintext: bytes) -> bytes:
        private = protocol.parse_private_message_payload(plaintext)
        if private is not None:
            tell("private_sent", peer=peer_id, id=private[0], text=private[1])
        return super().encrypt(peer_id=peer_id, plaintext=plaintext)


class Peer(bitchat.BleBitChatClient):
    def __init__(self) -> None:
        super().__init__()
        self._noise = Sessions(local_static_private_key=self._identity.noise_private_key)
        self.set_status_handler(
            lambda status: tell("status", level=status.level, code=status.code,
                                detail=status.detail))
        self.set_message_handler(self._heard)

    @property
    def peer_id(self) -> str:
        return self._peer_id_hex

    def _heard(self, message) -> None:
        # Private ones are told where they are decrypted, with their id.
        if not message.is_private:
            tell("public", peer=message.sender, text=message.text)

    def _on_notification(self, characteristic, data: bytearray) -> None:
        self._tell_packet(bytes(data))
        super()._on_notification(characteristic, data)

    def _tell_packet(self, data: bytes) -> None:
        try:
            packet = protocol.parse_packet(data)
        except ValueError as problem:
            tell("packet", error=str(problem), bytes=len(data))
            return
        second = decode(data)
        if second is None:
            codec = "rejected"
        else:
            codec = "ok" if second.payload == packet.payload else "other payload"
        tell("packet", type=packet.msg_type, sender=packet.sender_id, ttl=packet.ttl,
             bytes=len(data), codec=codec)
        announce = protocol.parse_announce_packet(packet)
        if announce is not None:
            tell("announce", peer=announce.sender_peer_id, nickname=announce.nickname,
                 noise_key=announce.noise_public_key.hex(),
                 signing_key=announce.signing_public_key.hex(),
                 neighbors=[neighbor.hex() for neighbor in announce.direct_neighbors])

    def announce(self) -> bool:
        return self._in_loop(self._send_announce(self._active_client))

    def receipt(self, kind: str, peer_id: str, message_id: str) -> bool:
        payload = bytes([RECEIPT_TYPES[kind]]) + message_id.encode()
        packet = protocol.build_packet(
            msg_type=protocol.MessageType.NOISE_ENCRYPTED,
            payload=self._noise.encrypt(peer_id=peer_id, plaintext=payload),
            sender_peer_id_hex=self._peer_id_hex,
            recipient_peer_id_hex=peer_id,
        )
        return self._in_loop(self._active_client.write_gatt_char(
            self.CHARACTERISTIC_UUID, packet, response=False))

    def _in_loop(self, coroutine) -> bool:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(COMMAND_SECONDS)
        return True


def obey(peer: Peer, line: str) -> bool:
    verb, _, rest = line.partition(" ")
    target, _, text = rest.partition(" ")
    if verb == "public":
        return peer.send_message(rest)
    if verb == "private":
        return peer.send_direct_message(target, text)
    if verb in RECEIPT_TYPES:
        return peer.receipt(verb, target, text)
    if verb == "announce":
        return peer.announce()
    if verb == "peers":
        tell("peers", peers={known.peer_id: known.nickname for known in peer.list_peers()})
        return True
    raise ValueError("unknown command")


def main() -> None:
    nickname = sys.argv[1] if len(sys.argv) > 1 else "foreign"
    peer = Peer()
    peer.set_handle(nickname)
    tell("started", peer=peer.peer_id, nickname=nickname,
         adapter=os.environ.get("HW_FOREIGN_ADAPTER", ""))
    peer.start()
    for line in map(str.strip, sys.stdin):
        if line == "quit":
            break
        try:
            tell("done", command=line, ok=obey(peer, line))
        except Exception as problem:  # noqa: BLE001: told to whoever sent the command
            tell("done", command=line, ok=False, error=f"{type(problem).__name__}: {problem}")
    peer.stop()


if __name__ == "__main__":
    main()
