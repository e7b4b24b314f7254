"""``set_codec_preferences`` (W3C webrtc section 5.4)."""

from typing import Any

import attrs
import pytest

from tests.api.web_platform.negotiation import section
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import (
    InvalidModificationError,
    RTCPeerConnection,
    RTCRtpCodec,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiverDirection,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")

KINDS = pytest.mark.parametrize("kind", ["audio", "video"])
RESILIENCE = ("rtx", "red", "ulpfec", "flexfec-03", "CN", "telephone-event")


def codecs_of(kind: str) -> list[RTCRtpCodec]:
    capabilities = RTCRtpReceiver.get_capabilities(kind)
    assert capabilities is not None
    return list(capabilities.codecs)


def offered(description_section: str) -> list[str]:
    """Return the names of a section's codecs in the order of their payload types."""
    lines = description_section.splitlines()
    names = dict(
        line[len("a=rtpmap:") :].split("/")[0].split() for line in lines if line.startswith("a=rtpmap:")
    )
    return [names[number] for number in lines[0].split()[3:] if number in names]


@KINDS
async def test_all_capabilities_in_any_order_and_none(kind: str) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver(kind)
        transceiver.set_codec_preferences(codecs_of(kind))
        transceiver.set_codec_preferences(codecs_of(kind)[::-1])
        transceiver.set_codec_preferences([])


@KINDS
async def test_repeated_codecs_count_once(kind: str) -> None:
    async with two_peers() as peers:
        codecs = codecs_of(kind)
        transceiver = peers.alice.add_transceiver(kind)
        transceiver.set_codec_preferences([*codecs, *codecs])
        await peers.alice.set_local_description()
        names = [
            line
            for line in section(description_of(peers.alice), 0).splitlines()
            if line.startswith("a=rtpmap:")
        ]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(("kind", "other"), [("audio", "video"), ("video", "audio")])
async def test_codecs_of_the_other_kind_are_refused(kind: str, other: str) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver(kind)
        for codecs in (codecs_of(other), codecs_of(kind) + codecs_of(other)):
            with pytest.raises(InvalidModificationError):
                transceiver.set_codec_preferences(codecs)


@KINDS
async def test_resilience_codecs_alone_are_refused(kind: str) -> None:
    async with two_peers() as peers:
        codecs = [codec for codec in codecs_of(kind) if codec.name in RESILIENCE]
        assert codecs
        with pytest.raises(InvalidModificationError):
            peers.alice.add_transceiver(kind).set_codec_preferences(codecs)


@KINDS
@pytest.mark.parametrize("change", ["clock_rate", "channels", "mime_type", "sdp_fmtp_line"])
async def test_a_changed_codec_is_refused(kind: str, change: str) -> None:
    async with two_peers() as peers:
        codec = codecs_of(kind)[0]
        changed: dict[str, Any] = {
            "clock_rate": codec.clock_rate // 2,
            "channels": 11,
            "mime_type": f"{kind}/none",
            "sdp_fmtp_line": "unknown=1",
        }
        wrong = attrs.evolve(codec, **{change: changed[change]})
        with pytest.raises(InvalidModificationError):
            peers.alice.add_transceiver(kind).set_codec_preferences([wrong])


@KINDS
async def test_the_offer_has_them_in_their_order(kind: str) -> None:
    async with two_peers() as peers:
        names = ["PCMU", "opus"] if kind == "audio" else ["VP9", "VP8"]
        chosen = [next(codec for codec in codecs_of(kind) if codec.name == name) for name in names]
        peers.alice.add_transceiver(kind).set_codec_preferences(chosen)
        await peers.alice.set_local_description()
        assert offered(section(description_of(peers.alice), 0)) == names


def received_only() -> RTCRtpCodec:
    """Return a codec of video that is decoded, but not encoded."""
    capabilities = RTCRtpSender.get_capabilities("video")
    assert capabilities is not None
    return next(codec for codec in codecs_of("video") if codec not in capabilities.codecs)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("sendrecv", ["VP8"]), ("sendonly", ["VP8"]), ("recvonly", ["AV1", "VP8"])],
)
async def test_a_direction_that_sends_excludes_codecs_that_are_only_received(
    direction: RTCRtpTransceiverDirection, expected: list[str]
) -> None:
    # W3C webrtc section 5.4: the preferences are those of receiving; offers and answers filter them by direction.
    preferences = [received_only(), next(codec for codec in codecs_of("video") if codec.name == "VP8")]
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("video", direction=direction)
        transceiver.set_codec_preferences(preferences)
        await peers.alice.set_local_description()
        assert offered(section(description_of(peers.alice), 0)) == expected
    async with two_peers() as peers:
        peers.alice.add_transceiver("video", direction="recvonly")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        (transceiver,) = peers.bob.get_transceivers()
        transceiver.direction = direction
        transceiver.set_codec_preferences(preferences)
        await peers.bob.set_local_description()
        assert offered(section(description_of(peers.bob), 0)) == expected


async def test_the_answer_has_the_answerers_order() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        chosen = [
            next(codec for codec in codecs_of("video") if codec.name == name) for name in ("VP9", "VP8")
        ]
        peers.bob.get_transceivers()[0].set_codec_preferences(chosen)
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert offered(section(description_of(peers.bob), 0)) == ["VP9", "VP8"]
        (mine,) = peers.alice.get_transceivers()
        assert [codec.name for codec in mine.sender.get_parameters().codecs] == ["VP9", "VP8"]


def send_names(pc: RTCPeerConnection) -> list[str]:
    return [codec.name for codec in pc.get_senders()[0].get_parameters().codecs]


async def test_a_later_preference_counts_from_the_next_exchange_on() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("video")
        await negotiate(peers.alice, peers.bob)
        before = send_names(peers.alice)
        transceiver.set_codec_preferences(
            [next(codec for codec in codecs_of("video") if codec.name == "VP9")]
        )
        assert send_names(peers.alice) == before
        await negotiate(peers.alice, peers.bob)
        assert send_names(peers.alice) == ["VP9"]
        transceiver.set_codec_preferences([])
        await negotiate(peers.alice, peers.bob)
        assert sorted(send_names(peers.alice)) == sorted(before)
