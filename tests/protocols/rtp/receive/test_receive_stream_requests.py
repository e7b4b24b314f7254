"""The requests of a stream: NACKs and keyframe requests, in the kinds of feedback that were negotiated."""

import attrs

from tests.strategies.rtp_pair import VIDEO, VIDEO_SSRC, VP8, vp8_payload
from trio_rtc.protocols.rtcp import FullIntraRequest, GenericNack, PictureLossIndication
from trio_rtc.protocols.rtp import RtpOptions, RtpPacket
from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream

OURS, LARGE = 7, 1150


def listening(*feedback: str) -> RtpReceiveStream:
    """Return a stream that has received a frame, of a codec with some kinds of feedback."""
    stream = RtpReceiveStream(VIDEO, VIDEO_SSRC, None, RtpOptions(keyframe_interval=1.0))
    stream.set_demand(frames=False, packets=True)
    arrive(stream, 0, 0.0, *feedback)
    return stream


def arrive(stream: RtpReceiveStream, number: int, now: float, *feedback: str) -> None:
    payload = b"\x10" + vp8_payload(number, 50, keyframe=not number)
    packet = RtpPacket(96, number, 3000 * number, VIDEO_SSRC, payload, marker=True)
    assert stream.receive(packet, attrs.evolve(VP8, feedback=tuple(feedback)), 100, now)


def test_without_loss_nothing_is_requested() -> None:
    assert listening("nack", "nack pli").take_requests(OURS, 1.0, LARGE) == []


def test_lost_packets_are_requested_once() -> None:
    stream = listening("nack")
    arrive(stream, 4, 0.1, "nack")
    (nack,) = stream.take_requests(OURS, 0.2, LARGE)
    assert isinstance(nack, GenericNack)
    assert (nack.sender_ssrc, nack.media_ssrc) == (OURS, VIDEO_SSRC)
    assert nack.sequence_numbers == [1, 2, 3]
    assert stream.counters.nacks_sent == 1
    assert stream.take_requests(OURS, 0.2, LARGE) == []


def test_a_nack_that_is_too_large_is_split() -> None:
    stream = listening("nack")
    for number in range(20, 200, 20):
        arrive(stream, number, 0.1, "nack")
    requests = stream.take_requests(OURS, 0.2, 32)
    assert stream.counters.nacks_sent == len(requests) > 1
    assert all(len(request.encode()) <= 32 for request in requests)


def test_a_keyframe_is_requested_by_pli_where_that_was_negotiated() -> None:
    stream = listening("nack pli", "ccm fir")
    stream.request_keyframe()
    assert stream.take_requests(OURS, 1.0, LARGE) == [PictureLossIndication(OURS, VIDEO_SSRC)]
    assert stream.take_requests(OURS, 1.0, LARGE) == []
    assert (stream.counters.plis_sent, stream.counters.firs_sent) == (1, 0)


def test_else_by_fir_with_a_new_number_each() -> None:
    stream = listening("ccm fir")
    for number in range(3):
        stream.request_keyframe()
        expected = FullIntraRequest(OURS, ((VIDEO_SSRC, number),))
        assert stream.take_requests(OURS, 2.0 * number, LARGE) == [expected]
    assert (stream.counters.plis_sent, stream.counters.firs_sent) == (0, 3)


def test_without_pli_and_fir_no_keyframe_is_requested() -> None:
    stream = listening()
    stream.request_keyframe()
    assert stream.take_requests(OURS, 1.0, LARGE) == []
