"""Lost packets that cannot be retransmitted in time are replaced by a keyframe before the peer requests one."""

from tests.strategies.rtp_pair import VIDEO, Pair, is_rtcp, video_section
from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.rtp import RtpOptions


def last_number(pair: Pair) -> int:
    """Return the last frame that Bob has received."""
    frame = pair.bob.frames(VIDEO)[-1]
    return int.from_bytes(frame.payload[10 if frame.keyframe else 3 :][:4], "big")


def test_without_room_for_retransmissions_a_keyframe_replaces_them() -> None:
    options = RtpOptions(bandwidth_estimation=BandwidthEstimationOptions(max_bitrate=300_000))
    pair = Pair(options)
    pair.negotiate(video_section())
    pair.run(1, video=30, size=600)
    pair.drop = lambda datagram: not is_rtcp(datagram) and len(datagram) > 1000
    pair.run(0.1, video=30, size=6_000)
    pair.run(0.2, video=30, size=600)
    pair.drop = lambda _: False
    pair.run(0.2, video=30, size=600)
    (bob,) = pair.bob.session.receiver.streams
    assert bob.counters.plis_sent == 0
    assert pair.keyframe_requests == 1
    pair.run(0.4, video=30, size=600)
    pair.run(0.2)
    assert last_number(pair) == pair.video_frames - 1
    assert bob.counters.plis_sent == 0
