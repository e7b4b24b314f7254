"""The video codecs after a negotiation (RFC 7742 sections 5 and 6.2)."""

import pytest

from tests.api.web_platform.negotiation import local_track
from tests.strategies.peers import negotiate, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_vp8_and_h264_are_negotiated() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track("video"))
        await negotiate(peers.alice, peers.bob)
        codecs = sender.get_parameters().codecs
        assert {"video/VP8", "video/H264"} <= {codec.mime_type for codec in codecs}
        for codec in codecs:
            if codec.mime_type == "video/H264":
                assert "profile-level-id=" in (codec.sdp_fmtp_line or "")
