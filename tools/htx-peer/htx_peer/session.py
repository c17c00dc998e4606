"""A tunnel over its carriage: ticket, handshake, requests (chapters 5, 6 and 16.2)."""

from collections.abc import Callable

from . import inner, services, ticket
from .carriage import Answer, Carriage, Cover, Place
from .record import NodeRecord
from .streams import Stream, Tunnel

FORM = "application/x-www-form-urlencoded"
SESSION_COOKIE = 22
PATIENCE = 60


class Failed(Exception):
    """What was expected did not happen."""


def expect(held: bool, what: str) -> None:
    if not held:
        raise Failed(what)


class Door:
    """A connection whose POST to the tunnel path is open and carries a ticket. Nothing inner was sent yet."""

    def __init__(self, place: Place, record: NodeRecord, cover: Cover, carrier: str, pass_text: str) -> None:
        self.record = record
        self.carriage = Carriage(place)
        try:
            expect(self.carriage.shows(cover), f"L2_ORIGIN_MISMATCH: {self.carriage.cover()} instead of {cover}")
            path, headers = record.path, [("content-type", record.content_type)]
            if carrier == "query":
                path += f"?bn1={pass_text}"
            else:
                value = pass_text if carrier == "cookie" else self._session_cookie(pass_text)
                headers.append(("cookie", f"{record.cookie}={value}"))
            self.answer = self.carriage.request("POST", path, headers, end=False)
        except BaseException:
            self.carriage.close()
            raise

    def _session_cookie(self, pass_text: str) -> str:
        answer = self.carriage.request("POST", self.record.path, [("content-type", FORM)], f"bn1={pass_text}".encode())
        self.carriage.finished(answer)
        prefix = self.record.cookie + "="
        for name, value in answer.headers:
            if name == "set-cookie" and value.startswith(prefix):
                value = value.split(";")[0].removeprefix(prefix)
                expect(len(value) == SESSION_COOKIE, f"a session cookie of {len(value)} characters")
                return value
        raise Failed(f"no session cookie in the answer {answer.status} {answer.headers}")

    def accepted(self) -> None:
        self.carriage.wait(lambda: self.answer.status is not None, PATIENCE)
        expect(self.answer.status == 200, f"the tunnel was answered with {self.answer.status}")
        kind = self.answer.header("content-type")
        expect(kind == self.record.content_type, f"the tunnel's content type is {kind}")

    def start(self, suite: int) -> inner.Initiator:
        """Sends the suite and message 1."""
        ekm = self.carriage.exporter(inner.EXPORTER_LABEL, inner.WIRE, 32)
        handshake = inner.Initiator(suite, self.record.static, self.record.host, ekm)
        self.carriage.write(self.answer, bytes([suite]) + inner.length_prefixed(handshake.first()))
        return handshake

    def second(self) -> bytes:
        """Waits for message 2."""
        body = self.answer.body

        def whole() -> bool:
            return len(body) >= 2 and len(body) >= 2 + int.from_bytes(body[:2], "big")

        self.carriage.wait(lambda: whole() or self.ended(), PATIENCE)
        expect(whole(), f"message 2 did not come: status {self.answer.status}, {len(body)} bytes, {self.how_it_ended()}")
        end = 2 + int.from_bytes(body[:2], "big")
        message = bytes(body[2:end])
        del body[:end]
        return message

    def send_last(self, message: bytes) -> None:
        self.carriage.write(self.answer, inner.length_prefixed(message))

    def ended(self) -> bool:
        return self.answer.ended or self.answer.reset is not None or self.carriage.closed

    def how_it_ended(self) -> str:
        ways = {"END_STREAM": self.answer.ended, f"RST_STREAM {self.answer.reset}": self.answer.reset is not None,
                "GOAWAY": self.carriage.goaway, "connection closed": self.carriage.closed}
        return ", ".join(way for way, held in ways.items() if held) or "still open"


def ticket_text(record: NodeRecord, now: float) -> str:
    key = record.ticket_key(now)
    return ticket.base64url(ticket.fresh(key.id, key.public, now))


class Session:
    """A tunnel whose handshake is done."""

    def __init__(self, door: Door, suite: int, *, patient: bool, **options) -> None:
        self.door, self.carriage, self.answer = door, door.carriage, door.answer
        if patient:
            door.accepted()
        handshake = door.start(suite)
        last = handshake.last(door.second())
        door.accepted()
        door.send_last(last)
        self.ekm = handshake.ekm
        self.tunnel = Tunnel(*handshake.directions(), **options)

    def wait(self, until: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        done = self.carriage.wait(lambda: self._carry() or until(), seconds)
        expect(done, f"{what}: not within {seconds} s, {self.door.how_it_ended()}, close {self.tunnel.close}")

    def _carry(self) -> None:
        data = bytes(self.answer.body)
        self.answer.body.clear()
        self.tunnel.receive(data)
        if out := self.tunnel.take():
            self.carriage.write(self.answer, out)

    def begin(self, request: bytes) -> Stream:
        stream = self.tunnel.open()
        stream.write(request)
        stream.end()
        return stream

    def result(self, stream: Stream) -> tuple[int, list]:
        self.wait(lambda: stream.end_received, f"the answer on stream {stream.number}")
        return services.answer(bytes(stream.received))

    def ask(self, request: bytes) -> tuple[int, list]:
        return self.result(self.begin(request))

    def ok(self, request: bytes) -> list:
        status, results = self.ask(request)
        expect(status == services.OK, f"status {status} instead of OK")
        return results
