"""The parts of a session by themselves: routing, reports, feedback on the path, marks, protection, sources."""

import math
import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_pair import (
    AUDIO,
    EXTENSIONS,
    FLEXFEC,
    NAMES_ONLY,
    OPUS,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    VP8_RTX,
    received,
    video_frame,
    video_section,
)
from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.rtcp import Bye, ReceiverReport, ReportBlock, SenderReport, SourceDescription
from trio_rtc.protocols.rtp import (
    EncodedFrame,
    Encoding,
    ReceiveParameters,
    RtpOptions,
    RtpPacket,
    SendParameters,
)
from trio_rtc.protocols.rtp.bandwidth import Bandwidth
from trio_rtc.protocols.rtp.demux.demuxer import Demuxer
from trio_rtc.protocols.rtp.demux.idle_sources import IdleSources
from trio_rtc.protocols.rtp.fec.protection import LossLevel, LossResponse, VideoProtection, respond_to_loss
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.packet.serializer import PacketSerializer
from trio_rtc.protocols.rtp.payload import packetizer
from trio_rtc.protocols.rtp.receive.arrival_reports import ArrivalReporter
from trio_rtc.protocols.rtp.receive.remote_bitrate import RemoteBitrateEstimator
from trio_rtc.protocols.rtp.reports import MAX_BLOCKS, ReportSchedule, compound, goodbye
from trio_rtc.protocols.rtp.send.history import PacketHistory
from trio_rtc.protocols.rtp.send.sender import RemoteInboundReport, RtpSender
from trio_rtc.protocols.rtp.send.stream import RtpSendStream

# Routing (RFC 9143 section 9.2).


def section(mid: str, *payload_types: int, **changes: object) -> ReceiveParameters:
    codecs = tuple(attrs.evolve(OPUS, payload_type=number) for number in payload_types)
    return attrs.evolve(ReceiveParameters(mid, "audio", codecs), **changes)  # type: ignore[arg-type]


def router(*sections: ReceiveParameters, max_sources: int = 8) -> Demuxer:
    made = Demuxer(max_sources)
    made.set_sections(sections)
    return made


def test_the_mid_decides_before_everything_else() -> None:
    made = router(section("a", 96, ssrcs={1: None}), section("b", 97))
    route = made.route(1, 96, "b", None)
    assert route is not None
    assert route.section.mid == "b"
    # It is remembered for packets that say nothing, and goes before the announcement.
    later = made.route(1, 96, None, None)
    assert later is not None
    assert later.section.mid == "b"


def test_an_unknown_mid_drops_the_packet_whatever_else_would_tell() -> None:
    made = router(section("a", 96, ssrcs={1: None}))
    assert made.route(1, 96, None, None) is not None
    assert made.route(1, 96, "nobody", None) is None


def test_a_later_mid_moves_the_source() -> None:
    made = router(section("a", 96), section("b", 96))
    for mid in ("a", "b", "a"):
        moved = made.route(5, 96, mid, None)
        assert moved is not None
        assert moved.section.mid == mid


def test_an_announced_source_needs_no_mid() -> None:
    made = router(section("a", 96, ssrcs={1: None}), section("b", 96, ssrcs={2: None}, repairs={3: 2}))
    for ssrc, mid in ((1, "a"), (2, "b"), (3, "b")):
        route = made.route(ssrc, 96, None, None)
        assert route is not None
        assert route.section.mid == mid


def test_a_payload_type_of_one_section_only_tells() -> None:
    made = router(section("a", 96, 98), section("b", 96, 99))
    route = made.route(7, 99, None, None)
    assert route is not None
    assert route.section.mid == "b"
    # And the source is known from now on, under other payload types too.
    again = made.route(7, 96, None, None)
    assert again is not None
    assert again.section.mid == "b"
    assert made.route(8, 96, None, None) is None
    assert made.route(8, 1, None, None) is None


def test_layers_are_learned_and_kept() -> None:
    made = router(section("a", 96, ssrcs={1: "q"}, repairs={2: 1}))
    for ssrc, rid, expected in ((1, None, "q"), (2, None, "q"), (5, "h", "h"), (5, None, "h"), (5, "f", "f")):
        route = made.route(ssrc, 96, "a" if rid else None, rid)
        assert route is not None
        assert route.rid == expected


def test_what_was_learned_stays_as_long_as_its_section() -> None:
    made = router(section("a", 96), section("b", 96))
    assert made.route(5, 96, "a", "q") is not None
    assert made.route(6, 96, "b", None) is not None
    made.set_sections([section("a", 96, 97)])
    kept = made.route(5, 96, None, None)
    assert kept is not None
    assert (kept.section.mid, kept.rid) == ("a", "q")
    assert kept.section.codecs[-1].payload_type == 97
    made.set_sections([section("a", 96), section("b", 96)])
    assert made.route(6, 96, None, None) is None


def test_learned_sources_are_bounded_and_may_be_forgotten() -> None:
    made = router(section("a", 96), section("b", 96), max_sources=2)
    for ssrc in (1, 2, 3):
        assert made.route(ssrc, 96, "a", None) is not None
    assert made.route(1, 96, None, None) is None
    assert made.route(3, 96, None, None) is not None
    made.forget(3)
    assert made.route(3, 96, None, None) is None


# Reports (RFC 3550 section 6).


def block(ssrc: int) -> ReportBlock:
    return ReportBlock(ssrc, 0, 0, 0, 0, 0, 0)


@given(senders=st.integers(0, 3), blocks=st.integers(0, 150))
def test_a_compound_has_every_block_once_and_a_name(senders: int, blocks: int) -> None:
    reports = [SenderReport(100 + number, 1, 2, 3, 4) for number in range(senders)]
    packets = compound(
        1, reports, [block(n) for n in range(blocks)], "name", [report.ssrc for report in reports]
    )
    assert isinstance(packets[0], SenderReport if senders else ReceiverReport)
    told = [
        each.ssrc
        for packet in packets
        if isinstance(packet, SenderReport | ReceiverReport)
        for each in packet.blocks
    ]
    assert told == list(range(blocks))
    for packet in packets:
        if isinstance(packet, SenderReport | ReceiverReport):
            assert len(packet.blocks) <= MAX_BLOCKS
    description = packets[-1]
    assert isinstance(description, SourceDescription)
    assert [chunk.ssrc for chunk in description.chunks] == [1, *range(100, 100 + senders)]


def test_a_goodbye_names_who_leaves() -> None:
    *_, last = goodbye(1, "name", [5, 6])
    assert last == Bye((5, 6))


@given(st.integers(0, 2**32), st.floats(0.1, 10))
def test_reports_are_spread_around_the_interval(seed: int, interval: float) -> None:
    schedule = ReportSchedule(random.Random(seed))
    assert not schedule.take(10.0, interval)
    schedule.start(10.0)
    due = schedule.due
    schedule.start(10.01)
    assert schedule.due == due
    assert 10.0 < due < 10.2
    assert schedule.take(due, interval)
    assert due + interval / 2 <= schedule.due <= due + 1.5 * interval
    schedule.stop()
    assert schedule.due == math.inf


# Feedback on the path.


def test_arrival_reports_tell_of_gaps_between_reports() -> None:
    reports = ArrivalReporter(2)
    assert reports.take(1, 0, 0.0, 1000) == []
    reports.packet_arrived(7, 65534, 0.0)
    reports.packet_arrived(7, 65535, 0.01)
    assert reports.next_timer() == pytest.approx(0.05)
    (first,) = reports.take(1, 0, 0.05, 1000)
    assert [stream.begin_sequence_number for stream in first.streams] == [65534]
    assert reports.next_timer() == math.inf
    reports.packet_arrived(7, 2, 0.06)
    reports.packet_arrived(8, 100, 0.06)
    reports.packet_arrived(9, 100, 0.06)
    (second,) = reports.take(1, 0, 0.2, 1000)
    lost = [each is None for each in second.streams[0].reports]
    assert (second.streams[0].begin_sequence_number, lost) == (65535, [False, True, True, False])
    # A third source is one too many.
    assert [stream.ssrc for stream in second.streams] == [7, 8]
    reports.forget(7)
    reports.packet_arrived(9, 1, 0.3)
    assert [stream.ssrc for stream in reports.take(1, 0, 0.4, 1000)[0].streams] == [9]


def test_arrival_reports_are_bounded() -> None:
    reports = ArrivalReporter(1)
    for number in range(10_000):
        reports.packet_arrived(7, number & 0xFFFF, 0.0)
    told = reports.take(1, 0, 1.0, 1000)
    assert sum(len(stream.reports) for packet in told for stream in packet.streams) == 2048


def test_arrival_reports_are_bounded_over_all_sources() -> None:
    reports = ArrivalReporter(500)
    for number in range(100):
        for ssrc in range(400):
            reports.packet_arrived(ssrc, number, 0.0)
    reports.forget(0)
    reports.packet_arrived(0, 0, 0.0)
    told = reports.take(1, 0, 1.0, 1000)
    counts = [len(stream.reports) for packet in told for stream in packet.streams]
    # Each source has the newest of its packets. Source 0 had 41, and has one since it came back.
    assert sum(counts) == 16_384 - 40
    assert max(counts) == 41
    # What was reported makes room.
    for number in range(2048):
        reports.packet_arrived(1, 100 + number, 1.1)
    (*_, last) = reports.take(1, 0, 2.0, 1 << 16)
    assert len(last.streams[0].reports) >= 2048


def test_the_remote_bitrate_follows_a_narrow_way() -> None:
    remote = RemoteBitrateEstimator(BandwidthEstimationOptions())
    assert remote.take(0.0) is None
    now = free = 0.0
    told: list[int] = []
    for number in range(6000):
        sent = number * 0.004  # 1200 bytes every 4 ms: 2.4 Mbit/s into a way of 1 Mbit/s.
        free = max(free, sent) + 1200 * 8 / 1e6
        now = free + 0.02
        remote.packet_arrived(round(sent * (1 << 18)) & 0xFFFFFF, 1200, now)
        if (bitrate := remote.take(now)) is not None:
            told.append(bitrate)
    assert told
    assert min(told) < 1_100_000


def test_the_remote_bitrate_is_told_once_a_second() -> None:
    remote = RemoteBitrateEstimator(BandwidthEstimationOptions())
    told = 0
    for number in range(500):
        now = number * 0.02
        remote.packet_arrived(round(now * (1 << 18)) & 0xFFFFFF, 500, now)
        told += remote.take(now) is not None
    assert 9 <= told <= 14


# Sources without a stream.


@given(st.lists(st.integers(0, 10)))
def test_idle_sources_keep_the_ones_heard_last(notes: list[int]) -> None:
    idle = IdleSources(3)
    kept: list[int] = []
    for ssrc in notes:
        kept = [each for each in kept if each != ssrc] + [ssrc]
        expected = kept.pop(0) if len(kept) > 3 else None
        assert idle.note(ssrc) == expected
    assert len(idle) == len(kept)
    idle.discard(99)


# Marks.


@given(
    packet=st.builds(
        RtpPacket,
        st.integers(0, 127),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=40),
        st.booleans(),
        st.just(()) | st.just((1, 2)),
        st.just(()) | st.just(((4, b"0"),)),
    ),
    elements=st.sampled_from([(2, 3), (2, None), (None, 3), (None, None), (200, 3), (14, 15)]),
    number=st.none() | st.integers(0, 1 << 20),
    now=st.floats(0, 1e6),
)
def test_marks_are_what_they_would_be_if_written_one_by_one(
    packet: RtpPacket, elements: tuple[int | None, int | None], number: int | None, now: float
) -> None:
    time_element, number_element = elements
    uris = {time_element: EXTENSIONS[2], number_element: EXTENSIONS[3]}
    extensions = ExtensionMap({key: uri for key, uri in uris.items() if key is not None})
    written = RtpPacket.parse(PacketSerializer(extensions).stamp(packet, number, now))
    marks = []
    if number_element is not None and number is not None:
        marks.append((number_element, (number & 0xFFFF).to_bytes(2, "big")))
    if time_element is not None:
        marks.append((time_element, (int(now * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big")))
    assert written == packet.with_extensions(packet.extensions + tuple(marks))


# Protection.


@pytest.mark.parametrize(
    ("loss", "round_trip", "factor", "copies"),
    [
        # Little loss: what is requested comes in time.
        (0.005, 0.05, 0.0, 1),
        (0.02, 0.02, 0.0, 1),
        # Two requests fit before the deadline, and hardly both fail if each is answered twice.
        (0.03, 0.02, 0.0, 2),
        (0.1, 0.02, 0.5, 2),
        # One fits: the more is lost, the more is up to repair packets.
        (0.01, 0.05, 0.05, 2),
        (0.02, 0.05, 0.072, 2),
        (0.05, 0.05, 0.25, 2),
        (0.1, 0.05, 0.5, 2),
        (0.1, 0.12, 0.5, 2),
        # None fits: repair packets in proportion to the loss.
        (0.005, 0.2, 0.05, 2),
        (0.02, 0.2, 0.1, 2),
        (0.05, 0.3, 0.25, 2),
        (1.0, 0.3, 0.5, 2),
        # The round trip is not known yet.
        (0.1, None, 0.5, 2),
    ],
)
def test_protection_by_loss_and_round_trip(
    loss: float, round_trip: float | None, factor: float, copies: int
) -> None:
    response = respond_to_loss(loss, round_trip, retransmits=True)
    assert response == LossResponse(pytest.approx(factor, abs=0.001), copies)


def test_protection_without_retransmissions_and_without_repair_packets() -> None:
    assert respond_to_loss(0.1, 0.02, retransmits=False) == LossResponse(0.5, 1)
    assert respond_to_loss(0.1, 0.05, retransmits=True, corrects=False) == LossResponse(0.0, 2)
    assert respond_to_loss(0.0, 0.2, retransmits=True) == LossResponse(0.0, 1)


def test_pictures_are_protected_only_while_there_is_loss() -> None:
    section = video_section(VP8, VP8_RTX, FLEXFEC, fec=True)
    numbers = SequenceCounters(random.Random(1))
    protection = VideoProtection(section, section.encodings[0], VP8, RtpOptions(fec_loss=0.01), numbers)
    factors = []
    for fraction in (0.0, 0.02, 0.02, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0):
        protection.set_loss(fraction, 0.3, retransmits=True)
        factors.append(protection.factor)
    assert factors[0] == factors[-1] == 0
    assert factors[1:3] == pytest.approx([0.05, 0.075])
    assert 0.075 < max(factors) == factors[3] <= 0.5
    packets = [RtpPacket(96, number, 9000, VIDEO_SSRC, bytes(100), marker=True) for number in range(30)]
    assert protection.protect(packets) == []
    protection.set_loss(0.2, 0.3, retransmits=True)
    assert protection.protect(packets)
    # On a short path what is lost is retransmitted in time.
    for _ in range(3):
        protection.set_loss(0.01, 0.02, retransmits=True)
    assert protection.factor == 0


def test_a_report_counts_by_the_time_that_it_covers() -> None:
    """A second of 2 % loss comes to the same in one report and in fifty, one of which has the only loss."""
    once, often = LossLevel(0.01), LossLevel(0.01)
    for _ in range(10):
        once.note(0.02)
        for index in range(50):
            often.note(1.0 if index == 25 else 0.0, 1 / 50)
    assert once.loss == pytest.approx(0.02, rel=0.01)
    assert often.loss == pytest.approx(0.02, rel=0.25)


def test_loss_in_reports_of_few_packets_counts_together() -> None:
    """One packet lost of five is no loss of 20 %, if it is the only one of fifty."""
    report = RemoteInboundReport()
    fractions = []
    for index in range(10):
        report.fraction_lost = 0.2 if index == 4 else 0.0
        fractions.append(report.take_loss(5))
    assert [fraction for fraction in fractions if fraction is not None] == pytest.approx([0.0, 0.05])
    report.fraction_lost = 0.1
    assert report.take_loss(90) == pytest.approx(0.09)


def test_the_level_of_loss_does_not_flutter() -> None:
    level = LossLevel(0.1)
    changes = []
    for fraction in [0.0, 0.3, 0.0, 0.15, 0.05, 0.05, 0.0, 0.0, 0.0, 0.0]:
        level.note(fraction)
        changes.append(level.is_lossy)
    assert changes == [False, True, True, True, True, True, False, False, False, False]


# Sending.


def stream() -> RtpSendStream:
    numbers = SequenceCounters(random.Random(1))
    made = RtpSendStream(VIDEO, Encoding(VIDEO_SSRC, 1001), PacketHistory(), numbers, 77)
    made.configure(video_section(), VP8, packetizer("VP8", {}, random.Random(2)), None, None)
    return made


def test_packets_of_a_frame_are_numbered_and_marked() -> None:
    made = stream()
    packets = made.packetize(video_frame(0, 0.0, 3000), 1160, 0.0)
    assert [packet.marker for packet in packets] == [False] * (len(packets) - 1) + [True]
    first = packets[0].sequence_number
    assert [packet.sequence_number for packet in packets] == list(range(first, first + len(packets)))
    assert first < 1 << 15
    assert {packet.timestamp for packet in packets} == {packets[0].timestamp}
    assert (4, VIDEO.encode()) in packets[0].extensions
    made.names.announced = True
    assert made.packetize(video_frame(1, 0.1), 1160, 0.1)[0].extensions == ()


def test_a_frame_of_another_codec_is_refused() -> None:
    with pytest.raises(ValueError, match="VP8 was negotiated"):
        stream().packetize(EncodedFrame(b"x", 0, 90000, "H264"), 1160, 0.0)


def test_retransmissions_name_what_they_repair() -> None:
    made = stream()
    packets = made.packetize(video_frame(0, 0.0, 3000), 1160, 0.0)
    for packet in packets:
        made.note_sent(packet, packet.encode(), 0.0)
    wanted = packets[1].sequence_number
    (again,) = made.retransmit([wanted, wanted + 500], 0.05, 0.1)
    assert (again.ssrc, again.payload_type) == (1001, 97)
    assert again.payload == wanted.to_bytes(2, "big") + packets[1].payload
    # Asked for within the round trip, it is on its way.
    assert made.retransmit([wanted], 0.05, 0.12) == []
    padding = made.retransmissions.padding(10_000)
    assert padding is not None
    assert padding.ssrc == 1001
    assert padding.sequence_number == again.sequence_number + 1


def test_sections_that_do_not_send_refuse() -> None:
    side = RtpSender(RtpOptions(), Bandwidth(BandwidthEstimationOptions()), random.Random(1))
    side.send_frame(VIDEO, video_frame(0, 0.0), None, 0.0)
    side.set_sections([video_section(active=False)])
    side.send_frame(VIDEO, video_frame(0, 0.0), None, 0.0)
    side.send_packets(VIDEO, [RtpPacket(96, 1, 1, 1)], None, 0.0)
    side.set_sections([video_section(encodings=(Encoding(VIDEO_SSRC, active=False),))])
    side.send_frame(VIDEO, video_frame(0, 0.0), None, 0.0)
    assert side.packets_refused == 4
    assert side.take(0.0) == []
    side.set_sections([video_section()])
    side.send_frame(VIDEO, video_frame(0, 0.0), None, 0.0)
    assert side.take(0.1)
    assert side.ssrcs == [VIDEO_SSRC]
    assert side.set_sections([]) == [VIDEO_SSRC]


def test_layers_are_sent_by_their_names() -> None:
    layers = (Encoding(1, rid="q"), Encoding(2, rid="h", active=False), Encoding(3, rid="f"))
    side = RtpSender(RtpOptions(), Bandwidth(BandwidthEstimationOptions()), random.Random(1))
    side.set_sections([video_section(encodings=layers)])
    for rid in ("q", "h", "f", "x"):
        side.send_frame(VIDEO, video_frame(0, 0.0, 10), rid, 0.0)
    packets = [RtpPacket.parse(data) for data in side.take(0.0) + side.take(0.1)]
    assert {packet.ssrc for packet in packets} == {1, 3}
    assert {dict(packet.extensions)[10] for packet in packets} == {b"q", b"f"}
    assert side.packets_refused == 2


def test_what_is_forwarded_keeps_its_kind() -> None:
    event = attrs.evolve(OPUS, payload_type=110, name="telephone-event")
    parameters = SendParameters(AUDIO, "audio", (OPUS, event), (Encoding(9),), NAMES_ONLY)
    side = RtpSender(RtpOptions(), Bandwidth(BandwidthEstimationOptions()), random.Random(1))
    side.set_sections([parameters])
    for number, payload_type in enumerate((111, 110, 96)):
        side.send_packets(AUDIO, [RtpPacket(payload_type, number, 0, 5, b"x")], None, 0.0)
    sent = [RtpPacket.parse(data).payload_type for data in side.take(0.0)]
    assert sent == [111, 110, 111]


def test_received_sections_of_a_pair_agree() -> None:
    """The helper of these tests tells both sides the same."""
    theirs = received(video_section())
    assert theirs.ssrcs == {VIDEO_SSRC: None}
    assert theirs.repairs == {1001: VIDEO_SSRC}
