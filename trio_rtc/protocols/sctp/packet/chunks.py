"""The control chunks of SCTP as value classes, each with its codec; for DATA see :mod:`.data`.

RFC 9260 section 3.3, RFC 3758 section 3.2 (FORWARD-TSN) and RFC 6525 section 3.1 (RE-CONFIG).
A chunk is encoded with padding to four bytes, and parsed from its flags and its value.
"""

import struct
from collections.abc import Callable
from typing import ClassVar, Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .data import PADDING
from .parameters import HEARTBEAT_INFO, STATE_COOKIE, Parameter, encode_parameters, parse_parameters

_HEADER: Final = struct.Struct(">BBH")
_INIT: Final = struct.Struct(">IIHHI")
_SACK: Final = struct.Struct(">IIHH")
_TSN: Final = struct.Struct(">I")
_SKIPPED: Final = struct.Struct(">HH")
# The T bit of ABORT and SHUTDOWN COMPLETE: the verification tag is reflected (section 8.5.1).
_T_BIT: Final = 1


def encode_chunk(kind: int, flags: int, value: bytes) -> bytes:
    """Return a chunk with its header, padded to four bytes."""
    length = 4 + len(value)
    return _HEADER.pack(kind, flags, length) + value + PADDING[length & 3]


@attrs.frozen
class Init:
    """INIT, section 3.3.2; INIT ACK has the same fields."""

    kind: ClassVar[int] = 1
    initiate_tag: int
    advertised_receiver_window: int
    outbound_streams: int
    inbound_streams: int
    initial_tsn: int
    parameters: tuple[Parameter, ...] = ()

    def encode(self) -> bytes:
        value = _INIT.pack(
            self.initiate_tag,
            self.advertised_receiver_window,
            self.outbound_streams,
            self.inbound_streams,
            self.initial_tsn,
        )
        return encode_chunk(self.kind, 0, value + encode_parameters(self.parameters))

    def parameter(self, kind: int) -> bytes | None:
        """Return the value of the first parameter of a type, None if there is none."""
        return next((value for code, value in self.parameters if code == kind), None)


@attrs.frozen
class InitAck(Init):
    """INIT ACK, section 3.3.3: an INIT with a state cookie."""

    kind: ClassVar[int] = 2

    @property
    def cookie(self) -> bytes | None:
        """The state cookie, which is mandatory; None if it is missing."""
        return self.parameter(STATE_COOKIE)


@attrs.frozen
class Sack:
    """SACK, section 3.3.4. Gap ack blocks are inclusive ranges of offsets from the cumulative TSN."""

    kind: ClassVar[int] = 3
    cumulative_tsn: int
    advertised_receiver_window: int
    gap_blocks: tuple[tuple[int, int], ...] = ()
    duplicate_tsns: tuple[int, ...] = ()

    def encode(self) -> bytes:
        gaps, duplicates = self.gap_blocks, self.duplicate_tsns
        head = _SACK.pack(self.cumulative_tsn, self.advertised_receiver_window, len(gaps), len(duplicates))
        if not gaps and not duplicates:
            return b"\x03\x00\x00\x10" + head
        blocks = struct.pack(f">{2 * len(gaps)}H", *[edge for block in gaps for edge in block])
        return encode_chunk(self.kind, 0, head + blocks + struct.pack(f">{len(duplicates)}I", *duplicates))


@attrs.frozen
class Heartbeat:
    """HEARTBEAT, section 3.3.5; HEARTBEAT ACK returns ``info`` unchanged."""

    kind: ClassVar[int] = 4
    info: bytes

    def encode(self) -> bytes:
        return encode_chunk(self.kind, 0, encode_parameters([Parameter(HEARTBEAT_INFO, self.info)]))


@attrs.frozen
class HeartbeatAck(Heartbeat):
    """HEARTBEAT ACK, section 3.3.6."""

    kind: ClassVar[int] = 5


@attrs.frozen
class Abort:
    """ABORT, section 3.3.7. ``reflected`` is the T bit: the verification tag is the peer's own."""

    kind: ClassVar[int] = 6
    causes: tuple[Parameter, ...] = ()
    reflected: bool = False

    def encode(self) -> bytes:
        return encode_chunk(self.kind, _T_BIT if self.reflected else 0, encode_parameters(self.causes))


@attrs.frozen
class Shutdown:
    """SHUTDOWN, section 3.3.8."""

    kind: ClassVar[int] = 7
    cumulative_tsn: int

    def encode(self) -> bytes:
        return encode_chunk(self.kind, 0, _TSN.pack(self.cumulative_tsn))


@attrs.frozen
class ShutdownAck:
    """SHUTDOWN ACK, section 3.3.9."""

    kind: ClassVar[int] = 8

    def encode(self) -> bytes:
        return encode_chunk(self.kind, 0, b"")


@attrs.frozen
class Error:
    """ERROR, section 3.3.10: reports error causes; the association continues."""

    kind: ClassVar[int] = 9
    causes: tuple[Parameter, ...] = ()

    def encode(self) -> bytes:
        return encode_chunk(self.kind, 0, encode_parameters(self.causes))


@attrs.frozen
class CookieEcho:
    """COOKIE ECHO, section 3.3.11."""

    kind: ClassVar[int] = 10
    cookie: bytes

    def encode(self) -> bytes:
        return encode_chunk(self.kind, 0, self.cookie)


@attrs.frozen
class CookieAck:
    """COOKIE ACK, section 3.3.12."""

    kind: ClassVar[int] = 11

    def encode(self) -> bytes:
        return encode_chunk(self.kind, 0, b"")


@attrs.frozen
class ShutdownComplete:
    """SHUTDOWN COMPLETE, section 3.3.13. ``reflected`` is the T bit."""

    kind: ClassVar[int] = 14
    reflected: bool = False

    def encode(self) -> bytes:
        return encode_chunk(self.kind, _T_BIT if self.reflected else 0, b"")


@attrs.frozen
class ReConfig:
    """RE-CONFIG, RFC 6525 section 3.1: one or two parameters."""

    kind: ClassVar[int] = 130
    parameters: tuple[Parameter, ...]

    def encode(self) -> bytes:
        return encode_chunk(self.kind, 0, encode_parameters(self.parameters))


@attrs.frozen
class ForwardTsn:
    """FORWARD-TSN, RFC 3758 section 3.2: ``skipped`` has pairs of a stream and its highest skipped SSN."""

    kind: ClassVar[int] = 192
    new_cumulative_tsn: int
    skipped: tuple[tuple[int, int], ...] = ()

    def encode(self) -> bytes:
        skipped = b"".join([_SKIPPED.pack(stream_id, ssn) for stream_id, ssn in self.skipped])
        return encode_chunk(self.kind, 0, _TSN.pack(self.new_cumulative_tsn) + skipped)


@attrs.frozen
class UnknownChunk:
    """A chunk of an unknown type, whose two high bits determine the handling (section 3.2)."""

    kind: int
    flags: int
    value: bytes

    def encode(self) -> bytes:
        return encode_chunk(self.kind, self.flags, self.value)

    @property
    def stops_processing(self) -> bool:
        """Whether the rest of the packet must be discarded."""
        return not self.kind & 0x80

    @property
    def is_reported(self) -> bool:
        """Whether it must be reported to its sender in an ERROR chunk."""
        return bool(self.kind & 0x40)


TransferChunk = Sack | Heartbeat | HeartbeatAck | ReConfig | ForwardTsn
"""Control chunks that require an established association."""
LifecycleChunk = (
    Init | InitAck | CookieEcho | CookieAck | Abort | Error | Shutdown | ShutdownAck | ShutdownComplete
)
"""Chunks of establishment, end and errors of an association."""
Chunk = TransferChunk | LifecycleChunk | UnknownChunk


def _init_fields(value: bytes) -> tuple[int, int, int, int, int, tuple[Parameter, ...]]:
    if len(value) < _INIT.size:
        raise ProtocolError(f"INIT with {len(value)} bytes")
    tag, window, outbound, inbound, tsn = _INIT.unpack_from(value)
    return tag, window, outbound, inbound, tsn, tuple(parse_parameters(value[_INIT.size :]))


def _parse_sack(flags: int, value: bytes) -> Sack:
    if len(value) < _SACK.size:
        raise ProtocolError(f"SACK with {len(value)} bytes")
    cumulative_tsn, window, gap_count, duplicate_count = _SACK.unpack_from(value)
    if not gap_count and not duplicate_count:
        return Sack(cumulative_tsn, window)
    if len(value) < _SACK.size + 4 * (gap_count + duplicate_count):
        raise ProtocolError(f"SACK with {gap_count} gaps, {duplicate_count} duplicates, {len(value)} bytes")
    edges = struct.unpack_from(f">{2 * gap_count}H", value, _SACK.size)
    duplicates = struct.unpack_from(f">{duplicate_count}I", value, _SACK.size + 4 * gap_count)
    blocks = tuple(zip(edges[::2], edges[1::2], strict=True))
    previous_end = 0
    for start, end in blocks:
        # Gap ack blocks must be sorted and disjoint.
        if not previous_end < start <= end:
            raise ProtocolError(f"SACK with gap ack block {start} to {end} after {previous_end}")
        previous_end = end
    return Sack(cumulative_tsn, window, blocks, duplicates)


def _heartbeat_info(value: bytes) -> bytes:
    parameters = parse_parameters(value)
    if len(parameters) != 1 or parameters[0].kind != HEARTBEAT_INFO:
        raise ProtocolError("HEARTBEAT without Heartbeat Info")
    return parameters[0].value


def _parse_tsn(value: bytes, name: str) -> int:
    if len(value) != _TSN.size:
        raise ProtocolError(f"{name} with {len(value)} bytes")
    return int(_TSN.unpack(value)[0])


def _parse_reconfig(flags: int, value: bytes) -> ReConfig:
    parameters = tuple(parse_parameters(value))
    if not 1 <= len(parameters) <= 2:
        raise ProtocolError(f"RE-CONFIG with {len(parameters)} parameters")
    return ReConfig(parameters)


def _parse_forward_tsn(flags: int, value: bytes) -> ForwardTsn:
    if len(value) < _TSN.size or len(value) % 4:
        raise ProtocolError(f"FORWARD-TSN with {len(value)} bytes")
    return ForwardTsn(_TSN.unpack_from(value)[0], tuple(_SKIPPED.iter_unpack(value[4:])))


_PARSERS: Final[dict[int, Callable[[int, bytes], Chunk]]] = {
    Init.kind: lambda flags, value: Init(*_init_fields(value)),
    InitAck.kind: lambda flags, value: InitAck(*_init_fields(value)),
    Sack.kind: _parse_sack,
    Heartbeat.kind: lambda flags, value: Heartbeat(_heartbeat_info(value)),
    HeartbeatAck.kind: lambda flags, value: HeartbeatAck(_heartbeat_info(value)),
    Abort.kind: lambda flags, value: Abort(tuple(parse_parameters(value)), bool(flags & _T_BIT)),
    Shutdown.kind: lambda flags, value: Shutdown(_parse_tsn(value, "SHUTDOWN")),
    ShutdownAck.kind: lambda flags, value: ShutdownAck(),
    Error.kind: lambda flags, value: Error(tuple(parse_parameters(value))),
    CookieEcho.kind: lambda flags, value: CookieEcho(value),
    CookieAck.kind: lambda flags, value: CookieAck(),
    ShutdownComplete.kind: lambda flags, value: ShutdownComplete(bool(flags & _T_BIT)),
    ReConfig.kind: _parse_reconfig,
    ForwardTsn.kind: _parse_forward_tsn,
}


def parse_chunk(packet: bytes, offset: int) -> tuple[Chunk, int]:
    """Parse the control chunk at ``offset``; return it and the offset of the next one."""
    end = len(packet)
    if end - offset < _HEADER.size:
        raise ProtocolError(f"{end - offset} bytes after the last chunk")
    kind, flags, length = _HEADER.unpack_from(packet, offset)
    if length < _HEADER.size or offset + length > end:
        raise ProtocolError(f"chunk {kind} of length {length}, {end - offset} bytes left")
    value = packet[offset + _HEADER.size : offset + length]
    parse = _PARSERS.get(kind)
    chunk = UnknownChunk(kind, flags, value) if parse is None else parse(flags, value)
    return chunk, offset + ((length + 3) & ~3)
