"""The encodings of a sender: defaults, and the layers of a simulcast."""

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from tests.strategies.media import media_peers, only
from tests.strategies.peers import description_of, negotiate
from trio_rtc import (
    InvalidModificationError,
    MediaStreamTrack,
    OperationError,
    RTCPeerConnection,
    RTCRtpCodec,
    RTCRtpEncodingParameters,
    RTCRtpReceiver,
    RTCRtpTransceiverDirection,
    open_media_track,
)

Clock = trio.testing.MockClock


@pytest.fixture
async def pc() -> AsyncIterator[RTCPeerConnection]:
    """A connection without a network."""
    connection = RTCPeerConnection()
    yield connection
    connection.close()


def local_track(kind: str = "audio") -> MediaStreamTrack:
    return open_media_track(kind)[1]


async def test_encodings_have_defaults(pc: RTCPeerConnection) -> None:
    layers = [RTCRtpEncodingParameters(rid) for rid in "qhfx"]
    video = pc.add_transceiver("video", send_encodings=layers).sender.get_parameters().encodings
    assert [(each.rid, each.scale_resolution_down_by) for each in video] == [("q", 4), ("h", 2), ("f", 1)]

    layers = [RTCRtpEncodingParameters("a"), RTCRtpEncodingParameters("b", scale_resolution_down_by=3)]
    video = pc.add_transceiver("video", send_encodings=layers).sender.get_parameters().encodings
    assert [each.scale_resolution_down_by for each in video] == [1, 3]

    layers = [RTCRtpEncodingParameters("only", max_bitrate=50_000)]
    (one,) = pc.add_transceiver("video", send_encodings=layers).sender.get_parameters().encodings
    assert one == RTCRtpEncodingParameters(None, max_bitrate=50_000, scale_resolution_down_by=1.0)

    layers = [RTCRtpEncodingParameters(scale_resolution_down_by=0.1, max_framerate=-3)]
    (one,) = pc.add_transceiver("audio", send_encodings=layers).sender.get_parameters().encodings
    assert one == RTCRtpEncodingParameters()


@pytest.mark.parametrize(
    ("kind", "mode"), [("video", "L1T3"), ("video", "S2T1"), ("video", "l1t1"), ("audio", "L1T1")]
)
async def test_scalability_modes_that_no_codec_supports_are_refused(
    pc: RTCPeerConnection, kind: str, mode: str
) -> None:
    # W3C webrtc-svc sections 4.2.1 and 4.2.2
    with pytest.raises(OperationError, match=f"scalability_mode of {kind} must be .*None, not '{mode}'"):
        pc.add_transceiver(kind, send_encodings=[RTCRtpEncodingParameters(scalability_mode=mode)])
    sender = pc.add_transceiver(kind).sender
    parameters = sender.get_parameters()
    parameters.encodings[0].scalability_mode = mode
    with pytest.raises(
        InvalidModificationError, match=f"scalability_mode of {kind} must be .*None, not '{mode}'"
    ):
        await sender.set_parameters(parameters)
    assert sender.get_parameters().encodings[0].scalability_mode is None


async def test_a_scalability_mode_is_returned_before_and_after_negotiation(autojump_clock: Clock) -> None:
    # W3C webrtc-svc section 4.2.3: an encoding without a mode has none after the negotiation either.
    async with media_peers() as peers:
        layers = [RTCRtpEncodingParameters("a", scalability_mode="L1T1"), RTCRtpEncodingParameters("b")]
        sender = peers.alice.add_transceiver("video", send_encodings=layers).sender
        assert [each.scalability_mode for each in sender.get_parameters().encodings] == ["L1T1", None]
        await negotiate(peers.alice, peers.bob)
        parameters = sender.get_parameters()
        assert parameters.encodings[0].scalability_mode == "L1T1"
        parameters.encodings[0].scalability_mode = None
        await sender.set_parameters(parameters)
        parameters = sender.get_parameters()
        assert parameters.encodings[0].scalability_mode is None
        parameters.encodings[0].scalability_mode = "L1T1"
        await sender.set_parameters(parameters)
        assert sender.get_parameters().encodings[0].scalability_mode == "L1T1"


def simulcast_offer(sdp: str, rids: str) -> str:
    """Return an offer of one video section that requests layers."""
    lines = "".join(f"a=rid:{rid} recv\r\n" for rid in rids.split(";"))
    return f"{sdp}{lines}a=simulcast:recv {rids}\r\n"


async def test_a_peer_requests_layers(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("video", direction="recvonly")
        sender = peers.bob.add_track(local_track("video"))
        await peers.alice.set_local_description()
        offer = simulcast_offer(description_of(peers.alice).sdp, "lo;mid;hi;xl")
        await peers.bob.set_remote_description({"type": "offer", "sdp": offer})
        layers = sender.get_parameters().encodings
        assert [(each.rid, each.scale_resolution_down_by) for each in layers] == [
            ("lo", 4.0),
            ("mid", 2.0),
            ("hi", 1.0),
        ]
        await peers.bob.set_remote_description({"type": "rollback"})
        assert [each.rid for each in sender.get_parameters().encodings] == [None]
        await peers.bob.set_remote_description({"type": "offer", "sdp": offer})
        await peers.bob.set_local_description()
        assert "a=simulcast:send lo;mid;hi" in description_of(peers.bob).sdp
        assert [each.rid for each in sender.get_parameters().encodings] == ["lo", "mid", "hi"]


async def test_layers_missing_in_the_answer_are_removed(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        layers = [RTCRtpEncodingParameters(rid) for rid in "abc"]
        transceiver = peers.alice.add_transceiver(local_track("video"), send_encodings=layers)
        before = transceiver.sender.get_parameters()
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        answer = description_of(peers.bob).sdp.replace("a=rid:a recv\r\n", "")
        answer = answer.replace("a=simulcast:recv a;b;c", "a=simulcast:recv b;c")
        await peers.alice.set_remote_description({"type": "answer", "sdp": answer})
        assert [each.rid for each in transceiver.sender.get_parameters().encodings] == ["b", "c"]
        with pytest.raises(InvalidModificationError):
            await transceiver.sender.set_parameters(before)


async def test_a_peer_without_simulcast_gets_one_layer(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        layers = [RTCRtpEncodingParameters(rid) for rid in "abc"]
        transceiver = peers.alice.add_transceiver(local_track("video"), send_encodings=layers)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        lines = description_of(peers.bob).sdp.splitlines(keepends=True)
        answer = "".join(line for line in lines if not line.startswith(("a=rid:", "a=simulcast:")))
        await peers.alice.set_remote_description({"type": "answer", "sdp": answer})
        (one,) = transceiver.sender.get_parameters().encodings
        assert one.rid == "a", "W3C removes the other encodings, and no member of the first"
        await peers.alice.set_local_description()
        offer = description_of(peers.alice).sdp
        assert "a=rid" not in offer
        assert "a=simulcast" not in offer
        assert "a=ssrc-group:FID" in offer


@pytest.mark.parametrize("holder", ["sender", "receiver"])
async def test_a_held_sender_keeps_its_layers(holder: str, autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        layers = [RTCRtpEncodingParameters(rid) for rid in "abc"]
        sending = peers.alice.add_transceiver(local_track("video"), send_encodings=layers)
        await negotiate(peers.alice, peers.bob)
        held = sending if holder == "sender" else only(peers.bob.get_transceivers())
        resumed = held.direction
        for direction, current in (
            (RTCRtpTransceiverDirection.INACTIVE, RTCRtpTransceiverDirection.INACTIVE),
            (resumed, RTCRtpTransceiverDirection.SENDONLY),
        ):
            held.direction = direction
            await negotiate(peers.alice, peers.bob)
            assert sending.current_direction is current
            assert [each.rid for each in sending.sender.get_parameters().encodings] == ["a", "b", "c"]
        assert "a=simulcast:send a;b;c" in description_of(peers.alice).sdp


async def test_rids_have_up_to_sixteen_letters_and_digits(pc: RTCPeerConnection) -> None:
    long = [RTCRtpEncodingParameters("a" * 16), RTCRtpEncodingParameters("b" * 16)]
    sender = pc.add_transceiver("video", send_encodings=long).sender
    assert [each.rid for each in sender.get_parameters().encodings] == ["a" * 16, "b" * 16]
    for rid in ("a" * 17, "", "a-b", "ä"):
        with pytest.raises(TypeError, match="a rid must consist of 1 to 16 letters and digits, not"):
            pc.add_transceiver("video", send_encodings=[RTCRtpEncodingParameters(rid)])


def video_codec(name: str, parameters: str = "") -> RTCRtpCodec:
    capabilities = RTCRtpReceiver.get_capabilities("video")
    assert capabilities is not None
    return next(
        each for each in capabilities.codecs if each.name == name and parameters in (each.sdp_fmtp_line or "")
    )


async def test_an_encoding_cannot_have_a_codec_that_is_only_decoded(pc: RTCPeerConnection) -> None:
    encoding = RTCRtpEncodingParameters(codec=video_codec("VP9", "profile-id=2"))
    with pytest.raises(OperationError, match="video/VP9 cannot be sent"):
        pc.add_transceiver("video", send_encodings=[encoding])


async def test_a_codec_that_is_negotiated_away_is_unset(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        vp8, vp9 = video_codec("VP8"), video_codec("VP9", "profile-id=0")
        encoding = RTCRtpEncodingParameters(codec=vp9)
        sender = peers.alice.add_transceiver(local_track("video"), send_encodings=[encoding]).sender
        await negotiate(peers.alice, peers.bob)
        (chosen,) = sender.get_parameters().encodings
        assert chosen.codec == vp9
        only(peers.bob.get_transceivers()).set_codec_preferences([vp8])
        await negotiate(peers.alice, peers.bob)
        (unset,) = sender.get_parameters().encodings
        assert unset.codec is None
        await sender.set_parameters(sender.get_parameters())


@pytest.mark.parametrize("first", ["added", "offered"])
async def test_a_codec_added_in_the_answer_is_sent(first: str, autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver(local_track("video"))
        transceiver.set_codec_preferences([video_codec("VP8")])
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        only(peers.bob.get_transceivers()).direction = RTCRtpTransceiverDirection.SENDRECV
        await peers.bob.set_local_description()
        answer = description_of(peers.bob).sdp
        formats = "127 96" if first == "added" else "96 127"
        assert "UDP/TLS/RTP/SAVPF 96\r\n" in answer
        answer = answer.replace("SAVPF 96\r\n", f"SAVPF {formats} 126\r\n") + (
            "a=rtpmap:127 VP9/90000\r\na=fmtp:127 profile-id=0\r\na=rtcp-fb:127 nack pli\r\n"
            # This profile is only decoded.
            "a=rtpmap:126 VP9/90000\r\na=fmtp:126 profile-id=2\r\n"
        )
        await peers.alice.set_remote_description({"type": "answer", "sdp": answer})
        codecs = transceiver.sender.get_parameters().codecs
        assert [(each.name, each.payload_type) for each in codecs] == (
            [("VP9", 127), ("VP8", 96)] if first == "added" else [("VP8", 96), ("VP9", 127)]
        )
        received = transceiver.receiver.get_parameters().codecs
        assert [each.name for each in received if each.name != "rtx"] == ["VP8"]
        parameters = transceiver.sender.get_parameters()
        parameters.encodings[0].codec = codecs[0]
        await transceiver.sender.set_parameters(parameters)


async def test_a_rolled_back_offer_leaves_its_layers_to_a_used_transceiver(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("video", direction="recvonly")
        await peers.alice.set_local_description()
        offer = simulcast_offer(description_of(peers.alice).sdp, "lo;hi")
        await peers.bob.set_remote_description({"type": "offer", "sdp": offer})
        sender = peers.bob.add_track(local_track("video"))
        await peers.bob.set_remote_description({"type": "rollback"})
        # W3C restores encodings without a RID of the stable state, which this transceiver has not been in.
        assert [each.rid for each in sender.get_parameters().encodings] == ["lo", "hi"]
        await peers.bob.set_local_description()
        assert "a=simulcast:send lo;hi" in description_of(peers.bob).sdp
