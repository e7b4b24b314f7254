"""After a video frame was dropped between encoder and network, the next one must be a keyframe."""

import attrs
import pytest

from tests.strategies.rtp_pair import (
    AUDIO,
    VIDEO,
    VIDEO_SSRC,
    audio_frame,
    audio_section,
    make_session,
    srtp_pair,
    video_frame,
    video_section,
)
from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.rtp import (
    EncodedFrame,
    KeyframeRequested,
    RtpEvent,
    RtpOpened,
    RtpOptions,
    RtpPacket,
    RtpSession,
)

NOW = 100.0
REQUEST = KeyframeRequested(VIDEO, None)


def delta(number: int = 1) -> EncodedFrame:
    return video_frame(number, NOW, keyframe=False)


def keyframe(number: int = 0) -> EncodedFrame:
    return video_frame(number, NOW, keyframe=True)


def opened(options: RtpOptions | None = None) -> RtpSession:
    """Return a session with keys that has sent a keyframe."""
    session = make_session(1, options)
    session.set_sections([video_section(), audio_section()], [], NOW)
    session.set_keys(srtp_pair()[0], NOW)
    session.send_frame(VIDEO, keyframe(), NOW)
    requests(session)
    return session


def requests(session: RtpSession) -> list[RtpEvent]:
    return [event for event in session.events() if isinstance(event, KeyframeRequested)]


def sent(session: RtpSession) -> float:
    """Return how many frames were sent."""
    return session.sender.streams[0][0].counters.frames_sent


def test_frames_before_the_keys_request_a_keyframe_when_these_are_set() -> None:
    session = make_session(1)
    session.set_sections([video_section()], [], NOW)
    for number in range(3):
        session.send_frame(VIDEO, video_frame(number, NOW), NOW)
    assert not requests(session)
    session.set_keys(srtp_pair()[0], NOW)
    assert session.events() == [RtpOpened(), REQUEST]
    session.send_frame(VIDEO, delta(), NOW)
    assert sent(session) == 0
    session.send_frame(VIDEO, keyframe(), NOW)
    session.send_frame(VIDEO, delta(), NOW)
    assert sent(session) == 2
    assert session.counters()["rtp"]["frames_withheld"] == 1


def test_packets_before_the_keys_request_a_keyframe_when_these_are_set() -> None:
    session = make_session(1)
    session.set_sections([video_section()], [], NOW)
    session.send_packets(VIDEO, [RtpPacket(96, 1, 0, 7, b"\x10\0")], NOW)
    assert not requests(session)
    session.set_keys(srtp_pair()[0], NOW)
    assert session.events() == [RtpOpened(), REQUEST]


def test_without_earlier_frames_the_keys_request_nothing() -> None:
    session = make_session(1)
    session.set_sections([video_section(), audio_section()], [], NOW)
    session.send_frame(AUDIO, audio_frame(0, NOW), NOW)
    session.set_keys(srtp_pair()[0], NOW)
    assert not requests(session)


def test_a_stream_begins_with_a_keyframe() -> None:
    session = make_session(1)
    session.set_sections([video_section()], [], NOW)
    session.set_keys(srtp_pair()[0], NOW)
    session.send_frame(VIDEO, delta(), NOW)
    assert requests(session) == [REQUEST]
    assert sent(session) == 0


def test_a_full_pacer_requests_a_keyframe_and_withholds_dependent_frames() -> None:
    session = opened(RtpOptions(bandwidth_estimation=BandwidthEstimationOptions(pacer_max_packets=10)))
    session.send_frame(VIDEO, video_frame(1, NOW, 20_000, keyframe=False), NOW)
    assert requests(session) == [REQUEST]
    assert len(session.sender.packets_to_send(NOW + 5)) == 10
    before = sent(session)
    session.send_frame(VIDEO, delta(), NOW + 5)
    assert sent(session) == before
    # The answer to the request may be lost, too.
    assert requests(session) == [REQUEST]
    session.send_frame(VIDEO, keyframe(), NOW + 5)
    session.send_frame(VIDEO, delta(), NOW + 5)
    assert sent(session) == before + 2
    assert not requests(session)


def test_requests_for_lost_frames_are_not_repeated_at_once() -> None:
    session = opened(RtpOptions(bandwidth_estimation=BandwidthEstimationOptions(pacer_max_packets=10)))
    asked = 0
    for index in range(60):
        session.send_frame(VIDEO, video_frame(index, NOW, 20_000, keyframe=bool(index % 2)), NOW + index / 60)
        asked += len(requests(session))
    assert 3 <= asked <= 4


def test_a_refused_frame_makes_the_next_one_a_keyframe() -> None:
    session = opened()
    before = sent(session)
    with pytest.raises(ValueError, match=r"negotiated codec \(VP8\)"):
        session.send_frame(VIDEO, attrs.evolve(delta(), codec="H264"), NOW)
    session.send_frame(VIDEO, delta(), NOW)
    assert sent(session) == before
    assert requests(session) == [REQUEST]


def test_a_reactivated_layer_continues_with_a_keyframe() -> None:
    session = opened()
    before = sent(session)
    section = video_section()
    off = attrs.evolve(
        section, encodings=tuple(attrs.evolve(each, active=False) for each in section.encodings)
    )
    session.set_sections([off], [], NOW)
    session.send_frame(VIDEO, delta(), NOW)
    assert not requests(session)
    session.set_sections([section], [], NOW)
    session.send_frame(VIDEO, delta(), NOW)
    assert requests(session) == [REQUEST]
    assert sent(session) == before


def test_a_frame_dropped_before_rtp_requests_a_keyframe_and_another_with_the_next_frame() -> None:
    session = opened()
    for _ in range(10):
        session.lose_frame(VIDEO, None, NOW)
    assert requests(session) == [REQUEST]
    session.lose_frame(VIDEO, None, NOW + 1)
    assert not requests(session)
    session.send_frame(VIDEO, delta(), NOW + 1)
    assert requests(session) == [REQUEST]


def test_a_path_that_is_back_requests_a_keyframe() -> None:
    session = opened()
    session.send_frame(AUDIO, audio_frame(0, NOW), NOW)
    session.path_restored(NOW)
    assert requests(session) == [REQUEST]
    before = sent(session)
    # Lost packets may still be retransmitted: frames continue until the keyframe.
    session.send_frame(VIDEO, delta(), NOW)
    assert sent(session) == before + 1


def test_a_restored_path_requests_nothing_of_a_stream_without_packets() -> None:
    session = make_session(1)
    session.set_sections([video_section()], [], NOW)
    session.set_keys(srtp_pair()[0], NOW)
    session.path_restored(NOW)
    assert not requests(session)


def test_another_source_begins_with_a_keyframe() -> None:
    session = opened()
    session.begin_source(VIDEO, None)
    assert not requests(session)
    session.send_frame(VIDEO, delta(), NOW)
    assert requests(session) == [REQUEST]
    assert sent(session) == 1
    session.send_frame(VIDEO, keyframe(2), NOW)
    session.send_frame(VIDEO, delta(3), NOW)
    assert sent(session) == 3
    assert not requests(session)


@pytest.mark.parametrize("lost", ["lose_frame", "refuse_frame"])
def test_audio_needs_no_keyframes(lost: str) -> None:
    session = opened()
    if lost == "lose_frame":
        session.lose_frame(AUDIO, None, NOW)
    else:
        session.refuse_frame(AUDIO, None)
    session.send_frame(AUDIO, attrs.evolve(audio_frame(0, NOW), keyframe=False), NOW)
    assert not requests(session)
    assert session.sender.streams[1][0].counters.frames_sent == 1


def test_a_section_that_is_not_there_has_no_frames_to_lose() -> None:
    session = opened()
    session.lose_frame("another", None, NOW)
    session.refuse_frame("another", None)
    session.begin_source("another", None)
    assert not requests(session)
    assert VIDEO_SSRC in session.sender.ssrcs
