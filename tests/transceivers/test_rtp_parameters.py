"""RTCRtpSendParameters (W3C webrtc section 5.2): what they are, and what can be set."""

import pytest
import trio

from tests.strategies.media import (
    media_peers,
    only,
)
from tests.strategies.peers import negotiate
from trio_rtc import (
    InvalidModificationError,
    InvalidStateError,
    MediaStreamTrack,
    RTCDegradationPreference,
    RTCEncodingOptions,
    RTCPeerConnection,
    RTCPriorityType,
    RTCRtpCodec,
    RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSender,
    RTCRtpSendParameters,
    open_media_track,
)

Clock = trio.testing.MockClock


def local_track(kind: str = "video") -> MediaStreamTrack:
    return open_media_track(kind)[1]


def simulcast_sender(pc: RTCPeerConnection) -> RTCRtpSender:
    layers = [RTCRtpEncodingParameters(rid) for rid in "ab"]
    return pc.add_transceiver(local_track(), send_encodings=layers).sender


async def test_parameters_before_negotiation() -> None:
    pc = RTCPeerConnection()
    parameters = pc.add_transceiver("video").sender.get_parameters()
    assert parameters.transaction_id
    assert parameters.encodings == [RTCRtpEncodingParameters(scale_resolution_down_by=1.0)]
    assert (parameters.codecs, parameters.header_extensions) == ((), ())
    assert parameters.rtcp.cname
    assert parameters.rtcp.cname == pc.add_transceiver("audio").sender.get_parameters().rtcp.cname
    assert not parameters.rtcp.reduced_size
    pc.close()


async def test_parameters_after_negotiation(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_track(local_track())
        assert sender.transport is None
        await negotiate(peers.alice, peers.bob)
        parameters = sender.get_parameters()
        assert parameters.codecs[0].name == "VP8"
        assert all(0 <= codec.payload_type < 128 for codec in parameters.codecs)
        assert all(0 < extension.id < 256 for extension in parameters.header_extensions)
        assert parameters.rtcp.reduced_size
        assert sender.transport is not None
        receiver = only(peers.bob.get_transceivers()).receiver
        assert [codec.payload_type for codec in receiver.get_parameters().codecs] == [
            codec.payload_type for codec in parameters.codecs
        ]
        # A receiver's parameters have no CNAME.
        assert receiver.get_parameters().rtcp.cname is None


async def test_parameters_are_valid_for_one_change() -> None:
    pc = RTCPeerConnection()
    sender = pc.add_transceiver("video").sender
    first, again = sender.get_parameters(), sender.get_parameters()
    assert first == again
    first.encodings[0].max_bitrate = 100_000
    assert again.encodings[0].max_bitrate is None
    await sender.set_parameters(first)
    with pytest.raises(InvalidStateError):
        await sender.set_parameters(first)
    new = sender.get_parameters()
    assert new.transaction_id != first.transaction_id
    assert new.encodings[0].max_bitrate == 100_000
    with pytest.raises(InvalidModificationError):
        await sender.set_parameters(again)
    await sender.set_parameters(new)
    pc.close()


async def test_parameters_are_valid_in_one_turn_of_the_scheduler(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_track(local_track())
        first = sender.get_parameters()
        assert sender.get_parameters().transaction_id == first.transaction_id
        await sender.set_parameters(first)
        late = sender.get_parameters()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(InvalidStateError, match="only until the task waits for anything"):
            await sender.set_parameters(late)
        assert sender.get_parameters().transaction_id != late.transaction_id
        with pytest.raises(InvalidModificationError, match="must be the last result"):
            await sender.set_parameters(late)


async def test_a_cancelled_change_of_parameters_changes_nothing() -> None:
    pc = RTCPeerConnection()
    sender = pc.add_transceiver("video").sender
    parameters = sender.get_parameters()
    parameters.encodings[0].active = False
    with trio.CancelScope() as scope:
        scope.cancel()
        await sender.set_parameters(parameters)
    assert sender.get_parameters().encodings[0].active
    pc.close()


async def test_keyframes_are_requested_with_parameters(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sender = simulcast_sender(peers.alice)
        await negotiate(peers.alice, peers.bob)
        key, delta = RTCEncodingOptions(key_frame=True), RTCEncodingOptions()
        async with sender.keyframe_requests() as requests:
            await sender.set_parameters(sender.get_parameters(), encoding_options=[delta, key])
            assert await requests.receive() == "b"
            parameters = sender.get_parameters()
            parameters.encodings[0].active = False
            await sender.set_parameters(parameters, encoding_options=[key, key])
            assert await requests.receive() == "b"
            with pytest.raises(InvalidModificationError, match="one element per encoding, 2, not 1"):
                await sender.set_parameters(sender.get_parameters(), encoding_options=[key])
            await sender.set_parameters(sender.get_parameters())
            with trio.move_on_after(1) as waiting:
                await requests.receive()
            assert waiting.cancelled_caught


async def test_parameters_do_not_outlive_a_negotiation(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_track(local_track())
        parameters = sender.get_parameters()
        await negotiate(peers.alice, peers.bob)
        with pytest.raises(InvalidStateError):
            await sender.set_parameters(parameters)
        sender.get_parameters()
        with pytest.raises(InvalidModificationError):
            await sender.set_parameters(parameters)


async def test_parameters_that_can_be_set() -> None:
    pc = RTCPeerConnection()
    sender = simulcast_sender(pc)
    codec = RTCRtpCodec("video/VP8", 90000)
    parameters = sender.get_parameters()
    parameters.degradation_preference = RTCDegradationPreference.MAINTAIN_RESOLUTION
    parameters.encodings[1] = RTCRtpEncodingParameters(
        "b", False, codec, 1_000_000, 15.0, 3.0, RTCPriorityType.HIGH, RTCPriorityType.MEDIUM
    )
    parameters.encodings[0].scale_resolution_down_by = None
    wanted = parameters.encodings[1]
    await sender.set_parameters(parameters)
    reported = sender.get_parameters()
    assert reported.encodings == [RTCRtpEncodingParameters("a", scale_resolution_down_by=1.0), wanted]
    assert reported.degradation_preference == "maintain-resolution"
    pc.close()


def drop_one(parameters: RTCRtpSendParameters) -> None:
    del parameters.encodings[0]


def swap(parameters: RTCRtpSendParameters) -> None:
    parameters.encodings.reverse()


def rename(parameters: RTCRtpSendParameters) -> None:
    parameters.encodings[0].rid = "c"


def add_extension(parameters: RTCRtpSendParameters) -> None:
    parameters.header_extensions = (RTCRtpHeaderExtensionParameters("urn:new", 1),)


def claim_reduced_size(parameters: RTCRtpSendParameters) -> None:
    parameters.rtcp = type(parameters.rtcp)("other", reduced_size=True)


def forge(parameters: RTCRtpSendParameters) -> None:
    parameters.transaction_id = "forged"


def unknown_codec(parameters: RTCRtpSendParameters) -> None:
    parameters.encodings[0].codec = RTCRtpCodec("video/none", 90000)


def tiny_scale(parameters: RTCRtpSendParameters) -> None:
    parameters.encodings[0].scale_resolution_down_by = 0.99


def negative_rate(parameters: RTCRtpSendParameters) -> None:
    parameters.encodings[0].max_framerate = -1


def huge_bitrate(parameters: RTCRtpSendParameters) -> None:
    parameters.encodings[0].max_bitrate = 1 << 32


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (drop_one, InvalidModificationError),
        (swap, InvalidModificationError),
        (rename, InvalidModificationError),
        (add_extension, InvalidModificationError),
        (claim_reduced_size, InvalidModificationError),
        (forge, InvalidModificationError),
        (unknown_codec, InvalidModificationError),
        (tiny_scale, ValueError),
        (negative_rate, ValueError),
        (huge_bitrate, ValueError),
    ],
)
async def test_parameters_that_cannot_be_set(change: object, error: type[Exception]) -> None:
    pc = RTCPeerConnection()
    sender = simulcast_sender(pc)
    parameters = sender.get_parameters()
    assert callable(change)
    change(parameters)
    with pytest.raises(error):
        await sender.set_parameters(parameters)
    # A rejection changes nothing, and the transaction is still open.
    await sender.set_parameters(sender.get_parameters())
    assert [each.rid for each in sender.get_parameters().encodings] == ["a", "b"]
    pc.close()


async def test_scaling_is_rejected_for_audio() -> None:
    pc = RTCPeerConnection()
    sender = pc.add_transceiver("audio").sender
    parameters = sender.get_parameters()
    parameters.encodings[0].scale_resolution_down_by = 0.1
    parameters.encodings[0].max_framerate = -5
    await sender.set_parameters(parameters)
    assert sender.get_parameters().encodings == [RTCRtpEncodingParameters()]
    pc.close()


async def test_a_codec_must_be_preferred_or_negotiated(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver(local_track())
        capabilities = RTCRtpSender.get_capabilities("video")
        assert capabilities is not None
        vp8, vp9 = (next(c for c in capabilities.codecs if c.name == name) for name in ("VP8", "VP9"))
        transceiver.set_codec_preferences([vp8])
        for moment in ("before", "after"):
            parameters = transceiver.sender.get_parameters()
            parameters.encodings[0].codec = vp9
            with pytest.raises(InvalidModificationError):
                await transceiver.sender.set_parameters(parameters)
            parameters.encodings[0].codec = vp8
            await transceiver.sender.set_parameters(parameters)
            if moment == "before":
                await negotiate(peers.alice, peers.bob)


async def test_a_stopped_sender_rejects_parameters() -> None:
    pc = RTCPeerConnection()
    transceiver = pc.add_transceiver("audio")
    parameters = transceiver.sender.get_parameters()
    transceiver.stop()
    with pytest.raises(InvalidStateError):
        await transceiver.sender.set_parameters(parameters)
    pc.close()
