"""Parameters of VP8 that the peer requests (RFC 7741 section 6.1)."""

import pytest

from tests.api.web_platform.negotiation import local_track
from tests.strategies.peers import description_of, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_an_answer_with_limits_is_accepted_and_reported() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track("video"))
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        answer = description_of(peers.bob).sdp
        line = next(line for line in answer.splitlines(keepends=True) if line.endswith(" VP8/90000\r\n"))
        number = line.split()[0].removeprefix("a=rtpmap:")
        limited = answer.replace(line, f"{line}a=fmtp:{number} max-fr=30;max-fs=3600\r\n")
        await peers.alice.set_remote_description({"type": "answer", "sdp": limited})
        (vp8,) = [codec for codec in sender.get_parameters().codecs if codec.name == "VP8"]
        assert vp8.payload_type == int(number)
        assert peers.alice.signaling_state == "stable"
