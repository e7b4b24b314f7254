"""SCTP and data channels: packets of a peer that has passed DTLS, with as much state as it can have built up before."""

import struct
from collections.abc import Callable, Iterable

import attrs

from benchmarks.hostile.measure import Case, Source
from tests.strategies.sctp_pair import COOKIE_ECHO, INIT_ACK, START, SctpPair, chunk_kinds
from trio_rtc.protocols.datachannel import (
    PPID_DCEP,
    ChannelControl,
    ChannelParameters,
    ControlMessage,
    StreamResetRequested,
)
from trio_rtc.protocols.datachannel.messages import encode_open
from trio_rtc.protocols.sctp import (
    Association,
    IncomingStreamsReset,
    MessagesAvailable,
    OutgoingStreamsReset,
    SctpOptions,
)
from trio_rtc.protocols.sctp.packet.chunks import (
    Error,
    ForwardTsn,
    Heartbeat,
    Init,
    InitAck,
    ReConfig,
    Sack,
    parse_chunk,
)
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END, UNORDERED
from trio_rtc.protocols.sctp.packet.header import add_checksum
from trio_rtc.protocols.sctp.packet.parameters import Parameter
from trio_rtc.protocols.sctp.packet.reconfiguration import OutgoingResetRequest

from .sizes import MAX_PACKET, doubling

_WHOLE = BEGIN | END
_OPTIONS = SctpOptions(initial_tsn=1, max_congestion_window=1 << 30, initial_window_packets=40_000)
_MAX_GAPS = 32_000
_MAX_OUTSTANDING = 8192
_MAX_CHANNELS = 16_368


class _Victim:
    """An association with a peer whose every packet is written here."""

    def __init__(self) -> None:
        self._pair = pair = SctpPair(_OPTIONS).connect()
        self.association: Association = pair.right.association
        self.now = pair.now
        echo = next(packet for sender, packet in pair.wire if sender == 0 and packet[12] == COOKIE_ECHO)
        self._header = echo[:8]
        self.control = ChannelControl()
        self.control.set_role(is_dtls_client=False)
        self.control.association_established(65535)
        self.control.events()

    def packet(self, *chunks: bytes) -> bytes:
        return add_checksum(self._header + bytes(4) + b"".join(chunks))

    def attack(self, *chunks: bytes) -> Callable[[], object]:
        """Return the call that takes a packet of chunks and does everything that follows at once."""
        packet = self.packet(*chunks)
        return lambda: self.take([packet])

    def take(self, packets: Iterable[bytes]) -> None:
        """Do what the transport does with a batch of packets."""
        self.association.receive(list(packets), self.now)
        self.flush()

    def flush(self) -> None:
        self.association.datagrams_to_send(self.now)
        for event in self.association.events():
            match event:
                case MessagesAvailable(stream_ids):
                    self._receive_control(stream_ids)
                case IncomingStreamsReset(stream_ids):
                    self.control.incoming_streams_reset(stream_ids)
                case OutgoingStreamsReset(stream_ids):
                    self.control.outgoing_streams_reset(stream_ids)
                case _:
                    pass
        for message in self.control.datagrams_to_send(self.now):
            self.association.send(message.stream_id, PPID_DCEP, message.data, self.now)
        for channel_event in self.control.events():
            if isinstance(channel_event, StreamResetRequested):
                self.association.reset_streams(channel_event.stream_ids, self.now)
        self.association.datagrams_to_send(self.now)
        self.association.next_timer()

    def _receive_control(self, stream_ids: Iterable[int]) -> None:
        for stream_id in stream_ids:
            while self.association.peek_payload_protocol(stream_id) == PPID_DCEP:
                message = self.association.receive_message(stream_id)
                assert message is not None
                self.control.receive([ControlMessage(stream_id, message[1])], self.now)

    def receive_data(self, offsets: Iterable[int], flags: int = _WHOLE) -> None:
        """Receive chunks with TSNs at these offsets from the next one."""
        chunks = [data_chunk(1 + offset, flags) for offset in offsets]
        for start in range(0, len(chunks), 1000):
            self.take(self.packet(chunk) for chunk in chunks[start : start + 1000])

    def send(self, count: int, *, lifetime: float | None = None) -> None:
        """Send messages that are not acknowledged."""
        for _ in range(count):
            self.association.send(1, 51, b"x", self.now, lifetime=lifetime)
        while self.association.datagrams_to_send(self.now) or self.association.total_buffered:
            self.now += 1e-6
        assert self.association.total_buffered == 0


def data_chunk(
    tsn: int, flags: int = _WHOLE, stream: int = 1, ssn: int = 0, payload: bytes = b"x", ppid: int = 51
) -> bytes:
    """Return a DATA chunk."""
    header = DATA_HEADER.pack(0, flags, 16 + len(payload), tsn & 0xFFFFFFFF, stream, ssn, ppid)
    return header + payload + bytes(-len(payload) % 4)


def _reset(sequence: int, last_tsn: int, *stream_ids: int) -> bytes:
    return ReConfig((OutgoingResetRequest(sequence, 0, last_tsn, stream_ids).encode(),)).encode()


def _forward_over_gaps(gaps: int) -> Callable[[], object]:
    victim = _Victim()
    victim.receive_data(range(1, 2 * gaps, 2), _WHOLE | UNORDERED)
    return victim.attack(ForwardTsn(2 * gaps + 1).encode())


def _forward_over_fragments(fragments: int) -> Callable[[], object]:
    """Fragments that never become a message, all skipped at once."""
    victim = _Victim()
    victim.receive_data(range(1, 2 * fragments, 2), 0)
    return victim.attack(ForwardTsn(2 * fragments + 1).encode())


def _forward_over_waiting_messages(messages: int) -> Callable[[], object]:
    """Ordered messages behind one that is missing, delivered at once."""
    victim = _Victim()
    victim.association.receive(
        [victim.packet(data_chunk(2 + index, ssn=1 + index)) for index in range(messages)], victim.now
    )
    victim.flush()
    return victim.attack(ForwardTsn(1, ((1, 0),)).encode())


def _missing_message(messages: int) -> Callable[[], object]:
    """The one that all others of its stream have waited for."""
    victim = _Victim()
    victim.association.receive(
        [victim.packet(data_chunk(2 + index, ssn=1 + index)) for index in range(messages)], victim.now
    )
    victim.flush()
    return victim.attack(data_chunk(1, ssn=0))


def _forward_streams(streams: int) -> Callable[[], object]:
    skipped = tuple((stream, 5) for stream in range(streams))
    return _Victim().attack(ForwardTsn(1, skipped).encode())


def _chunk_between_gaps(gaps: int) -> Callable[[], object]:
    victim = _Victim()
    victim.receive_data(range(2, 2 * gaps, 2), _WHOLE | UNORDERED)
    return victim.attack(data_chunk(1, _WHOLE | UNORDERED))


def _whole_chunks(count: int) -> Callable[[], object]:
    return _Victim().attack(*(data_chunk(1 + index, _WHOLE | UNORDERED) for index in range(count)))


def _chunks_of_many_streams(count: int) -> Callable[[], object]:
    return _Victim().attack(*(data_chunk(1 + index, stream=index) for index in range(count)))


def _last_fragment(fragments: int) -> Callable[[], object]:
    """It completes a message of the largest size, in the smallest fragments, that came last to first."""
    victim = _Victim()
    for index in range(fragments - 1, 0, -1):
        flags = END if index == fragments - 1 else 0
        victim.association.receive([victim.packet(data_chunk(1 + index, flags))], victim.now)
    victim.flush()
    return victim.attack(data_chunk(1, BEGIN))


def _loss_report(outstanding: int) -> Callable[[], object]:
    victim = _Victim()
    victim.send(outstanding)
    return victim.attack(Sack(0, 1 << 20, ((outstanding, outstanding),)).encode())


def _repeated_loss_report(outstanding: int) -> Callable[[], object]:
    """The second of the reports that miss everything: each counts every chunk."""
    victim = _Victim()
    victim.send(outstanding)
    victim.take([victim.packet(Sack(0, 1 << 20, ((outstanding, outstanding),)).encode())])
    return victim.attack(Sack(0, 1 << 20, ((outstanding - 1, outstanding),)).encode())


def _third_loss_report(outstanding: int) -> Callable[[], object]:
    """The one that marks everything as lost."""
    victim = _Victim()
    victim.send(outstanding)
    for report in range(2):
        victim.take([victim.packet(Sack(0, 1 << 20, ((outstanding - report, outstanding),)).encode())])
    return victim.attack(Sack(0, 1 << 20, ((outstanding - 2, outstanding),)).encode())


def _loss_of_what_has_expired(outstanding: int) -> Callable[[], object]:
    victim = _Victim()
    victim.send(outstanding, lifetime=60.0)
    for report in range(2):
        victim.take([victim.packet(Sack(0, 1 << 20, ((outstanding - report, outstanding),)).encode())])
    victim.now += 100
    return victim.attack(Sack(0, 1 << 20, ((outstanding - 2, outstanding),)).encode())


def _everything_acknowledged(outstanding: int) -> Callable[[], object]:
    victim = _Victim()
    victim.send(outstanding)
    return victim.attack(Sack(outstanding, 1 << 20).encode())


def _acknowledged_ahead(outstanding: int) -> Callable[[], object]:
    victim = _Victim()
    victim.send(outstanding)
    return victim.attack(Sack(0, 1 << 20, ((2, outstanding),)).encode())


def _reneged(outstanding: int) -> Callable[[], object]:
    victim = _Victim()
    victim.send(outstanding)
    victim.take([victim.packet(Sack(0, 1 << 20, ((2, outstanding),)).encode())])
    return victim.attack(Sack(0, 1 << 20, ((outstanding, outstanding),)).encode())


def _gap_blocks(blocks: int) -> Callable[[], object]:
    victim = _Victim()
    victim.send(2 * blocks + 4)
    odd = tuple((offset, offset) for offset in range(3, 2 * blocks + 3, 2))
    even = tuple((offset - 1, offset - 1) for offset, _ in odd)
    victim.take([victim.packet(Sack(0, 1 << 20, odd).encode())])
    return victim.attack(Sack(0, 1 << 20, even).encode())


def _reset_of_all_streams(channels: int) -> Callable[[], object]:
    victim = _Victim()
    _open_channels(victim, channels)
    return victim.attack(_reset(1, channels))


def _reset_of_many_streams(streams: int) -> Callable[[], object]:
    victim = _Victim()
    _open_channels(victim, streams)
    return victim.attack(_reset(1, streams, *range(0, 2 * streams, 2)))


def _answer_to_our_reset(channels: int) -> Callable[[], object]:
    """The peer answers our request while many more resets of ours wait."""
    victim = _Victim()
    _open_channels(victim, channels)
    victim.take([victim.packet(_reset(1, channels))])
    response = Parameter(16, struct.pack(">II", 1, 1))
    return victim.attack(ReConfig((response,)).encode())


def _open_channels(victim: _Victim, count: int) -> None:
    opening = encode_open(ChannelParameters())
    chunks = [
        data_chunk(1 + index, stream=2 * index, payload=opening, ppid=PPID_DCEP) for index in range(count)
    ]
    for start in range(0, count, 64):
        victim.take([victim.packet(*chunks[start : start + 64])])
        victim.take([victim.packet(Sack(min(start + 64, count), 1 << 20).encode())])
    assert len(victim.control.channel_keys()) == count


def _openings(count: int) -> Callable[[], object]:
    opening = encode_open(ChannelParameters())
    return _Victim().attack(
        *(data_chunk(1 + index, stream=2 * index, payload=opening, ppid=PPID_DCEP) for index in range(count))
    )


def _heartbeats(count: int) -> Callable[[], object]:
    return _Victim().attack(*[Heartbeat(b"").encode()] * count)


def _unknown_chunks(count: int) -> Callable[[], object]:
    return _Victim().attack(*[b"\xff\x00\x00\x04"] * count)


def _error_causes(count: int) -> Callable[[], object]:
    return _Victim().attack(Error((Parameter(6, b""),) * count).encode())


def _init_parameters(count: int) -> Callable[[], object]:
    victim = _Victim()
    init = Init(7, 1 << 20, 1, 1, 1, (Parameter(0xC111, b""),) * count)
    packet = add_checksum(victim.packet()[:4] + bytes(8) + init.encode())
    return lambda: victim.take([packet])


def _connecting(count: int) -> Callable[[], object]:
    """INIT ACK with unknown parameters, each of which the ERROR beside the COOKIE ECHO reports."""
    pair = SctpPair(_OPTIONS)
    pair.left.association.connect(pair.now)
    pair.run(lambda: len(pair.wire) > 1, 10.0)
    (packet,) = [packet for _, packet in pair.wire if chunk_kinds(packet) == [INIT_ACK]]
    answer, _ = parse_chunk(packet, 12)
    assert isinstance(answer, InitAck)
    answer = attrs.evolve(answer, parameters=(*answer.parameters, *(Parameter(0xC111, b""),) * count))
    victim = SctpPair(_OPTIONS).left.association
    victim.connect(START)
    victim.datagrams_to_send(START)
    data = add_checksum(packet[:8] + bytes(4) + answer.encode())

    def receive() -> None:
        victim.receive([data], START)
        victim.datagrams_to_send(START)
        victim.events()
        victim.next_timer()
        assert victim.state == "connecting"

    return receive


def _peer(
    name: str, largest: int, prepare: Callable[[int], Callable[[], object]], unit: str = "chunks"
) -> Case:
    return Case(f"SCTP {name}", Source.PEER, doubling(largest, 3), prepare, unit)


CASES = (
    _peer("FORWARD-TSN over gaps", _MAX_GAPS, _forward_over_gaps, "gaps"),
    _peer("FORWARD-TSN over fragments", 2000, _forward_over_fragments),
    _peer("FORWARD-TSN that frees what waits", 4000, _forward_over_waiting_messages, "messages"),
    _peer("FORWARD-TSN of many streams", (MAX_PACKET - 20) // 4, _forward_streams, "streams"),
    _peer("DATA that messages wait for", 4000, _missing_message, "messages"),
    _peer("DATA between gaps", _MAX_GAPS, _chunk_between_gaps, "gaps"),
    _peer("DATA of one byte", MAX_PACKET // 20, _whole_chunks),
    _peer("DATA of a stream each", MAX_PACKET // 20, _chunks_of_many_streams),
    _peer("DATA that completes fragments", 2000, _last_fragment),
    _peer("SACK of a loss, first", _MAX_OUTSTANDING, _loss_report),
    _peer("SACK of a loss, again", _MAX_OUTSTANDING, _repeated_loss_report),
    _peer("SACK of a loss, third", _MAX_OUTSTANDING, _third_loss_report),
    _peer("SACK of a loss of expired messages", _MAX_OUTSTANDING, _loss_of_what_has_expired),
    _peer("SACK of everything", _MAX_OUTSTANDING, _everything_acknowledged),
    _peer("SACK of everything, ahead", _MAX_OUTSTANDING, _acknowledged_ahead),
    _peer("SACK that takes back", _MAX_OUTSTANDING, _reneged),
    _peer("SACK of alternating gaps", (MAX_PACKET - 16) // 4, _gap_blocks, "blocks"),
    _peer("RE-CONFIG of all streams", _MAX_CHANNELS, _reset_of_all_streams, "channels"),
    _peer("RE-CONFIG of many streams", (MAX_PACKET - 40) // 2, _reset_of_many_streams, "channels"),
    _peer("RE-CONFIG answer, resets wait", _MAX_CHANNELS, _answer_to_our_reset, "channels"),
    _peer("HEARTBEAT", MAX_PACKET // 8, _heartbeats),
    _peer("unknown chunks", MAX_PACKET // 4, _unknown_chunks),
    _peer("ERROR", MAX_PACKET // 4, _error_causes, "causes"),
    _peer("INIT with unknown parameters", MAX_PACKET // 4, _init_parameters, "parameters"),
    _peer("INIT ACK with unknown parameters", MAX_PACKET // 4 - 100, _connecting, "parameters"),
    Case("DCEP OPEN", Source.PEER, doubling(MAX_PACKET // 28, 3), _openings, "channels"),
)
