"""Frames of wire 1.1.0 (chapter 8)."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from .inner import Direction

STREAM, PING, CLOSE, KEY_UPDATE, WINDOW_UPDATE = range(5)
WITH_STREAM_ID = (STREAM, WINDOW_UPDATE)
TAG = 16
MAX_SENT = 16384 - 16 - 12
MAX_ACCEPTED = 65535


class Violation(Exception):
    """The other side broke a rule."""


@dataclass(frozen=True)
class Frame:
    type: int
    plaintext: bytes = b""
    stream: int | None = None


def varint(number: int) -> bytes:
    for prefix, size in enumerate((1, 2, 4, 8)):
        if number < 1 << 8 * size - 2:
            return (prefix << 8 * size - 2 | number).to_bytes(size, "big")
    raise ValueError("too large for a varint")


def read_varint(data: bytes, at: int = 0) -> tuple[int, int] | None:
    """The number and where it ends; None while bytes are missing."""
    if at >= len(data):
        return None
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        return None
    number = int.from_bytes(data[at:at + size], "big") & (1 << 8 * size - 2) - 1
    return number, at + size


def header(frame: Frame) -> bytes:
    head = len(frame.plaintext).to_bytes(3, "big") + bytes([frame.type])
    return head + varint(frame.stream) if frame.type in WITH_STREAM_ID else head


def seal(direction: Direction, frame: Frame) -> bytes:
    head = header(frame)
    return head + direction.seal(head, frame.plaintext)


class Decoder:
    """Cuts a byte stream into frames. A KEY_UPDATE changes the key before the next frame is opened."""

    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        self.buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        self.buffer += data
        frames, at = [], 0
        while (found := self._next(at)) is not None:
            frame, at = found
            frames.append(frame)
            if frame.type == KEY_UPDATE:
                self.direction.update()
        del self.buffer[:at]
        return frames

    def _next(self, start: int) -> tuple[Frame, int] | None:
        if len(self.buffer) < start + 4:
            return None
        length, kind = int.from_bytes(self.buffer[start:start + 3], "big"), self.buffer[start + 3]
        if kind > WINDOW_UPDATE or length > MAX_ACCEPTED:
            raise Violation(f"a frame of type {kind} and length {length}")
        stream, body = None, start + 4
        if kind in WITH_STREAM_ID:
            found = read_varint(self.buffer, body)
            if found is None:
                return None
            stream, body = found
        end = body + length + TAG
        if len(self.buffer) < end:
            return None
        try:
            plaintext = self.direction.open(bytes(self.buffer[start:body]), bytes(self.buffer[body:end]))
        except InvalidTag as error:
            raise Violation("a frame that does not open") from error
        return Frame(kind, plaintext, stream), end
