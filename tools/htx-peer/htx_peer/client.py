"""Visits a running relay and checks what it does, step by step."""

import argparse
import ipaddress
import json
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from . import inner, record, services, streams, ticket
from .carriage import Answer, Carriage, Place
from .session import FORM, Door, Failed, Session, expect, ticket_text

DESCRIPTION = """\
A second client for HTX: visits a relay as a plain visitor, with wrong tickets,
and by each ticket carrier, and checks what comes back. Exits with 0 if all of
it was as the specification says."""

KEY_BLOCK = 160
CHUNK, CHUNK_TAG = 16384, 16
KIB = 1024
DEPOSITS = [1280 * KIB, 1280 * KIB, 1024 * KIB, 1024 * KIB, 768 * KIB, 512 * KIB, 256 * KIB]
SMALL_FRAME = 4096
LARGE_WINDOWS = {"stream_window": 1024 * KIB, "window": 4096 * KIB}
# A relay answers this many that come at once and drops the rest, which the text leaves open.
PINGS_AT_ONCE = 16
STALL = 30


class Report:
    """One line per step."""

    def __init__(self, as_json: bool) -> None:
        self.as_json, self.failures, self.steps = as_json, 0, 0

    def step(self, name: str, action: Callable[[], str | None]) -> None:
        started = time.monotonic()
        try:
            detail, held = action() or "", True
        except Exception as error:
            detail, held = f"{type(error).__name__}: {error}", False
        self.steps += 1
        self.failures += not held
        self._print({"step": name, "ok": held, "seconds": round(time.monotonic() - started, 2), "detail": detail})
        if not held:
            raise Abandoned

    def end(self) -> None:
        if self.as_json:
            print(json.dumps({"event": "done", "ok": not self.failures, "steps": self.steps}), flush=True)
        else:
            print(f"{self.steps} steps, {self.failures} failed", flush=True)

    def _print(self, line: dict) -> None:
        if self.as_json:
            print(json.dumps({"event": "step", **line}), flush=True)
        else:
            mark = "ok    " if line["ok"] else "FAILED"
            print(f"{mark} {line['seconds']:6.2f} s  {line['step']}: {line['detail']}".rstrip(": "), flush=True)


class Abandoned(Exception):
    """A step failed, and what comes after it in the same session has no ground."""


class Visit:
    def __init__(self, options: argparse.Namespace, report: Report) -> None:
        self.options, self.report, self.step = options, report, report.step
        self.suite = options.suite
        offset = options.at - time.time() if options.at is not None else 0.0
        self.clock = lambda: time.time() + offset
        self.owner = services.Owner(Ed25519PrivateKey.generate(), secrets.token_bytes(16))
        self.used_ticket = ""
        self.envelopes: list[bytes] = []

    def run(self) -> None:
        try:
            self.step("record", self.read_record)
            self.step("pre-flight", self.pre_flight)
        except Abandoned:
            return
        sessions = {"cookie": self.mailbox_session, "query": self.large_windows_session, "body": self.short_session}
        for part in (self.wrong_tickets, *(lambda c=c: self.session(c, sessions[c]) for c in sessions),
                     self.used, self.silence):
            try:
                part()
            except Abandoned:
                continue

    def read_record(self) -> str:
        self.record = record.read(Path(self.options.record).read_bytes())
        expect("/betanet/htx/1.1.0" in self.record.protocols, f"protocols {self.record.protocols}")
        expect(self.record.expiry > self.clock(), f"the record expired at {self.record.expiry}")
        self.policy = ticket.Policy.read(self.record.policy)
        expect((self.policy.shortest, self.policy.longest) == (24, 64), f"policy {self.record.policy}")
        days = [key.day for key in self.record.ticket_keys]
        expect(days == list(range(days[0], days[0] + 14)), f"ticket keys for the days {days}")
        self.place = Place(self.options.address or address(self.record.addresses[0]), self.record.host,
                           self.options.ca, self.clock)
        return f"{self.record.peer_id.hex()} for {self.record.host}, {len(days)} ticket keys"

    def pre_flight(self) -> str:
        carriage = Carriage(self.place)
        answer = carriage.finished(carriage.request("GET", "/robots.txt"))
        expect(answer.status is not None, "no answer to GET /robots.txt")
        self.cover = carriage.cover()
        carriage.close()
        cover = self.cover
        return f"{answer.status}, {cover.version}, {cover.cipher}, {cover.group}, settings {list(cover.settings)}"

    # Without a tunnel

    def wrong_tickets(self) -> None:
        key = self.record.ticket_key(self.clock())
        now = self.clock()
        good = ticket.fresh(key.id, key.public, now)
        guess = bytearray(good)
        guess[73:105] = secrets.token_bytes(32)
        other = ticket.fresh(secrets.token_bytes(8), key.public, now)
        low_order = good[:1] + bytes(32) + good[33:]
        payloads = {
            "guessed": bytes(guess), "for another key": other, "two hours old": ticket.fresh(key.id, key.public, now - 7200),
            "two hours early": ticket.fresh(key.id, key.public, now + 7200), "of version 2": b"\x02" + good[1:],
            "with a low-order key": low_order, "padded with 23": ticket.fresh(key.id, key.public, now, 23),
            "padded with 65": ticket.fresh(key.id, key.public, now, 65)}
        texts = {name: ticket.base64url(data) for name, data in payloads.items()} | {"not base64": "?" * 200}
        self.step("wrong tickets", lambda: self.like_a_visitor(texts))
        self.step("wrong ticket, body left open", lambda: self.open_like_a_visitor(texts["guessed"]))

    def like_a_visitor(self, texts: dict) -> str:
        carriage = Carriage(self.place)
        visitor = {carrier: carriage.finished(self.post(carriage, carrier, None)) for carrier in self.policy.carriers}
        expect(all(answer.status is not None for answer in visitor.values()), "a visitor's POST got no answer")
        for name, text in texts.items():
            for carrier, seen in visitor.items():
                answer = carriage.finished(self.post(carriage, carrier, text))
                expect(answer.like_a_page() == seen.like_a_page(),
                       f"a ticket {name} ({carrier}) gets {answer.like_a_page()}, a visitor {seen.like_a_page()}")
        carriage.close()
        return f"{len(texts)} by {len(visitor)} carriers get what a visitor gets: {visitor['cookie'].status}"

    def post(self, carriage: Carriage, carrier: str, text: str | None) -> Answer:
        """A whole POST to the tunnel path; a visitor's has another cookie, another query, another form."""
        path, headers = self.record.path, [("content-type", self.record.content_type)]
        if carrier == "body":
            body = f"bn1={text}" if text else "name=ada"
            return carriage.request("POST", path, [("content-type", FORM)], body.encode())
        if carrier == "query":
            path += f"?bn1={text}" if text else "?page=2"
        else:
            headers.append(("cookie", f"{self.record.cookie}={text}" if text else "theme=dark"))
        return carriage.request("POST", path, headers)

    def open_like_a_visitor(self, text: str) -> str:
        answers = []
        for cookie in ("theme=dark", f"{self.record.cookie}={text}"):
            carriage = Carriage(self.place)
            headers = [("content-type", self.record.content_type), ("cookie", cookie)]
            answer = carriage.request("POST", self.record.path, headers, secrets.token_bytes(64), end=False)
            # RST_STREAM may follow the whole answer, to say that the rest of the body is not wanted.
            carriage.wait(lambda answer=answer: answer.reset is not None, 3)
            answers.append((answer.like_a_page(), answer.ended, carriage.closed))
            carriage.close()
        expect(answers[0] == answers[1], f"a visitor sees {answers[0]}, a wrong ticket {answers[1]}")
        return f"both see status {answers[0][0][0]}, ended {answers[0][1]}"

    def used(self) -> None:
        if self.used_ticket:
            self.step("a used ticket", lambda: self.like_a_visitor({"used": self.used_ticket}))

    # With a tunnel

    def session(self, carrier: str, steps: Callable[[str], None]) -> None:
        self.current: Session | None = None
        try:
            steps(carrier)
        finally:
            if self.current is not None:
                self.current.carriage.close()

    def tunnel(self, carrier: str, *, patient: bool, **options) -> str:
        text = ticket_text(self.record, self.clock())
        door = Door(self.place, self.record, self.cover, carrier, text)
        self.current = Session(door, self.suite, patient=patient, **options)
        self.used_ticket = text
        return f"suite 0x{self.suite:02x}, ticket by {carrier}"

    def mailbox_session(self, carrier: str) -> None:
        """Windows of 65535 bytes, and frames small enough that a key sees more than 1000 of them."""
        self.step("tunnel", lambda: self.tunnel(carrier, patient=True, frame_size=SMALL_FRAME))
        self.step("ECHO", self.echo)
        self.step("RECORD", self.fetch_record)
        self.step("CREATE", lambda: self.empty(self.current.ok(self.owner.create(self.current.ekm))))
        self.step("DEPOSIT", self.deposit)
        self.step("refusals", self.refusals)
        self.step("KEY_UPDATE of ours", self.update_key)
        self.step("FETCH", self.fetch_all)
        self.step("ACK, FETCH", self.acknowledge)
        self.step("PING", self.ping)
        self.step("CLOSE", self.say_close)

    def large_windows_session(self, carrier: str) -> None:
        self.step("tunnel", lambda: self.tunnel(carrier, patient=False, **LARGE_WINDOWS))
        self.step("DEPOSIT, large windows", self.deposit)
        self.step("a stalled stream", self.stalled)
        self.step("FETCH, large windows", self.fetch_all)
        self.step("ACK, FETCH", self.acknowledge)
        self.step("KEY_UPDATE of the relay", self.updated_key)
        self.step("CLOSE", self.say_close)

    def short_session(self, carrier: str) -> None:
        self.step("tunnel", lambda: self.tunnel(carrier, patient=True))
        self.step("ECHO", self.echo)
        self.step("a frame that was changed", self.changed_frame)

    def echo(self) -> str:
        said = [secrets.token_bytes(8) for _ in range(5)]
        asked = [self.current.begin(services.request(services.ECHO, text)) for text in said]
        answers = [self.current.result(stream) for stream in asked]
        expect(answers == [(services.OK, [text]) for text in said], f"{answers} to {said}")
        return f"{len(said)} at once"

    def fetch_record(self) -> str:
        for fields in ((), (self.record.peer_id,)):
            results = self.current.ok(services.request(services.RECORD, *fields))
            expect(results == [self.record.encoded], f"the relay's record is not that of the file: {results}")
        return f"{len(self.record.encoded)} bytes, as in the file"

    def empty(self, results: list) -> None:
        expect(results == [], f"results where none belong: {results}")

    def deposit(self) -> str:
        self.envelopes = [envelope(size) for size in DEPOSITS]
        tunnel, waited = self.current.tunnel, self.current.tunnel.waited_for_credit
        asked = [self.current.begin(self.deposit_request(one)) for one in self.envelopes]
        answers = [self.current.result(stream) for stream in asked]
        expect(all(answer == (services.OK, []) for answer in answers), f"answers {answers}")
        expect(tunnel.waited_for_credit > waited, "no stream ever waited for credit")
        total = sum(map(len, self.envelopes))
        return f"{len(asked)} at once, {total} bytes, {tunnel.window_updates} WINDOW_UPDATE so far"

    def deposit_request(self, one: bytes) -> bytes:
        return services.request(services.DEPOSIT, self.owner.address, self.owner.token, one)

    def refusals(self) -> str:
        one, nobody = envelope(KIB), secrets.token_bytes(32)
        answers = [
            self.current.ask(services.request(services.DEPOSIT, self.owner.address, secrets.token_bytes(16), one)),
            self.current.ask(services.request(services.DEPOSIT, nobody, self.owner.token, one))]
        expect(answers == [(services.REFUSED, [])] * 2, f"wrong token, unknown address: {answers}")
        status, _ = self.current.ask(self.owner.fetch(secrets.token_bytes(32), 0))
        expect(status == services.REFUSED, f"a signature for another connection: {status}")
        status, _ = self.current.ask(b"\0\0\0\1\xff")
        expect(status == services.MALFORMED, f"what is not CBOR: {status}")
        return "wrong token and unknown address alike; another connection's signature; what is not CBOR"

    def update_key(self) -> str:
        tunnel = self.current.tunnel
        sent = tunnel.sending.counter
        expect(sent >= 1000, f"only {sent} frames were sent so far")
        tunnel.update_key()
        self.echo()
        return f"after {sent} frames; what followed was understood"

    def fetch_all(self) -> str:
        found, cursor, answers = [], 0, 0
        while True:
            batch, cursor = self.current.ok(self.owner.fetch(self.current.ekm, cursor))
            answers += 1
            if not batch:
                break
            found += batch
        self.ids = [number for number, _ in found]
        got, expected = sorted(bytes(one) for _, one in found), sorted(self.envelopes)
        expect(got == expected, f"{len(got)} envelopes of {list(map(len, got))} bytes came back")
        return f"{len(found)} envelopes, {sum(map(len, got))} bytes, in {answers} answers, every byte as sent"

    def acknowledge(self) -> str:
        self.empty(self.current.ok(self.owner.ack(self.current.ekm, self.ids)))
        batch, _ = self.current.ok(self.owner.fetch(self.current.ekm, 0))
        expect(batch == [], f"{len(batch)} envelopes after ACK")
        return "nothing is left"

    def stalled(self) -> str:
        """A FETCH whose answer is not read stops at its window; the others go on, and later so does it."""
        stream = self.current.tunnel.open(streams.WINDOW)
        stream.held = True
        stream.write(self.owner.fetch(self.current.ekm, 0))
        stream.end()
        self.current.wait(lambda: len(stream.received) >= stream.window, "a whole window")
        self.echo()
        time.sleep(0.3)
        self.echo()
        got = len(stream.received)
        expect(got == stream.window, f"{got} bytes came for a window of {stream.window}")
        stream.held = False
        self.current.tunnel.consume(stream)
        status, (batch, _) = self.current.result(stream)
        expect(status == services.OK and bytes(batch[0][1]) in self.envelopes, f"status {status}")
        return f"stopped at {got} bytes, others went on, then it did"

    def ping(self) -> str:
        started = time.monotonic()
        tokens = {self.current.tunnel.ping(padding) for padding in (0, 1, 3072)}
        self.current.wait(lambda: tokens <= self.current.tunnel.answers, "the answers to PING", 5)
        answered = self.current.tunnel.pings_answered
        return f"3 answered within {time.monotonic() - started:.2f} s; {answered} of the relay's so far"

    def updated_key(self) -> str:
        """PINGs make the relay send frames until its key has served 2^16 of them, and so has ours."""
        tunnel, asked = self.current.tunnel, 0
        while not (tunnel.key_updates_received and tunnel.key_updates_sent) and asked <= 1 << 16:
            tokens = {tunnel.ping() for _ in range(PINGS_AT_ONCE)}
            asked += len(tokens)
            self.current.wait(lambda: tokens <= tunnel.answers, f"the answers to PING, {asked} asked")
            tunnel.answers.clear()
        self.echo()
        expect(tunnel.key_updates_received == 1, f"no KEY_UPDATE after {tunnel.frames_received_under_key} frames")
        expect(tunnel.longest_key <= 1 << 16, f"a key for {tunnel.longest_key} frames")
        expect(tunnel.key_updates_sent == 1, f"ours changed {tunnel.key_updates_sent} times")
        return f"after {tunnel.longest_key} frames of its key, and ours after as many of ours"

    def say_close(self) -> str:
        """Says CLOSE, and then what it must not: the answer to that would be a fault."""
        tunnel, door = self.current.tunnel, self.current.door
        tunnel.say_close()
        late = tunnel.ping()
        self.current.carriage.write(self.current.answer, tunnel.take())
        self.current.carriage.end(self.current.answer)
        self.current.wait(lambda: self.current.answer.ended, "END_STREAM after CLOSE", 10)
        expect(tunnel.close in (None, (0, "")), f"the relay closed with {tunnel.close}")
        expect(late not in tunnel.answers, "a PING after CLOSE was answered")
        said = "CLOSE, " if tunnel.close else "no CLOSE, "
        self.current.carriage.wait(lambda: self.current.carriage.closed, 10)
        expect(self.current.carriage.goaway, f"no GOAWAY: {door.how_it_ended()}")
        return said + door.how_it_ended()

    def changed_frame(self) -> str:
        tunnel = self.current.tunnel
        tunnel.ping()
        frame = bytearray(tunnel.take())
        frame[-1] ^= 1
        after = tunnel.ping()
        self.current.carriage.write(self.current.answer, bytes(frame))
        self.current.wait(self.current.door.ended, "the end of the tunnel", STALL)
        expect(after not in tunnel.answers, "the tunnel went on")
        return f"{self.current.door.how_it_ended()}, close {tunnel.close}"

    # Handshakes that must fail

    def silence(self) -> None:
        self.step("garbage for messages 1 and 3", self.garbage)

    def garbage(self) -> str:
        doors = {}
        for name in ("1", "3"):
            doors[name] = Door(self.place, self.record, self.cover, "cookie", ticket_text(self.record, self.clock()))
            doors[name].accepted()
        noise = secrets.token_bytes(inner.MESSAGE_SIZES[self.suite][0])
        doors["1"].carriage.write(doors["1"].answer, bytes([self.suite]) + inner.length_prefixed(noise))
        handshake = doors["3"].start(self.suite)
        last = bytearray(handshake.last(doors["3"].second()))
        last[5] ^= 1
        doors["3"].send_last(bytes(last))
        ends = []
        for name, door in doors.items():
            started = time.monotonic()
            door.carriage.wait(door.ended, STALL)
            expect(door.ended(), f"still open {STALL} s after a wrong message {name}")
            expect(not door.answer.body, f"{len(door.answer.body)} bytes in answer to a wrong message {name}")
            door.carriage.wait(lambda door=door: door.carriage.closed, 1)
            ends.append(f"{name}: nothing for {time.monotonic() - started:.1f} s more, then {door.how_it_ended()}")
            door.carriage.close()
        return "; ".join(ends)


def envelope(padded: int) -> bytes:
    """Random, but of the size and first bytes of a sealed envelope (16.1)."""
    chunks = -(-padded // CHUNK)
    return b"\x01\x00" + secrets.token_bytes(KEY_BLOCK + padded + chunks * CHUNK_TAG)


def address(text: str | bytes) -> tuple[str, int]:
    """`IP:PORT`, or the bytes of both as a record has them."""
    if isinstance(text, bytes):
        return str(ipaddress.ip_address(text[:-2])), int.from_bytes(text[-2:], "big")
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def main() -> int:
    parser = argparse.ArgumentParser(prog="htx_peer", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", required=True, metavar="FILE", help="the relay's signed node record")
    parser.add_argument("--ca", required=True, metavar="CERT.pem", help="certificates to trust, and no others")
    parser.add_argument("--suite", type=int, choices=(1, 2), default=2, help="1: XK, 2: hybrid (default)")
    parser.add_argument("--address", type=address, metavar="IP:PORT", help="instead of the record's first")
    parser.add_argument("--at", type=float, metavar="SECONDS", help="take this Unix time for now")
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()
    report = Report(options.json)
    Visit(options, report).run()
    report.end()
    return 1 if report.failures else 0
