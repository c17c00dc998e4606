"""Streams, flow control, PING, CLOSE and KEY_UPDATE over frames (chapters 7 and 8). Does no input or output itself."""

import secrets
from collections import deque

from . import frames
from .frames import CLOSE, KEY_UPDATE, PING, STREAM, WINDOW_UPDATE, Frame, Violation
from .inner import Direction

WINDOW = 65535
FRAMES_OF_A_KEY = 1 << 16
FRAMES_BETWEEN_UPDATES = 1000
FIRST_STREAM = 3
ASK, ANSWER = 0, 1
MAX_PADDING = 3072


class Stream:
    def __init__(self, number: int, window: int) -> None:
        self.number = number
        self.outgoing = bytearray()
        self.end_wanted = self.end_sent = self.end_received = False
        self.send_credit = self.receive_credit = WINDOW
        self.window, self.raised = window, window == WINDOW
        self.consumed = 0
        self.held = False
        self.received = bytearray()

    def write(self, data: bytes) -> None:
        self.outgoing += data

    def end(self) -> None:
        self.end_wanted = True


class Tunnel:
    """One side of a tunnel: bytes in by `receive`, bytes out by `take`."""

    def __init__(self, sending: Direction, receiving: Direction, *, frame_size: int = frames.MAX_SENT,
                 stream_window: int = WINDOW, window: int = WINDOW) -> None:
        self.sending, self.decoder = sending, frames.Decoder(receiving)
        self.frame_size, self.stream_window, self.window = frame_size, stream_window, window
        self.streams: dict[int, Stream] = {}
        self.turns: deque[Stream] = deque()
        self.next_stream = FIRST_STREAM
        self.send_credit = self.receive_credit = WINDOW
        self.consumed = 0
        self.waited_for_credit = 0
        self.outgoing = bytearray()
        self.answers: set[bytes] = set()
        self.pings_answered = self.window_updates = 0
        self.key_updates_sent = self.key_updates_received = 0
        self.frames_received_under_key = 0
        self.longest_key = 0
        self.close: tuple[int, str] | None = None
        if window > WINDOW:
            self._credit(0, window - WINDOW)
            self.receive_credit = window

    # What we send.

    def open(self, window: int | None = None) -> Stream:
        stream = Stream(self.next_stream, window or self.stream_window)
        self.next_stream += 2
        self.streams[stream.number] = stream
        self.turns.append(stream)
        return stream

    def ping(self, padding: int = 0) -> bytes:
        token = secrets.token_bytes(8)
        self._send(Frame(PING, bytes([ASK]) + token + bytes(padding)))
        return token

    def pad(self, length: int) -> None:
        self._send(Frame(STREAM, bytes(length), 0))

    def update_key(self) -> None:
        self.outgoing += frames.seal(self.sending, Frame(KEY_UPDATE))
        self.sending.update()
        self.key_updates_sent += 1

    def say_close(self, code: int = 0, reason: str = "") -> None:
        self._send(Frame(CLOSE, code.to_bytes(2, "big") + reason.encode()))

    def take(self) -> bytes:
        """What is to be sent now, as far as the windows allow: streams take turns, a frame each."""
        waiting = 0
        while waiting < len(self.turns):
            stream = self.turns[0]
            self.turns.rotate(-1)
            waiting = 0 if self._advance(stream) else waiting + 1
        data, self.outgoing = bytes(self.outgoing), bytearray()
        return data

    def _advance(self, stream: Stream) -> bool:
        size = min(len(stream.outgoing), stream.send_credit, self.send_credit, self.frame_size)
        if size:
            self._send(Frame(STREAM, bytes(stream.outgoing[:size]), stream.number))
            del stream.outgoing[:size]
            stream.send_credit -= size
            self.send_credit -= size
            self._raise_window(stream)
            return True
        if stream.outgoing:
            self.waited_for_credit += 1
        elif stream.end_wanted:
            self._send(Frame(STREAM, b"", stream.number))
            stream.end_sent = True
            self.turns.remove(stream)
            return True
        return False

    def _raise_window(self, stream: Stream) -> None:
        """Once, and after its first frame: before that the other side does not know the stream."""
        if not stream.raised:
            self._credit(stream.number, stream.window - WINDOW)
            stream.receive_credit += stream.window - WINDOW
            stream.raised = True

    def _send(self, frame: Frame) -> None:
        if self.sending.counter >= FRAMES_OF_A_KEY - 1:
            self.update_key()
        self.outgoing += frames.seal(self.sending, frame)

    def _credit(self, number: int, increment: int) -> None:
        self._send(Frame(WINDOW_UPDATE, frames.varint(increment), number))

    # What we receive.

    def receive(self, data: bytes) -> None:
        for frame in self.decoder.feed(data):
            if self.close is not None and frame.type != CLOSE:
                raise Violation("a frame after CLOSE")
            self.frames_received_under_key += 1
            {STREAM: self._on_stream, PING: self._on_ping, CLOSE: self._on_close,
             KEY_UPDATE: self._on_key_update, WINDOW_UPDATE: self._on_window_update}[frame.type](frame)

    def _on_stream(self, frame: Frame) -> None:
        if frame.stream == 0:
            return
        stream = self.streams.get(frame.stream)
        if stream is None:
            raise Violation(f"the relay opened stream {frame.stream}")
        if stream.end_received:
            raise Violation(f"data after the end of stream {frame.stream}")
        size = len(frame.plaintext)
        if size == 0:
            stream.end_received = True
            return
        stream.receive_credit -= size
        self.receive_credit -= size
        if stream.receive_credit < 0 or self.receive_credit < 0:
            raise Violation(f"stream {frame.stream} overran a window")
        stream.received += frame.plaintext
        stream.consumed += size
        self.consumed += size
        if self.consumed >= self.window // 2:
            self._credit(0, self.consumed)
            self.receive_credit += self.consumed
            self.consumed = 0
        if not stream.held:
            self.consume(stream)

    def consume(self, stream: Stream) -> None:
        """Gives back the credit of what was read from a stream, once it is half of its window."""
        if stream.consumed >= stream.window // 2 and not stream.end_received:
            self._credit(stream.number, stream.consumed)
            stream.receive_credit += stream.consumed
            stream.consumed = 0

    def _on_ping(self, frame: Frame) -> None:
        body = frame.plaintext
        if not 9 <= len(body) <= 9 + MAX_PADDING or body[0] not in (ASK, ANSWER) or any(body[9:]):
            raise Violation(f"a PING of {len(body)} bytes")
        if body[0] == ANSWER:
            self.answers.add(body[1:9])
        else:
            self._send(Frame(PING, bytes([ANSWER]) + body[1:9]))
            self.pings_answered += 1

    def _on_close(self, frame: Frame) -> None:
        if not 2 <= len(frame.plaintext) <= 258:
            raise Violation("a CLOSE of the wrong length")
        self.close = int.from_bytes(frame.plaintext[:2], "big"), frame.plaintext[2:].decode()

    def _on_key_update(self, frame: Frame) -> None:
        if frame.plaintext:
            raise Violation("a KEY_UPDATE with content")
        if self.frames_received_under_key < FRAMES_BETWEEN_UPDATES:
            raise Violation(f"a KEY_UPDATE after {self.frames_received_under_key} frames")
        self.longest_key = max(self.longest_key, self.frames_received_under_key)
        self.frames_received_under_key = 0
        self.key_updates_received += 1

    def _on_window_update(self, frame: Frame) -> None:
        found = frames.read_varint(frame.plaintext)
        if found is None or found[1] != len(frame.plaintext):
            raise Violation("a WINDOW_UPDATE that is not one varint")
        self.window_updates += 1
        if frame.stream == 0:
            self.send_credit += found[0]
        elif frame.stream in self.streams:
            self.streams[frame.stream].send_credit += found[0]
        else:
            raise Violation(f"a WINDOW_UPDATE for stream {frame.stream}, which nobody opened")
