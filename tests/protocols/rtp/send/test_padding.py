"""Padding that probes the path: media repeated by RTX, without disturbing the receiver."""

import random

import attrs
import pytest

from tests.strategies.rtp_pair import (
    RTX_SSRC,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    VP8_RTX,
    Pair,
    audio_section,
    ssrc_of,
    video_frame,
    video_section,
)
from trio_rtc.protocols.rtp import Codec, Encoding, SendParameters
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.payload import packetizer
from trio_rtc.protocols.rtp.send.history import PacketHistory
from trio_rtc.protocols.rtp.send.stream import RtpSendStream

VP8_ALONE = attrs.evolve(VP8, rtx_payload_type=None)


def stream(*codecs: Codec) -> RtpSendStream:
    made = RtpSendStream(
        VIDEO, Encoding(VIDEO_SSRC, RTX_SSRC), PacketHistory(), SequenceCounters(random.Random(1)), 77
    )
    made.configure(video_section(*codecs), codecs[0], packetizer("VP8", {}, random.Random(2)), None, None)
    return made


def send(made: RtpSendStream, number: int, size: int) -> None:
    for packet in made.packetize(video_frame(number, number / 30, size), 1160, number / 30):
        made.record_sent(packet, packet.encode(), number / 30)


def test_it_is_the_newest_packet_that_fits() -> None:
    made = stream(VP8, VP8_RTX)
    assert made.retransmitter.padding(1000) is None
    for number, size in enumerate((500, 200, 900)):
        send(made, number, size)
    large, small = made.retransmitter.padding(1000), made.retransmitter.padding(400)
    assert large is not None
    assert small is not None
    assert made.retransmitter.padding(100) is None
    assert (large.ssrc, large.payload_type) == (RTX_SSRC, VP8_RTX.payload_type)
    # RFC 4588 section 4: the original number is in front, and the stream has numbers of its own.
    assert len(small.payload) < 400 < 900 < len(large.payload)
    originals = [int.from_bytes(each.payload[:2], "big") for each in (large, small)]
    assert originals[0] - originals[1] == 1
    assert small.sequence_number == large.sequence_number + 1


def test_without_rtx_there_is_none() -> None:
    made = stream(VP8_ALONE)
    send(made, 0, 500)
    assert made.retransmitter.padding(10_000) is None


def test_it_is_counted_by_itself() -> None:
    made = stream(VP8, VP8_RTX)
    send(made, 0, 500)
    padding = made.retransmitter.padding(1000)
    assert padding is not None
    made.record_repeated(padding, len(padding.encode()), padding=True)
    counters = made.counters
    assert (counters.padding_packets_sent, counters.retransmitted_packets_sent) == (1, 0)
    assert counters.padding_bytes_sent == len(padding.payload) - 2 == counters.bytes_sent
    assert made.retransmitter.counters()["history_resent"] == 0


@pytest.mark.parametrize(
    ("section", "probed"),
    [
        pytest.param(video_section(), True, id="video"),
        pytest.param(video_section(VP8_ALONE), False, id="without-rtx"),
        pytest.param(audio_section(), False, id="sound"),
    ],
)
def test_the_path_is_probed_where_packets_can_be_repeated(section: SendParameters, probed: bool) -> None:
    pair = Pair()
    pair.negotiate(section)
    is_video = section.kind == "video"
    pair.run(3, video=30 * is_video, audio=not is_video)
    ((outgoing, _),) = pair.alice.session.sender.streams
    assert (outgoing.counters.padding_packets_sent > 0) is probed
    assert outgoing.counters.retransmitted_packets_sent == 0
    assert any(ssrc_of(each) == RTX_SSRC for each in pair.alice.datagrams) is probed


def test_padding_does_not_affect_the_received_frames() -> None:
    pair = Pair()
    pair.negotiate(video_section())
    pair.run(4, video=30)
    pair.run(0.2)
    (incoming,) = pair.bob.session.receiver.streams
    ((outgoing, _),) = pair.alice.session.sender.streams
    padding = outgoing.counters.padding_packets_sent
    assert incoming.counters.retransmitted_packets == incoming.counters.repairs_unneeded == padding > 0
    assert len(pair.bob.frames(VIDEO)) == pair.video_frames
    assert incoming.reception.lost == 0
    assert incoming.counters.nacks_sent == 0
