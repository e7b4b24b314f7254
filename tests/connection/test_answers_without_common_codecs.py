"""Answers that accept a section without an offered codec are refused, and leave the connection unchanged."""

import re

import pytest

from tests.strategies.media import until_connected
from tests.strategies.peers import description_of, trickle, two_peers
from trio_rtc import InvalidAccessError, RTCRtpReceiver, RTCSessionDescription, Settings, open_media_track

pytestmark = pytest.mark.usefixtures("autojump_clock")

CHOSEN = {
    "opus",
    "rtx",
    "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
}
OTHER_CODEC = {" H264/": " VP9/"}
# Another profile is accepted only under the payload type that was offered for this one.
OTHER_PROFILE = {"SAVPF 108 109": "SAVPF 97", ":108 ": ":97 ", "42e01f": "f4001f"}
UNKNOWN_CODEC = {"a=rtpmap:108 .*?\r\n": ""}
ONLY_RTX = {"SAVPF 108 109": "SAVPF 109"}
MONO_OPUS = {"opus/48000/2": "opus/48000"}


@pytest.mark.parametrize("description_type", ["answer", "pranswer"])
@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize(
    ("edits", "section", "codecs"),
    [
        (OTHER_CODEC, r"1 \(video\)", r"VP9/90000 under payload type 108 \(.*42e01f\)"),
        (OTHER_PROFILE, r"1 \(video\)", r"H264/90000 under payload type 97 \(.*f4001f\)"),
        (UNKNOWN_CODEC, r"1 \(video\)", "unknown ones"),
        (ONLY_RTX, r"1 \(video\)", "unknown ones"),
        (MONO_OPUS, r"0 \(audio\)", r"opus/48000 under payload type 111 \(minptime=10;useinbandfec=1\)"),
    ],
    ids=["other codec", "other profile", "unknown codec", "only rtx", "mono opus"],
)
async def test_answer_without_an_offered_codec_is_refused(
    edits: dict[str, str], section: str, codecs: str, decode: bool, description_type: str
) -> None:
    async with two_peers(settings=Settings(decode=decode)) as peers:
        alice, bob = peers.alice, peers.bob
        for kind in ("audio", "video"):
            capabilities = RTCRtpReceiver.get_capabilities(kind)
            assert capabilities is not None
            alice.add_transceiver(kind, direction="recvonly").set_codec_preferences(
                [each for each in capabilities.codecs if CHOSEN & {each.name, each.sdp_fmtp_line}]
            )
            bob.add_track(open_media_track(kind)[1])
        trickle(alice, bob)
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        answer = description_of(bob).sdp
        for old, new in edits.items():
            answer, count = re.subn(old, new, answer)
            assert count
        with pytest.raises(
            InvalidAccessError, match=rf"section {section} of the answer .* not only {codecs}$"
        ):
            await alice.set_remote_description(RTCSessionDescription(description_type, answer))
        assert alice.signaling_state == "have-local-offer"
        assert alice.remote_description is None
        await alice.set_remote_description(description_of(bob))
        assert [each.current_direction for each in alice.get_transceivers()] == ["recvonly"] * 2
        await until_connected(alice)
