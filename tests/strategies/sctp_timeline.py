"""A textual timeline of two associations' packets: times, directions, chunks and their fields."""

from collections.abc import Iterator

from tests.strategies.sctp_pair import START, SctpPair
from trio_rtc.protocols.sctp.packet import chunks
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA, DATA_HEADER, END, UNORDERED
from trio_rtc.protocols.sctp.packet.parameters import Parameter
from trio_rtc.protocols.sctp.packet.reconfiguration import (
    OutgoingResetRequest,
    ReconfigurationResponse,
    parse_reconfiguration,
)


def describe_packet(packet: bytes) -> str:
    """Return a packet's chunks with the fields that the specification determines; without tags and cookies."""
    return ", ".join(_describe_chunks(packet))


def _describe_chunks(packet: bytes) -> Iterator[str]:
    offset = 12
    while offset < len(packet):
        if packet[offset] == DATA:
            _, flags, length, tsn, stream, ssn, _ = DATA_HEADER.unpack_from(packet, offset)
            marks = "U" * bool(flags & UNORDERED) + "B" * bool(flags & BEGIN) + "E" * bool(flags & END)
            yield f"DATA {tsn} {marks} {stream}/{ssn} {length - 16}"
            offset += (length + 3) & ~3
        else:
            chunk, offset = chunks.parse_chunk(packet, offset)
            yield _describe_control(chunk)


def _describe_control(chunk: chunks.Chunk) -> str:
    match chunk:
        case chunks.Init():
            name = "INIT ACK" if isinstance(chunk, chunks.InitAck) else "INIT"
            kinds = " ".join(f"{kind:x}" for kind, _ in chunk.parameters)
            window, tsn = chunk.advertised_receiver_window, chunk.initial_tsn
            return f"{name} {tsn} {window} {chunk.outbound_streams}/{chunk.inbound_streams} {kinds}"
        case chunks.Sack(tsn, window, gaps, duplicates):
            return (
                f"SACK {tsn} {window}"
                + "".join(f" +{first}-{last}" for first, last in gaps)
                + (f" twice {' '.join(map(str, duplicates))}" if duplicates else "")
            )
        case chunks.Abort(causes) | chunks.Error(causes):
            return f"{type(chunk).__name__.upper()} {' '.join(str(code) for code, _ in causes)}".rstrip()
        case chunks.Shutdown(tsn):
            return f"SHUTDOWN {tsn}"
        case chunks.ForwardTsn(tsn, skipped):
            return f"FORWARD-TSN {tsn}" + "".join(f" {stream}/{ssn}" for stream, ssn in skipped)
        case chunks.ReConfig(parameters):
            return "RE-CONFIG " + " ".join(map(_describe_reset, parameters))
        case chunks.UnknownChunk(kind):
            return f"{kind:#x}"
        case _:
            return _NAMES[type(chunk)]


def _describe_reset(parameter: Parameter) -> str:
    match parse_reconfiguration(parameter):
        case OutgoingResetRequest(request, response, tsn, streams):
            return f"request {request} after {response} from {tsn}: {' '.join(map(str, streams))}"
        case ReconfigurationResponse(sequence, result):
            return f"response {sequence}: {result}"
        case other:
            return f"{other}"


_NAMES = {
    chunks.Heartbeat: "HEARTBEAT",
    chunks.HeartbeatAck: "HEARTBEAT ACK",
    chunks.CookieEcho: "COOKIE ECHO",
    chunks.CookieAck: "COOKIE ACK",
    chunks.ShutdownAck: "SHUTDOWN ACK",
    chunks.ShutdownComplete: "SHUTDOWN COMPLETE",
}


class Timeline:
    """Records the packets that a pair sends from now on, lost ones included.

    A line is the time in milliseconds, ``>`` for the left side or ``<`` for the right one, and the chunks.
    """

    def __init__(self, pair: SctpPair) -> None:
        self._pair = pair
        self._lines: list[str] = []
        self._lost, pair.lost = pair.lost, self._record

    def new_lines(self) -> list[str]:
        """Return the lines since the last call."""
        lines, self._lines = self._lines, []
        return lines

    def _record(self, sender: int, packet: bytes) -> bool:
        lost = self._lost(sender, packet)
        milliseconds = round(1000 * (self._pair.now - START), 1)
        self._lines.append(f"{milliseconds:g} {'><'[sender]}{' lost' * lost} {describe_packet(packet)}")
        return lost
