"""RTP, RTCP and the payload formats: packets of a peer that has the keys of SRTP, in a call of many streams."""

import functools
import struct
from collections.abc import Callable, Sequence

import attrs

from benchmarks.hostile.measure import Case, Source
from tests.strategies.rtp_pair import (
    EXTENSIONS,
    FLEXFEC,
    OPUS,
    RED_AUDIO,
    RED_VIDEO,
    TELEPHONE_EVENT,
    ULPFEC,
    VP8,
    VP8_RTX,
    make_session,
    srtp_pair,
)
from trio_rtc.protocols.rtcp import (
    ArrivalReport,
    Bye,
    CongestionControlFeedback,
    DelaySinceLastReceiverReport,
    ExtendedReport,
    FullIntraRequest,
    GenericNack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    SourceDescriptionChunk,
    StreamReport,
    TransportFeedback,
)
from trio_rtc.protocols.rtp import (
    Codec,
    EncodedFrame,
    Encoding,
    ReceiveParameters,
    RtpOptions,
    RtpPacket,
    SendParameters,
)
from trio_rtc.protocols.rtp.fec.fec_packet import FecPacket, MediaKey, media_bits
from trio_rtc.protocols.rtp.fec.flexfec import MAX_SOURCES, build_flexfec
from trio_rtc.protocols.rtp.fec.flexfec import MAX_SPAN as _FLEXFEC_SPAN
from trio_rtc.protocols.rtp.fec.ulpfec import MAX_SPAN, build_ulpfec
from trio_rtc.protocols.rtp.options import MAX_RED_BLOCKS, FecOptions
from trio_rtc.protocols.rtp.packet.extensions import MID

from .sizes import MAX_SRTP, doubling

_STREAMS = 256
_NOW = 100.0
_MID_ELEMENT = next(number for number, uri in EXTENSIONS.items() if uri == MID)
_CCFB_VP8 = Codec(96, "VP8", 90000, feedback=("nack", "nack pli", "ccm fir", "ack ccfb"))
_SEND_SSRC, _RECEIVE_SSRC = 10_000, 50_000


class _Call:
    """A session that sends and receives so many streams of video, and what its peer encrypts with."""

    def __init__(self, streams: int, *codecs: Codec, kind: str = "video", layers: int = 0) -> None:
        codecs = codecs or (VP8, VP8_RTX)
        self.session = make_session(1, RtpOptions())
        own, self.peer = srtp_pair()
        self.session.set_keys(own, _NOW)
        sending, receiving = [], []
        for index in range(streams):
            mid = f"m{index}"
            encoding = Encoding(_SEND_SSRC + index, 20_000 + index)
            sending.append(SendParameters(mid, kind, codecs, (encoding,), EXTENSIONS, True))
            announced: dict[int, str | None] = {_RECEIVE_SSRC + index: None}
            if layers:
                announced = {_RECEIVE_SSRC + layer: f"r{layer}" for layer in range(layers)}
            receiving.append(ReceiveParameters(mid, kind, codecs, EXTENSIONS, announced))
        self.session.set_sections(sending, receiving, _NOW)
        self.now = _NOW
        for index in range(streams):
            self.session.set_demand(f"m{index}", frames=True, packets=False)
        self.take([self.peer.protect(self.packet(index).encode()) for index in range(streams)])

    def packet(
        self, stream: int = 0, number: int = 1, payload: bytes = b"\x10\x00", **fields: int
    ) -> RtpPacket:
        ssrc = fields.pop("ssrc", _RECEIVE_SSRC + stream)
        payload_type = fields.pop("payload_type", 96)
        extensions = ((_MID_ELEMENT, f"m{stream}".encode()),)
        return RtpPacket(payload_type, number, 1, ssrc, payload, extensions=extensions)

    def send_frames(self, count: int = 1) -> None:
        """Send so many frames of one packet on the first stream."""
        for number in range(count):
            frame = EncodedFrame(b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00", number, 90000, "VP8", True)
            self.session.send_frame("m0", frame, self.now)
            self.now += 0.01
            self.session.datagrams_to_send(self.now)
            self.session.handle_timer(self.now)
            self.session.next_timer()
        self.session.events()

    def take(self, datagrams: Sequence[bytes]) -> None:
        """Do what the transport does with a batch."""
        self.session.receive(datagrams, self.now)
        self.session.datagrams_to_send(self.now)
        self.session.events()
        self.session.next_timer()

    def attack_rtcp(self, *packets: bytes) -> Callable[[], object]:
        compound = b"".join(packets)
        assert len(compound) <= MAX_SRTP, len(compound)
        datagram = self.peer.protect_rtcp(compound)
        return lambda: self.take([datagram])

    def attack(self, packet: RtpPacket) -> Callable[[], object]:
        data = packet.encode()
        assert len(data) <= MAX_SRTP, len(data)
        datagram = self.peer.protect(data)
        return lambda: self.take([datagram])


def _block(ssrc: int, sent: int = 1) -> ReportBlock:
    return ReportBlock(ssrc, 100, 1, 1, 1, sent, 1)


def _receiver_reports(count: int) -> Callable[[], object]:
    """Each of one block, of a source that has sent, from which a round trip can be computed."""
    call = _Call(_STREAMS)
    call.send_frames()
    return call.attack_rtcp(
        *(ReceiverReport(1, (_block(_SEND_SSRC, index + 1),)).encode() for index in range(count))
    )


def _report_blocks(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    call.send_frames()
    blocks = [_block(_SEND_SSRC, index + 1) for index in range(count)]
    return call.attack_rtcp(
        *(ReceiverReport(1, tuple(blocks[n : n + 31])).encode() for n in range(0, count, 31))
    )


def _sender_reports(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    return call.attack_rtcp(
        *(SenderReport(_RECEIVE_SSRC + index % _STREAMS, 1 << 40, 1, 1, 1).encode() for index in range(count))
    )


def _extended_reports(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    delay = DelaySinceLastReceiverReport(1, 1, 1)
    return call.attack_rtcp(*[ExtendedReport(1, None, (delay,)).encode()] * count)


def _nacks(entries: int) -> Callable[[], object]:
    call = _Call(1)
    call.send_frames(800)
    numbers = tuple((17 * index & 0xFFFF, 0xFFFF) for index in range(entries))
    return call.attack_rtcp(GenericNack(1, _SEND_SSRC, numbers).encode())


def _many_nacks(count: int) -> Callable[[], object]:
    call = _Call(1)
    call.send_frames(800)
    return call.attack_rtcp(*[GenericNack(1, _SEND_SSRC, ((0, 0xFFFF),)).encode()] * count)


def _picture_losses(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    return call.attack_rtcp(
        *(PictureLossIndication(1, _SEND_SSRC + index % _STREAMS).encode() for index in range(count))
    )


def _intra_requests(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    requests = tuple((_SEND_SSRC + index % _STREAMS, index & 0xFF) for index in range(count))
    return call.attack_rtcp(FullIntraRequest(1, requests).encode())


def _bitrates(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    call.send_frames()
    return call.attack_rtcp(
        *(
            ReceiverEstimatedMaximumBitrate(1, 100_000 + 90_000 * index, (1,)).encode()
            for index in range(count)
        )
    )


def _goodbyes(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    ssrcs = [_RECEIVE_SSRC + index for index in range(count)]
    return call.attack_rtcp(*(Bye(tuple(ssrcs[n : n + 31])).encode() for n in range(0, count, 31)))


def _descriptions(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    chunk = SourceDescriptionChunk(1, ((1, b""),) * 16)
    return call.attack_rtcp(SourceDescription((chunk,) * count).encode())


def _transport_feedback(statuses: int) -> Callable[[], object]:
    """Everything that was ever sent, as lost, and one packet that arrived."""
    call = _Call(1)
    call.send_frames(2000)
    arrivals = ((statuses - 1, 1),)
    return call.attack_rtcp(TransportFeedback(1, 1, 0, statuses, 1, 0, arrivals).encode())


def _transport_retransmissions(lost: int) -> Callable[[], object]:
    """The last packets, as lost, all of which are sent again without a request."""
    call = _Call(1)
    call.send_frames(2000)
    base = call.session.bandwidth.next_number() - 1 - lost
    return call.attack_rtcp(TransportFeedback(1, 1, base, lost + 1, 1, 0, ((lost, 1),)).encode())


def _transport_arrivals(count: int) -> Callable[[], object]:
    call = _Call(1)
    call.send_frames(2000)
    arrivals = tuple((index, index) for index in range(count))
    return call.attack_rtcp(TransportFeedback(1, 1, 0, count, 1, 0, arrivals).encode())


def _many_transport_feedbacks(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    call.send_frames(200)
    return call.attack_rtcp(
        *(TransportFeedback(1, 1, 2 * n, 2, 1, n & 0xFF, ((0, 1), (1, 2))).encode() for n in range(count))
    )


def _source_feedback(reports: int) -> Callable[[], object]:
    call = _Call(1, _CCFB_VP8)
    call.send_frames(2000)
    stream = StreamReport(_SEND_SSRC, 0, tuple(ArrivalReport(1, 0) for _ in range(reports)))
    return call.attack_rtcp(CongestionControlFeedback(1, 1 << 20, (stream,)).encode())


def _unknown_rtcp(count: int) -> Callable[[], object]:
    return _Call(_STREAMS).attack_rtcp(*[b"\x80\xc3\x00\x00"] * count)


def _new_source(streams: int) -> Callable[[], object]:
    """A source that takes the place of the one that its section has."""
    call = _Call(streams)
    return call.attack(call.packet(streams - 1, ssrc=77))


def _jump(missing: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    return call.attack(call.packet(0, 1 + missing))


def _retransmission(streams: int) -> Callable[[], object]:
    call = _Call(streams)
    return call.attack(call.packet(0, 5, b"\x00\x09\x10\x00", ssrc=78, payload_type=97))


def _element_bytes(count: int) -> Callable[[], object]:
    call = _Call(_STREAMS)
    packet = RtpPacket(96, 2, 1, _RECEIVE_SSRC, b"\x10\x00", extensions=((3, b"ab"),) * count)
    return call.attack(packet)


def _redundant(blocks: int) -> Callable[[], object]:
    call = _Call(1, RED_VIDEO, VP8, ULPFEC)
    payload = struct.pack("!I", (0x80 | 96) << 24 | 1) * blocks + bytes([96]) + bytes(blocks)
    return call.attack(call.packet(0, 2, payload, payload_type=118))


def _repair(packets: int) -> Callable[[], object]:
    """FlexFEC over all that is kept, of which one packet is missing."""
    call = _Call(1, VP8, FLEXFEC)
    first = struct.pack("!BBHIB3x", 0, 0, 0, 0, 1) + struct.pack("!IH", _RECEIVE_SSRC, 0) + b"\xc0\x00"
    call.take([call.peer.protect(call.packet(0, 1, first, ssrc=79, payload_type=35).encode())])
    payload = b"\x10\x00" + bytes(MAX_SRTP - 120)
    call.take([call.peer.protect(call.packet(0, number, payload).encode()) for number in range(2, 110)])
    mask = (1 << packets) - 1 << (109 - packets)
    parts = [
        (mask >> 94 & 0x7FFF).to_bytes(2, "big"),
        (mask >> 63 & 0x7FFF_FFFF).to_bytes(4, "big"),
        (1 << 63 | mask & (1 << 63) - 1).to_bytes(8, "big"),
    ]
    row = struct.pack("!BBHIB3x", 0, 0, 0, 0, 1) + struct.pack("!IH", _RECEIVE_SSRC, 1) + b"".join(parts)
    return call.attack(call.packet(0, 2, row + bytes(MAX_SRTP - 120), ssrc=79, payload_type=35))


_LAYERS = 5
_MAX_KEPT = (_LAYERS - 1) * _FLEXFEC_SPAN


def _flexfec_call() -> _Call:
    """A call with a stream of FlexFEC for as many packets as are kept for it."""
    call = _Call(1, VP8, FLEXFEC, layers=_LAYERS)
    bits = media_bits(call.packet(0, 1).encode())
    first = build_flexfec(FecPacket([MediaKey(_RECEIVE_SSRC, 1)], bits, 20))
    call.take([call.peer.protect(call.packet(0, 0, first, ssrc=79, payload_type=35).encode())])
    return call


def _send_repairs(call: _Call, payloads: Sequence[bytes]) -> None:
    call.take(
        [
            call.peer.protect(call.packet(0, 1 + index, payload, ssrc=79, payload_type=35).encode())
            for index, payload in enumerate(payloads)
        ]
    )


def _make_repairs(call: _Call, repairs: int, kept: int) -> tuple[list[bytes], bytes]:
    """Return FlexFEC over packets that have arrived, a missing one each, and one that is missing of all."""
    keys = [
        MediaKey(_RECEIVE_SSRC + layer, 2 + number)
        for layer in range(1, _LAYERS)
        for number in range(kept // (_LAYERS - 1))
    ]
    payload = b"\x10\x00" + bytes(MAX_SRTP - 300)
    packets = [call.packet(0, key.sequence_number, payload, ssrc=key.ssrc).encode() for key in keys]
    call.take([call.peer.protect(packet) for packet in packets])
    needed = call.packet(0, 100, payload).encode()
    bits = functools.reduce(int.__xor__, map(media_bits, packets)) ^ media_bits(needed)
    rows = []
    for number in range(101, 101 + repairs):
        missing = call.packet(0, number, payload).encode()
        named = [MediaKey(_RECEIVE_SSRC, 100), MediaKey(_RECEIVE_SSRC, number), *keys]
        rows.append(build_flexfec(FecPacket(named, bits ^ media_bits(missing), len(missing) - 12)))
    return rows, needed


def _repairs_that_wait(repairs: int) -> Callable[[], object]:
    """The one packet that they all need besides another one each; they name all packets that are kept."""
    call = _flexfec_call()
    rows, needed = _make_repairs(call, repairs, _MAX_KEPT)
    _send_repairs(call, rows)
    return call.attack(RtpPacket.parse(needed))


def _repair_of_everything(packets: int) -> Callable[[], object]:
    call = _flexfec_call()
    rows, _ = _make_repairs(call, 1, packets)
    return call.attack(call.packet(0, 1, rows[0], ssrc=79, payload_type=35))


def _repairs_of_sources(sources: int) -> Callable[[], object]:
    """FlexFEC of nothing that has arrived, which displaces another one."""
    call = _flexfec_call()
    keys = [MediaKey(_RECEIVE_SSRC + source, number) for source in range(sources) for number in range(5, 114)]
    payload = build_flexfec(FecPacket(keys, 0, 0))
    _send_repairs(call, [payload] * FecOptions().max_repairs)
    return call.attack(call.packet(0, 100, payload, ssrc=79, payload_type=35))


def _ulpfec_recovery(packets: int) -> Callable[[], object]:
    """ULPFEC over packets of which one is missing."""
    call = _Call(1, RED_VIDEO, VP8, ULPFEC)
    payload = b"\x10\x00" + bytes(MAX_SRTP - 120)
    media = [call.packet(0, 1000 + number, payload) for number in range(packets)]
    for packet in media[1:]:
        wrapped = attrs.evolve(packet, payload_type=118, payload=b"\x60" + packet.payload)
        call.take([call.peer.protect(wrapped.encode())])
    encoded = [packet.encode() for packet in media]
    known = functools.reduce(int.__xor__, map(media_bits, encoded))
    keys = [MediaKey(_RECEIVE_SSRC, packet.sequence_number) for packet in media]
    row = build_ulpfec(FecPacket(keys, known, len(encoded[0]) - 12))
    return call.attack(call.packet(0, 2000, b"\x78" + row, payload_type=118))


def _redundant_audio(blocks: int) -> Callable[[], object]:
    call = _Call(1, RED_AUDIO, OPUS, kind="audio")
    header = b"".join(struct.pack("!I", (0x80 | 111) << 24 | 400 * n << 10 | 1) for n in range(blocks, 0, -1))
    packet = call.packet(0, 100, header + b"\x6f" + b"\xe0" * (blocks + 1), payload_type=63)
    return call.attack(attrs.evolve(packet, timestamp=48_000))


def _opus_frames(size: int) -> Callable[[], object]:
    """A packet of code 3 with two SILK frames, padding and lengths: its in-band FEC is behind all of them."""
    call = _Call(1, OPUS, kind="audio")
    padding = size - 8
    packet = call.packet(0, 2, b"\x03\xc2" + b"\xff" * padding + b"\x00\x01\xff\xff", payload_type=111)
    return call.attack(attrs.evolve(packet, timestamp=960))


def _telephone_events(count: int) -> Callable[[], object]:
    """Events that begin and end, one after the other."""
    call = _Call(1, OPUS, TELEPHONE_EVENT, kind="audio")
    payload = b"".join(struct.pack("!BBH", number & 15, 0x80, 160) for number in range(count))
    return call.attack(attrs.evolve(call.packet(0, 2, payload, payload_type=110), timestamp=960))


def _units(name: str, start: bytes, unit: bytes) -> Callable[[int], Callable[[], object]]:
    """A payload of as many of the smallest units as fit."""

    def prepare(count: int) -> Callable[[], object]:
        call = _Call(1, Codec(96, name, 90000, feedback=("nack",)))
        packet = call.packet(0, 2, start + unit * count)
        # A frame of its own, complete, so that it is taken apart at once.
        return call.attack(attrs.evolve(packet, timestamp=3000, marker=True))

    return prepare


def _vp9_structure(size: int) -> Callable[[], object]:
    """A scalability structure with as many frames and references as its fields allow."""
    start = b"\x8a\x80\x01\x00" + b"\xf8" + bytes(32) + b"\xff"
    return _units("VP9", start, b"\x0c\x01\x02\x03")(size)


def _case(name: str, largest: int, prepare: Callable[[int], Callable[[], object]], unit: str) -> Case:
    return Case(name, Source.PEER, doubling(largest, 3), prepare, unit)


CASES = (
    _case("RTCP receiver reports", MAX_SRTP // 32, _receiver_reports, "reports"),
    _case("RTCP report blocks", MAX_SRTP // 25, _report_blocks, "blocks"),
    _case("RTCP sender reports", MAX_SRTP // 28, _sender_reports, "reports"),
    _case("RTCP extended reports", MAX_SRTP // 24, _extended_reports, "reports"),
    _case("RTCP NACK", MAX_SRTP // 4 - 4, _nacks, "entries"),
    _case("RTCP many NACKs", MAX_SRTP // 16, _many_nacks, "packets"),
    _case("RTCP PLI", MAX_SRTP // 12, _picture_losses, "packets"),
    _case("RTCP FIR", MAX_SRTP // 8 - 4, _intra_requests, "requests"),
    _case("RTCP REMB", MAX_SRTP // 24, _bitrates, "packets"),
    _case("RTCP BYE", _STREAMS, _goodbyes, "sources"),
    _case("RTCP SDES", 31, _descriptions, "chunks"),
    _case("RTCP TWCC of losses", 65_535, _transport_feedback, "packets"),
    _case("RTCP TWCC of retransmissions", 64, _transport_retransmissions, "packets"),
    _case("RTCP TWCC of arrivals", 1200, _transport_arrivals, "packets"),
    _case("RTCP many TWCC", MAX_SRTP // 24, _many_transport_feedbacks, "packets"),
    _case("RTCP CCFB", MAX_SRTP // 2 - 16, _source_feedback, "reports"),
    _case("RTCP of unknown types", MAX_SRTP // 4, _unknown_rtcp, "packets"),
    _case("RTP of a new source", _STREAMS, _new_source, "streams"),
    _case("RTP behind a gap", 500, _jump, "packets"),
    _case("RTP retransmission", _STREAMS, _retransmission, "streams"),
    _case("RTP extension elements", MAX_SRTP // 4 - 20, _element_bytes, "elements"),
    _case("RED", 260, _redundant, "blocks"),
    _case("FlexFEC", 109, _repair, "packets"),
    _case("FlexFEC that waits", FecOptions().max_repairs, _repairs_that_wait, "repairs"),
    _case("FlexFEC of all packets", _MAX_KEPT, _repair_of_everything, "packets"),
    _case("FlexFEC of many sources", MAX_SOURCES, _repairs_of_sources, "sources"),
    _case("ULPFEC", MAX_SPAN, _ulpfec_recovery, "packets"),
    _case("RED audio", MAX_RED_BLOCKS, _redundant_audio, "blocks"),
    _case("Opus", MAX_SRTP - 40, _opus_frames, "bytes"),
    _case("telephone events", MAX_SRTP // 4 - 12, _telephone_events, "events"),
    _case("H264 STAP-A", MAX_SRTP // 3 - 12, _units("H264", b"\x78", b"\x00\x01\x65"), "units"),
    _case("H265 AP", MAX_SRTP // 4 - 12, _units("H265", b"\x60\x01", b"\x00\x02\x26\x01"), "units"),
    _case("AV1 OBUs", MAX_SRTP // 2 - 40, _units("AV1", b"\x08", b"\x01\x30"), "units"),
    _case("VP8 of zeros", MAX_SRTP - 40, _units("VP8", b"\x10", b"\x00"), "bytes"),
    _case("VP9 scalability structure", 255, _vp9_structure, "pictures"),
)
