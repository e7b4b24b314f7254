"""Offers of profiles that are not decoded here: accepted where the application wants encoded media, else rejected."""

import re
from fractions import Fraction

import av
import pytest
import trio

from tests.strategies.media import until_connected
from tests.strategies.peers import Peers, description_of, trickle, two_peers
from tests.strategies.rtp_payloads import load_sample
from tests.strategies.video_frames import timed_pattern
from trio_rtc import (
    EncodedFrame,
    MediaStreamTrackSource,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    RTCTrackEvent,
    Settings,
    open_media_track,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")

FRAME_RATE = 30
HIGH_444 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=f4001f"
UNDECODED = [
    ("H264", HIGH_444),
    ("H264", "packetization-mode=1;profile-level-id=58001f"),
    ("AV1", "level-idx=5;profile=2;tier=0"),
    ("H265", "level-id=93;profile-id=4;tier-flag=0;tx-mode=SRST"),
    ("H265", "level-id=93;profile-id=1;tier-flag=1;tx-mode=SRST"),
]
DECODED = [
    ("VP9", "profile-id=2"),
    ("AV1", "level-idx=5;profile=1;tier=0"),
    ("H265", "level-id=93;profile-id=2;tier-flag=0;tx-mode=SRST"),
]


def encoded_by(encoder: str, pixel_format: str) -> list[tuple[bool, bytes]]:
    """Return encoded frames: whether each is a keyframe, and its bytes."""
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 320, 180, pixel_format
    context.time_base = Fraction(1, FRAME_RATE)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none"}
    packets = []
    for counter in range(4):
        frame = timed_pattern(counter).reformat(format=pixel_format)
        frame.pts, frame.time_base = counter, context.time_base
        packets += context.encode(frame)
    packets += context.encode(None)
    # Depacketizers write start codes of four bytes.
    return [(each.is_keyframe, re.sub(b"\0?\0\0\1", b"\0\0\0\1", bytes(each))) for each in packets]


def vp9_of_profile_2(bitstream: bytes) -> bytes:
    """Write profile 2 and ten bits into the uncompressed header of profile 0."""
    edited = bytes([bitstream[0] | 0x10]) + bitstream[1:]
    if bitstream[1:4] != b"\x49\x83\x42":
        return edited
    rest = int.from_bytes(edited[4:], "big") << 7
    return edited[:4] + rest.to_bytes(len(edited) - 3, "big")


def av1_of_profile(bitstream: bytes, profile: int) -> bytes:
    """Write ``seq_profile`` into the sequence header, if the frame has one after its temporal delimiter."""
    if bitstream[2] != 0x0A:
        return bitstream
    return bitstream[:4] + bytes([bitstream[4] & 0x1F | profile << 5]) + bitstream[5:]


def frames_of(codec: str, parameters: str) -> list[tuple[bool, bytes]]:
    """Return frames of the profile, or, for H.264 and H.265, of one that is not decoded in WebRTC either."""
    if codec == "H264":
        return encoded_by("libx264", "yuv444p")
    if codec == "H265":
        return encoded_by("libx265", "yuv444p")
    if codec == "VP9":
        return [(keyframe, vp9_of_profile_2(each)) for keyframe, each in load_sample("libvpx-vp9")]
    (profile,) = re.findall(r"\bprofile=(\d)", parameters)
    return [(keyframe, av1_of_profile(each, int(profile))) for keyframe, each in load_sample("svt-av1")]


def prefer(transceiver: RTCRtpTransceiver, codec: str) -> None:
    """Offer one payload type of a codec."""
    capabilities = RTCRtpReceiver.get_capabilities("video")
    assert capabilities is not None
    transceiver.set_codec_preferences([next(each for each in capabilities.codecs if each.name == codec)])


def with_parameters(offer: str, parameters: str) -> str:
    edited, count = re.subn(r"(a=fmtp:\d+) [^\r]*", rf"\1 {parameters}", offer)
    assert count == edited.count("a=rtpmap:") == 1
    return edited


async def offer_profile(peers: Peers, parameters: str) -> None:
    """Negotiate from Bob to Alice, who sees other parameters of the only codec in the offer."""
    await peers.bob.set_local_description()
    offer = with_parameters(description_of(peers.bob).sdp, parameters)
    await peers.alice.set_remote_description({"type": "offer", "sdp": offer})
    await peers.alice.set_local_description()
    await peers.bob.set_remote_description(description_of(peers.alice))


async def send_frames(source: MediaStreamTrackSource, codec: str, frames: list[tuple[bool, bytes]]) -> None:
    """Send the frames again and again until cancelled."""
    for index in range(1_000_000):
        keyframe, payload = frames[index % len(frames)]
        timestamp = index * 90_000 // FRAME_RATE
        await source.send(EncodedFrame(payload, timestamp, 90_000, codec, keyframe))
        await trio.sleep(1 / FRAME_RATE)


def has_accepted(peers: Peers, parameters: str) -> bool:
    """Return whether Alice's answer accepts the only section, with these parameters."""
    answer = description_of(peers.alice).sdp
    assert f" {parameters}\r\n" in answer
    return "m=video 0 " not in answer


@pytest.mark.parametrize(("codec", "parameters"), UNDECODED + DECODED)
async def test_connection_without_decoding_delivers_any_profile(codec: str, parameters: str) -> None:
    frames = frames_of(codec, parameters)
    payloads = {payload for _, payload in frames}
    async with two_peers(settings=Settings(decode=False)) as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        prefer(peers.bob.add_transceiver(track, direction="sendonly"), codec)
        trickle(peers.alice, peers.bob)
        await offer_profile(peers, parameters)
        await until_connected(peers.alice)
        (transceiver,) = peers.alice.get_transceivers()
        receiver = transceiver.receiver
        assert transceiver.current_direction == "recvonly"
        assert [each.name for each in receiver.get_parameters().codecs] == [codec]
        assert has_accepted(peers, parameters)
        async with receiver.encoded_frames() as encoded, receiver.rtp_packets() as packets:
            nursery.start_soon(send_frames, source, codec, frames)
            with trio.fail_after(5):
                for _ in range(3 * len(frames)):
                    for channel in (receiver.track, encoded):
                        frame = await channel.receive()
                        assert isinstance(frame, EncodedFrame)
                        assert frame.codec == codec
                        assert frame.payload in payloads
                    assert (await packets.receive()).payload
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("codec", "parameters"), UNDECODED + DECODED)
async def test_connection_that_decodes_rejects_other_profiles(codec: str, parameters: str) -> None:
    async with two_peers(settings=Settings(decode=True)) as peers:
        tracks = list[RTCTrackEvent]()
        peers.alice.on_track = tracks.append
        transceiver = peers.bob.add_transceiver("video", direction="sendonly")
        prefer(transceiver, codec)
        await offer_profile(peers, parameters)
        accepted = (codec, parameters) in DECODED
        assert has_accepted(peers, parameters) is accepted
        # The offer creates a transceiver in any case, and an answer that rejects the section removes it.
        assert [len(tracks), len(peers.alice.get_transceivers())] == [1, accepted]
        assert transceiver.current_direction == ("sendonly" if accepted else "stopped")


@pytest.mark.parametrize("decode", [False, True])
async def test_receiver_that_does_not_decode_accepts_any_profile(decode: bool) -> None:
    """The receiver exists before the offer, because its connection sends too."""
    frames = frames_of("H264", HIGH_444)
    async with two_peers(settings=Settings(decode=True)) as peers, trio.open_nursery() as nursery:
        _, own = open_media_track("video")
        peers.alice.add_track(own)
        (transceiver,) = peers.alice.get_transceivers()
        transceiver.receiver.decode = decode
        source, track = open_media_track("video")
        prefer(peers.bob.add_transceiver(track), "H264")
        trickle(peers.alice, peers.bob)
        await offer_profile(peers, HIGH_444)
        assert has_accepted(peers, HIGH_444) is not decode
        if not decode:
            await until_connected(peers.alice)
            assert transceiver.current_direction == "sendrecv"
            nursery.start_soon(send_frames, source, "H264", frames)
            with trio.fail_after(5):
                for _ in range(10):
                    frame = await transceiver.receiver.track.receive()
                    assert isinstance(frame, EncodedFrame)
                    assert frame.payload in {payload for _, payload in frames}
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("decode", [False, True])
async def test_profile_of_a_later_offer_is_accepted_without_decoding(decode: bool) -> None:
    async with two_peers(settings=Settings(decode=True)) as peers:
        _, track = open_media_track("video")
        prefer(peers.bob.add_transceiver(track, direction="sendonly"), "H264")
        trickle(peers.alice, peers.bob)
        await offer_profile(peers, HIGH_444.replace("f4", "64"))
        (transceiver,) = peers.alice.get_transceivers()
        assert transceiver.current_direction == "recvonly"
        transceiver.receiver.decode = decode
        await offer_profile(peers, HIGH_444)
        assert has_accepted(peers, HIGH_444) is not decode
        assert (transceiver.current_direction == "recvonly") is not decode
