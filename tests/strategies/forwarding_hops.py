"""Two sessions of which the second returns packets to forward, with header extensions of each kind."""

from collections.abc import Mapping

from tests.strategies.rtp_pair import VIDEO, Pair, video_section
from trio_rtc.protocols.rtp import RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import (
    ABS_CAPTURE_TIME,
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RTP_STREAM_ID,
    RTP_STREAM_ID,
    TRANSPORT_WIDE_CC,
    VIDEO_ORIENTATION,
)

OTHER = "urn:example:negotiated-by-both"
FIRST_HOP = {
    1: VIDEO_ORIENTATION,
    2: ABS_SEND_TIME,
    3: TRANSPORT_WIDE_CC,
    4: MID,
    5: PLAYOUT_DELAY,
    6: ABS_CAPTURE_TIME,
    10: RTP_STREAM_ID,
    11: REPAIRED_RTP_STREAM_ID,
    12: OTHER,
    13: AUDIO_LEVEL,
}


def hop(extensions: Mapping[int, str], options: RtpOptions | None = None) -> Pair:
    """Return two sessions, of which the second returns packets."""
    pair = Pair(options)
    pair.negotiate(video_section(extensions=extensions))
    pair.bob.session.set_demand(VIDEO, frames=True, packets=True)
    return pair
