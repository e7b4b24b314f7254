"""What is asked of a source, in the words that it understands."""

import attrs

from tests.strategies.rtp_pair import VIDEO, VIDEO_SSRC, VP8, vp8_payload
from trio_rtc.protocols.rtcp import FullIntraRequest, GenericNack, PictureLossIndication
from trio_rtc.protocols.rtp import RtpOptions, RtpPacket
from trio_rtc.protocols.rtp.receive.feedback_requests import take_requests
from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream

OURS, LARGE = 7, 1150


def listening(*feedback: str) -> RtpReceiveStream:
    """Return a stream whose first picture has come, from a source that takes some kinds of feedback."""
    stream = RtpReceiveStream(VIDEO, VIDEO_SSRC, None, RtpOptions(keyframe_interval=1.0))
    stream.want(frames=False, packets=True)
    arrive(stream, 0, 0.0, *feedback)
    return stream


def arrive(stream: RtpReceiveStream, number: int, now: float, *feedback: str) -> None:
    payload = b"\x10" + vp8_payload(number, 50, keyframe=not number)
    packet = RtpPacket(96, number, 3000 * number, VIDEO_SSRC, payload, marker=True)
    assert stream.receive(packet, attrs.evolve(VP8, feedback=frozenset(feedback)), 100, now)


def test_who_misses_nothing_asks_nothing() -> None:
    assert take_requests(listening("nack", "nack pli"), OURS, 1.0, LARGE) == []


def test_what_is_missing_is_asked_for_once() -> None:
    stream = listening("nack")
    arrive(stream, 4, 0.1, "nack")
    (nack,) = take_requests(stream, OURS, 0.2, LARGE)
    assert isinstance(nack, GenericNack)
    assert (nack.sender_ssrc, nack.media_ssrc) == (OURS, VIDEO_SSRC)
    assert nack.sequence_numbers == [1, 2, 3]
    assert stream.counters.nacks_sent == 1
    assert take_requests(stream, OURS, 0.2, LARGE) == []


def test_a_request_that_is_too_large_is_several() -> None:
    stream = listening("nack")
    for number in range(20, 200, 20):
        arrive(stream, number, 0.1, "nack")
    requests = take_requests(stream, OURS, 0.2, 32)
    assert stream.counters.nacks_sent == len(requests) > 1
    assert all(len(request.encode()) <= 32 for request in requests)


def test_a_keyframe_is_asked_for_by_pli_where_that_is_taken() -> None:
    stream = listening("nack pli", "ccm fir")
    stream.request_keyframe()
    assert take_requests(stream, OURS, 1.0, LARGE) == [PictureLossIndication(OURS, VIDEO_SSRC)]
    assert take_requests(stream, OURS, 1.0, LARGE) == []
    assert (stream.counters.plis_sent, stream.counters.firs_sent) == (1, 0)


def test_else_by_fir_each_under_its_own_number() -> None:
    stream = listening("ccm fir")
    for number in range(3):
        stream.request_keyframe()
        expected = FullIntraRequest(OURS, ((VIDEO_SSRC, number),))
        assert take_requests(stream, OURS, 2.0 * number, LARGE) == [expected]
    assert (stream.counters.plis_sent, stream.counters.firs_sent) == (0, 3)


def test_who_takes_neither_is_asked_for_none() -> None:
    stream = listening()
    stream.request_keyframe()
    assert take_requests(stream, OURS, 1.0, LARGE) == []
