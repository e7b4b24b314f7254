"""Packets forwarded to another session: once each, with their end-to-end extensions, and protected there."""

import attrs

from tests.strategies.forwarding_hops import FIRST_HOP, hop
from tests.strategies.rtp_pair import (
    FEC_SSRC,
    FLEXFEC,
    RED_VIDEO,
    RTX_SSRC,
    ULPFEC,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    Pair,
    random_loss,
    ssrc_of,
    video_frame,
    video_section,
)
from trio_rtc.protocols.rtp import RtpOptions


def test_retransmissions_have_the_same_elements() -> None:
    """The orientation of a frame is in its last packet only, as the standard defines."""
    pair = hop(FIRST_HOP)
    pair.run(2.5, video=30)
    assert pair.alice.session.sender.streams[0][0].identifiers.acknowledged
    pair.drop = lambda datagram: ssrc_of(datagram) == VIDEO_SSRC
    frame = attrs.evolve(video_frame(1000, pair.now), rotation=180)
    pair.alice.session.send_frame(VIDEO, frame, pair.now)
    pair.run(0.01)
    pair.drop = lambda _: False
    pair.run(1, video=30)
    assert [each.rotation for each in pair.bob.frames(VIDEO) if each.payload == frame.payload] == [180]


def test_padding_that_probes_the_path_is_not_forwarded() -> None:
    pair = hop(FIRST_HOP)
    pair.run(4, video=30, size=2000)
    pair.run(0.1)
    counters = pair.alice.session.sender.streams[0][0].counters
    assert counters.padding_packets_sent > 5
    arrived = [each for each in pair.alice.datagrams if ssrc_of(each) == RTX_SSRC]
    assert len(arrived) >= counters.padding_packets_sent
    numbers = [packet.sequence_number for packet in pair.bob.packets]
    assert len(numbers) == len(set(numbers)) == counters.packets_sent
    assert all(packet.payload for packet in pair.bob.packets)


def test_lost_packets_are_forwarded_when_they_arrive() -> None:
    pair = hop(FIRST_HOP)
    pair.drop = random_loss(5, 0.1)
    pair.run(4, video=30)
    pair.drop = lambda _: False
    pair.run(1)
    numbers = [packet.sequence_number for packet in pair.bob.packets]
    assert pair.dropped > 10
    assert len(set(numbers)) == len(numbers)
    sent = pair.alice.session.sender.streams[0][0].counters.packets_sent
    assert sent - 2 <= len(numbers) <= sent


def test_packets_from_before_the_demand_are_not_forwarded_when_repeated() -> None:
    pair = hop(FIRST_HOP)
    pair.bob.session.set_demand(VIDEO, frames=True, packets=False)
    # The first packets are kept for an early consumer.
    pair.run(3, video=90)
    seen = pair.bob.session.receiver.streams
    (highest,) = [stream.reception.highest for stream in seen]
    assert highest is not None
    pair.bob.session.set_demand(VIDEO, frames=True, packets=True)
    pair.run(3, video=30)
    numbers = [packet.sequence_number for packet in pair.bob.packets]
    assert min(numbers) == highest + 1
    assert len(set(numbers)) == len(numbers)


def test_forwarded_packets_are_protected_where_that_was_negotiated() -> None:
    section = video_section(attrs.evolve(VP8, rtx_payload_type=None, feedback=()), FLEXFEC, fec=True)
    pair = Pair(RtpOptions(fec_loss=0))
    pair.negotiate(section)
    source = hop(FIRST_HOP)
    lost = {20 * number + 7 for number in range(1, 100)}
    count = 0

    def drop(datagram: bytes) -> bool:
        nonlocal count
        count += ssrc_of(datagram) == VIDEO_SSRC
        return ssrc_of(datagram) == VIDEO_SSRC and count in lost

    pair.drop = drop
    for _ in range(120):
        source.run(1 / 30, video=30)
        pair.alice.session.send_packets(VIDEO, source.bob.packets, pair.now)
        source.bob.packets.clear()
        pair.run(1 / 30)
    assert any(ssrc_of(datagram) == FEC_SSRC for datagram in pair.alice.datagrams)
    (stream,) = pair.bob.session.receiver.streams
    assert stream.counters.fec_recovered > 5
    assert pair.alice.session.sender.streams[0][0].counters.fec_packets_sent > 10


def test_fec_packets_among_the_media_leave_no_gap() -> None:
    pair = Pair(RtpOptions(fec_loss=0))
    pair.negotiate(video_section(attrs.evolve(VP8, rtx_payload_type=None, feedback=()), RED_VIDEO, ULPFEC))
    pair.bob.session.set_demand(VIDEO, frames=False, packets=True)
    pair.drop = random_loss(3, 0.1)
    pair.run(2, video=30, size=4000)
    pair.drop = lambda _: False
    pair.run(0.2, video=30, size=4000)
    before = len(pair.bob.packets)
    repairs = pair.bob.session.receiver.counters()["incoming_fec_packets"]
    pair.run(0.7, video=30, size=4000)
    assert pair.bob.session.receiver.counters()["incoming_fec_packets"] > repairs > 10
    numbers = [packet.sequence_number for packet in pair.bob.packets[before:]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
