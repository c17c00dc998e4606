"""TCP, TLS 1.3 and HTTP/2: what an onlooker and the decoy see (chapters 3 and 5)."""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from cryptography import x509
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from OpenSSL import SSL, crypto

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
STREAM_WINDOW = 6 * 1024 * 1024
CONNECTION_WINDOW = 15 * 1024 * 1024
FRAME_HEAD, GOAWAY = 9, 7


class Unreachable(Exception):
    """There is no TLS 1.3 and HTTP/2 connection with the host that was asked for."""


@dataclass(frozen=True)
class Place:
    """Where a relay is, and what vouches for its certificate at the time of the clock."""

    address: tuple[str, int]
    host: str
    certificates: str
    clock: Callable[[], float]


@dataclass(frozen=True)
class Cover:
    """What the pre-flight records, and the tunnel's connection must show again (O-6, O-7)."""

    alpn: bytes
    version: str
    cipher: str
    group: str
    leaf_key: str
    settings: tuple
    window: int


@dataclass
class Answer:
    """What came back on one HTTP/2 stream."""

    stream: int = 0
    status: int | None = None
    headers: list = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def like_a_page(self) -> tuple:
        """What must be the same for every visitor."""
        return self.status, [pair for pair in self.headers if pair[0] != "date"], bytes(self.body), self.reset


class Carriage:
    """One connection. Nothing happens in it except inside `wait`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.answers: dict[int, Answer] = {}
        self.unsent: dict[int, bytearray] = {}
        self.ending: set[int] = set()
        self.inbound = bytearray()
        self.settings: tuple | None = None
        self.window = 0
        self.goaway = self.closed = self.wrote = False
        self.http_pings = 0
        self.h2: H2Connection | None = None
        self.socket = socket.create_connection(place.address, timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = self._shake_hands()
        self._check_host()
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.local_settings = Settings(client=True, initial_values={
            SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(CONNECTION_WINDOW)
        self.wait(lambda: self.settings is not None, 20)
        if self.settings is None:
            raise Unreachable("no HTTP/2 SETTINGS came")

    # TLS

    def _shake_hands(self) -> SSL.Connection:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.load_verify_locations(self.place.certificates)
        store = context.get_cert_store()
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        store.set_time(datetime.fromtimestamp(self.place.clock(), timezone.utc))
        context.set_verify(SSL.VERIFY_PEER)
        context.set_alpn_protos([b"h2", b"http/1.1"])
        tls = SSL.Connection(context, None)
        tls.set_tlsext_host_name(self.place.host.encode())
        tls.set_connect_state()
        while True:
            try:
                tls.do_handshake()
                break
            except SSL.WantReadError:
                self._flush(tls)
                data = self.socket.recv(65536)
                if not data:
                    raise Unreachable("the connection ended in the TLS handshake") from None
                tls.bio_write(data)
        self._flush(tls)
        if tls.get_alpn_proto_negotiated() != b"h2":
            raise Unreachable("the host does not speak HTTP/2")
        return tls

    def _check_host(self) -> None:
        names = self._certificate().extensions.get_extension_for_class(x509.SubjectAlternativeName)
        if self.place.host not in names.value.get_values_for_type(x509.DNSName):
            raise Unreachable(f"the certificate is not for {self.place.host}")

    def _certificate(self) -> x509.Certificate:
        return self.tls.get_peer_certificate(as_cryptography=True)

    def exporter(self, label: bytes, context: bytes, length: int) -> bytes:
        return self.tls.export_keying_material(label, length, context)

    def shows(self, cover: Cover) -> bool:
        """Whether this connection turns out like that one; the frames that say so may still be on their way."""
        return self.wait(lambda: self.cover() == cover, 5)

    def cover(self) -> Cover:
        return Cover(
            self.tls.get_alpn_proto_negotiated(), self.tls.get_protocol_version_name(),
            self.tls.get_cipher_name(), self.tls.get_group_name(),
            type(self._certificate().public_key()).__name__, self.settings, self.window)

    # HTTP/2

    def request(self, method: str, path: str, headers: list = (), body: bytes = b"", *, end: bool = True) -> Answer:
        """Sends a request; without `end` its body stays open."""
        stream = self.h2.get_next_available_stream_id()
        answer = self.answers[stream] = Answer(stream)
        head = [(":method", method), (":authority", self.place.host), (":scheme", "https"), (":path", path),
                ("user-agent", USER_AGENT), ("accept", "*/*"), *headers]
        self.h2.send_headers(stream, head, end_stream=end and not body)
        if body:
            self.unsent[stream] = bytearray(body)
        if end and body:
            self.ending.add(stream)
        self._push()
        return answer

    def write(self, answer: Answer, data: bytes) -> None:
        self.unsent.setdefault(answer.stream, bytearray()).extend(data)

    def end(self, answer: Answer) -> None:
        self.unsent.setdefault(answer.stream, bytearray())
        self.ending.add(answer.stream)

    def finished(self, answer: Answer, seconds: float = 20) -> Answer:
        self.wait(lambda: answer.ended or answer.reset is not None, seconds)
        return answer

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Carries bytes both ways until something holds, the time is up or the connection is closed."""
        deadline = time.monotonic() + seconds
        while not until():
            self._push()
            left = deadline - time.monotonic()
            if left <= 0 or self.closed:
                return False
            if select.select([self.socket], [], [], left)[0]:
                self._read()
        self._push()
        return True

    def close(self) -> None:
        self.closed = True
        self.socket.close()

    def _read(self) -> None:
        try:
            data = self.socket.recv(262144)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return
        self.tls.bio_write(data)
        while True:
            try:
                plain = self.tls.recv(262144)
            except SSL.WantReadError:
                return
            except SSL.ZeroReturnError:
                self.closed = True
                return
            self.inbound += plain
            for frame in self._whole_frames():
                for event in self.h2.receive_data(frame):
                    self._on(event)

    def _whole_frames(self) -> list[bytes]:
        """What came, but for GOAWAY: the library takes nothing after one, though open streams go on."""
        frames, at = [], 0
        while at + FRAME_HEAD <= len(self.inbound):
            end = at + FRAME_HEAD + int.from_bytes(self.inbound[at:at + 3], "big")
            if end > len(self.inbound):
                break
            if self.inbound[at + 3] == GOAWAY:
                self.goaway = True
            else:
                frames.append(bytes(self.inbound[at:end]))
            at = end
        del self.inbound[:at]
        return frames

    def _on(self, event: events.Event) -> None:
        answer = self.answers.get(getattr(event, "stream_id", None))
        if isinstance(event, events.ResponseReceived):
            answer.headers = [(name, value) for name, value in event.headers if not name.startswith(":")]
            answer.status = int(dict(event.headers)[":status"])
        elif isinstance(event, events.DataReceived):
            answer.body += event.data
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            answer.ended = True
        elif isinstance(event, events.StreamReset):
            answer.reset = int(event.error_code)
        elif isinstance(event, events.RemoteSettingsChanged) and self.settings is None:
            self.settings = tuple((int(code), changed.new_value) for code, changed in event.changed_settings.items())
        elif isinstance(event, events.WindowUpdated) and event.stream_id == 0 and not self.wrote:
            self.window += event.delta
        elif isinstance(event, events.PingReceived):
            self.http_pings += 1

    def _push(self) -> None:
        """Hands over as much of the waiting bodies as HTTP flow control allows."""
        if self.closed:
            return
        try:
            for stream, data in list(self.unsent.items()):
                self._push_body(stream, data)
        except ProtocolError:
            # The other side ended the stream meanwhile; what waited is for nobody.
            self.unsent.clear()
        self._flush(self.tls)

    def _push_body(self, stream: int, data: bytearray) -> None:
        sent = 0
        while sent < len(data):
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room <= 0:
                break
            part = bytes(data[sent:sent + room])
            self.h2.send_data(stream, part)
            self.wrote = True
            sent += len(part)
        del data[:sent]
        if not data:
            del self.unsent[stream]
            if stream in self.ending:
                self.ending.discard(stream)
                self.h2.end_stream(stream)

    def _flush(self, tls: SSL.Connection) -> None:
        if self.h2 is not None:
            data = self.h2.data_to_send()
            for start in range(0, len(data), 16384):
                tls.sendall(data[start:start + 16384])
        while True:
            try:
                self.socket.sendall(tls.bio_read(65536))
            except SSL.WantReadError:
                return
            except OSError:
                self.closed = True
                return
