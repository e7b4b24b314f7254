"""Misuse of media by applications raises an error or logs one warning per cause, without ending the media call."""

import logging
from collections.abc import Callable

import attrs
import av
import numpy as np
import pytest
import trio
from trio.testing import MockClock

from tests.strategies.calls import Call, call, vp8_frame
from tests.strategies.scenarios import layer_counters
from trio_rtc import EncodedFrame, RTCPeerConnection, open_media_track
from trio_rtc.codecs import DecodeWorker, create_video_decoder


def video(width: int, height: int) -> av.VideoFrame:
    return av.VideoFrame(width, height)


def audio(samples: int, rate: int) -> av.AudioFrame:
    frame = av.AudioFrame("s16", "stereo", samples)
    if rate:
        frame.sample_rate = rate
    return frame


@pytest.mark.parametrize(
    ("kind", "wrong", "error", "text"),
    [
        (
            "video",
            object(),
            TypeError,
            "a track of video takes av.VideoFrame or EncodedFrame, not builtins.object",
        ),
        ("video", None, TypeError, "not builtins.NoneType"),
        (
            "video",
            memoryview(bytes(48)),
            TypeError,
            r"not builtins.memoryview; av.VideoFrame.from_ndarray\(...\)",
        ),
        (
            "video",
            np.zeros((48, 64, 3), np.uint8),
            TypeError,
            r"av.VideoFrame or EncodedFrame, not numpy.ndarray; av.VideoFrame.from_ndarray\(...\) converts a NumPy",
        ),
        (
            "audio",
            np.zeros((1, 960), np.int16),
            TypeError,
            r"av.AudioFrame or EncodedFrame, not numpy.ndarray; av.AudioFrame.from_ndarray\(...\) converts a NumPy",
        ),
        ("video", audio(960, 48_000), TypeError, "not av.audio.frame.AudioFrame"),
        (
            "audio",
            video(64, 48),
            TypeError,
            "a track of audio takes av.AudioFrame or EncodedFrame, not av.video",
        ),
        ("video", video(0, 0), ValueError, "0 x 0 pixels; each must be between 1 and 16384"),
        ("video", video(20_000, 2), ValueError, "20000 x 2 pixels"),
        ("audio", audio(0, 48_000), ValueError, "0 samples at 48000 Hz"),
        ("audio", audio(960, 0), ValueError, "960 samples at 0 Hz"),
        ("video", EncodedFrame("x", 0, 90_000, "VP8"), TypeError, "payload must be bytes, not 'x'"),  # type: ignore[arg-type]
        ("video", EncodedFrame(b"x", 0.5, 90_000, "VP8"), TypeError, "timestamp must be an int.*, not 0.5"),  # type: ignore[arg-type]
        (
            "video",
            EncodedFrame(b"\x10", 0, 90_000, "video/H264"),
            ValueError,
            r"codec must be one of 'VP8', .* on a track of video, not 'video/H264'; did you mean 'H264'\?",
        ),
        (
            "audio",
            EncodedFrame(b"\x10", 0, 90_000, "H264"),
            ValueError,
            "codec must be one of 'opus', 'G722', 'PCMU', 'PCMA' on a track of audio, not 'H264'$",
        ),
        (
            "video",
            EncodedFrame(b"\x10", 0, 90_000, None),  # type: ignore[arg-type]
            ValueError,
            "codec must be one of .*, not None$",
        ),
        (
            "audio",
            EncodedFrame(b"\x10", 0, 0, "opus"),
            ValueError,
            "clock_rate must be 48000 for opus, not 0",
        ),
        (
            "video",
            EncodedFrame(b"\x10", 0, -1, "vp8"),
            ValueError,
            "clock_rate must be 90000 for VP8, not -1",
        ),
        (
            "video",
            EncodedFrame(b"\x10", 0, 90_000, "VP8", capture_time=float("nan")),
            ValueError,
            "capture_time must be a number of seconds since 1900, not nan",
        ),
    ],
)
async def test_a_wrong_frame_raises_in_the_call(
    kind: str, wrong: object, error: type[Exception], text: str
) -> None:
    source, track = open_media_track(kind)
    with pytest.raises(error, match=text):
        await source.send(wrong)
    assert track.ready_state == "live"


async def test_frames_of_another_codec_are_counted_and_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "trio_rtc.media")
    async with call() as made, made.receiver.encoded_frames() as frames:
        for _ in range(3):
            await made.video_source.send(EncodedFrame(b"\0\0\0\1\x65\0", 0, 90_000, "H264"))
        await made.send_video(0.5)
        with trio.fail_after(2):
            assert (await frames.receive()).keyframe
        assert (await layer_counters(made.peers.alice, "media"))["frames_failed"] == 3
    logged = [record for record in caplog.records if "a frame was not sent" in record.message]
    assert [record.levelname for record in logged] == ["WARNING", "DEBUG", "DEBUG"]


async def test_frames_of_an_unknown_layer_are_counted_and_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """For example forwarded simulcast frames."""
    async with call() as made, made.receiver.encoded_frames() as frames:
        for index in range(3):
            frame = vp8_frame(index, keyframe=True)
            await made.video_source.send(attrs.evolve(frame, rid="h"))
        await made.send_video(0.5)
        with trio.fail_after(2):
            assert (await frames.receive()).keyframe
        assert (await layer_counters(made.peers.alice, "media"))["frames_failed"] == 3
    (logged,) = [record for record in caplog.records if "a frame was not sent" in record.message]
    assert logged.levelname == "WARNING"
    assert "its rid is 'h'" in logged.message


async def test_encoder_errors_are_counted_and_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with call() as made:
        for _ in range(3):
            # One pixel wider than VP8 permits.
            await made.video_source.send(video(16_384, 2))
            await trio.sleep(0.1)
        assert (await layer_counters(made.peers.alice, "media"))["frames_failed"] == 3
    logged = [record for record in caplog.records if "a frame was not encoded" in record.message]
    assert [record.levelname for record in logged] == ["WARNING"]


async def test_decoder_errors_are_counted_and_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    worker: DecodeWorker[av.VideoFrame] = DecodeWorker(create_video_decoder("VP8"))
    for index in range(3):
        worker.put(vp8_frame(index, keyframe=True, size=12))
    worker.end()
    await worker.run(lambda _: None)
    assert worker.counters.broken == 3
    assert [(record.levelname, record.name) for record in caplog.records] == [("WARNING", "trio_rtc.codecs")]


# -- transforms and packets -------------------------------------------------------------------------------------------


def set_on_sender(made: Call, transform: object) -> None:
    made.sender.transform = transform  # type: ignore[assignment]


def set_on_receiver(made: Call, transform: object) -> None:
    made.receiver.transform = transform  # type: ignore[assignment]


async def to_bytes(frame: EncodedFrame) -> bytes:
    await trio.lowlevel.checkpoint()
    return frame.payload


def not_async(frame: EncodedFrame) -> EncodedFrame:
    return frame


@pytest.mark.parametrize(
    ("place", "name"), [(set_on_sender, "RTCRtpSender"), (set_on_receiver, "RTCRtpReceiver")]
)
@pytest.mark.parametrize(
    ("transform", "text"),
    [
        (to_bytes, "transform must return an EncodedFrame or None, not bytes"),
        (not_async, "transform must be an async function; <function not_async at .*> is not"),
    ],
)
async def test_an_invalid_transform_ends_the_block_with_a_descriptive_error(
    autojump_clock: MockClock,
    place: Callable[[Call, object], None],
    name: str,
    transform: object,
    text: str,
) -> None:
    async def use() -> None:
        async with call() as made:
            place(made, transform)
            await made.send_video(1)

    with pytest.RaisesGroup(
        pytest.RaisesExc(TypeError, match=f"{name}.{text}"), flatten_subgroups=True, allow_unwrapped=True
    ):
        await use()


async def test_frames_with_wrong_contributing_sources_from_a_transform_are_counted(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def transform(frame: EncodedFrame) -> EncodedFrame:
        return attrs.evolve(frame, contributing_sources=(1,) * (16 if frame.timestamp else 15))

    async with call() as made, made.receiver.encoded_frames() as frames:
        made.sender.transform = transform
        for index in range(3):
            await made.video_source.send(vp8_frame(index, keyframe=True))
        with trio.fail_after(2):
            assert (await frames.receive()).contributing_sources == (1,) * 15
        assert (await layer_counters(made.peers.alice, "media"))["frames_failed"] == 2
    (logged,) = [record for record in caplog.records if "a frame was not sent" in record.message]
    assert "EncodedFrame.contributing_sources must be at most 15 ints" in logged.message


def test_a_transform_that_is_not_callable_is_rejected() -> None:
    sender = RTCPeerConnection().add_transceiver("video").sender
    with pytest.raises(TypeError, match=r"RTCRtpSender\.transform must be a function or None, not 'rot13'"):
        sender.transform = "rot13"  # type: ignore[assignment]
    assert sender.transform is None


async def test_objects_that_are_not_packets_are_rejected(autojump_clock: MockClock) -> None:
    async with call() as made:
        with pytest.raises(TypeError, match="packets must be RtpPacket objects, not bytes"):
            await made.sender.send_rtp(b"\x80")  # type: ignore[arg-type]
