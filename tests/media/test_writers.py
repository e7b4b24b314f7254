"""Writers of one track into a container."""

import io
from fractions import Fraction

import attrs
import av
import pytest

from tests.strategies.recordings import audio_frames, video_frames
from trio_rtc import media
from trio_rtc.codecs.samples import audio_level, samples_of
from trio_rtc.media._writers import (
    FORMATS,
    AudioEncodingWriter,
    CopyingWriter,
    TranscodingWriter,
    VideoEncodingWriter,
    frame_time,
    make_writer,
)
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame


def write(format_name, frames, times=None):
    """Write frames at their own times, or at these; return the written file."""
    file = io.BytesIO()
    with av.open(file, "w", format=format_name) as container:
        writer = make_writer(container, format_name, frames[0])
        for index, frame in enumerate(frames):
            writer.write(frame, frame_time(frame) if times is None else times[index])
        writer.finish()
    return io.BytesIO(file.getvalue())


def packets_of(file):
    with av.open(file) as container:
        return [packet for packet in container.demux(container.streams[0]) if packet.size]


def decoded(file):
    with av.open(file) as container:
        return list(container.decode(container.streams[0]))


def test_time_of_a_frame():
    assert frame_time(EncodedFrame(b"", 45_000, 90_000, "VP8")) == Fraction(1, 2)
    frame = media.draw_pattern(0, 64, 48)
    assert frame_time(frame) is None
    frame.pts, frame.time_base = 5, Fraction(1, 10)
    assert frame_time(frame) == Fraction(1, 2)


@pytest.mark.parametrize(
    ("format_name", "codec", "kind"),
    [
        ("webm", "VP8", CopyingWriter),
        ("mp4", "VP8", TranscodingWriter),
        ("webm", "H264", TranscodingWriter),
        ("mp4", "H264", CopyingWriter),
        ("webm", None, VideoEncodingWriter),
    ],
)
def test_frames_are_copied_where_the_container_supports_their_codec(format_name, codec, kind):
    with av.open(io.BytesIO(), "w", format=format_name) as container:
        assert type(make_writer(container, format_name, video_frames(codec, 1)[0])) is kind


@pytest.mark.parametrize("format_name", ["ogg", "wav"])
@pytest.mark.parametrize("codec", [None, "VP8"])
def test_containers_of_audio_refuse_video(format_name, codec):
    with (
        av.open(io.BytesIO(), "w", format=format_name) as container,
        pytest.raises(ValueError, match=f"format {format_name} does not support video"),
    ):
        make_writer(container, format_name, video_frames(codec, 1)[0])


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_has_an_encoder_for_audio(format_name):
    audio = decoded(write(format_name, audio_frames()))
    assert abs(media.dominant_frequency(audio) - 440) < 2


def test_copied_video_begins_with_a_keyframe_and_timestamps_increase():
    frames = video_frames("VP8", 6)
    # The first frame describes the stream; all times but the last are equal.
    written = [frames[0], *frames]
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as container:
        writer = CopyingWriter(container, frames[0])
        writer.write(frames[1], Fraction(0))
        for frame in written[1:]:
            writer.write(frame, Fraction(1, 2))
        writer.finish()
    packets = packets_of(io.BytesIO(file.getvalue()))
    assert [bytes(packet) for packet in packets] == [frame.payload for frame in frames]
    assert packets[0].is_keyframe
    assert packets[0].pts * packets[0].time_base == Fraction(1, 2)


def test_copied_frames_of_another_codec_or_without_content_are_ignored():
    frames = audio_frames("opus", 5)
    foreign = attrs.evolve(frames[1], codec="PCMU")
    empty = attrs.evolve(frames[1], payload=b"")
    packets = packets_of(write("ogg", [frames[0], foreign, empty, *frames[1:]]))
    assert [bytes(packet) for packet in packets] == [frame.payload for frame in frames]


@pytest.mark.parametrize("codec", ["AV1", "H264", "H265"])
def test_copied_video_must_begin_with_a_valid_keyframe(codec):
    garbage = EncodedFrame(b"\xff" * 40, 0, 90_000, codec, keyframe=True)
    with (
        av.open(io.BytesIO(), "w", format="matroska") as container,
        pytest.raises(ValueError, match="not a valid keyframe"),
    ):
        make_writer(container, "matroska", garbage)


def test_gaps_in_audio_are_filled_with_silence():
    frames = audio_frames()
    times = [frame_time(frame) + (index >= 25) for index, frame in enumerate(frames)]
    audio = b"".join(samples_of(frame) for frame in decoded(write("wav", frames, times)))
    assert len(audio) == 2 * 48_000 * 2
    parts = [audio[2 * begin : 2 * begin + 2 * 4_800] for begin in (12_000, 36_000, 84_000)]
    assert [audio_level(part) for part in parts] == [audio_level(parts[0]), 127, audio_level(parts[0])]
    assert audio_level(parts[0]) < 20


@pytest.mark.parametrize(("late", "is_kept"), [(Fraction(9, 100), True), (Fraction(11, 100), False)])
def test_late_audio_is_dropped(late, is_kept):
    frames = audio_frames(count=10)
    times = [frame_time(frame) for frame in frames[:9]] + [9 * Fraction(1, 50) - late]
    audio = b"".join(samples_of(frame) for frame in decoded(write("wav", frames, times)))
    assert len(audio) == 2 * 960 * (9 + is_kept)


def test_silence_is_bounded():
    frames = audio_frames(count=2)
    file = write("wav", frames, [Fraction(0), Fraction(10**9)])
    assert len(file.getvalue()) < 2 * 48_000 * 3_601


def test_all_video_frames_have_the_size_of_the_first_and_increasing_timestamps():
    frames = [*video_frames(count=3), media.draw_pattern(3, 640, 360)]
    images = decoded(write("webm", frames, [Fraction(0)] * 4))
    assert {(image.width, image.height) for image in images} == {(320, 180)}
    assert [media.read_counter(image) for image in images] == list(range(4))
    times = [image.pts for image in images]
    assert times == sorted(times)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_frames_of_the_other_kind_are_ignored(kind):
    video, audio = video_frames(count=2), audio_frames(count=2)
    frames = [*video, audio[0]] if kind == "video" else [*audio, video[0]]
    written = decoded(write("matroska", frames, [Fraction(each, 30) for each in range(3)]))
    assert {type(frame) for frame in written} == {type(frames[0])}


def test_a_corrupt_frame_costs_itself_when_transcoded():
    frames = audio_frames("PCMU", 20)
    frames[5] = attrs.evolve(frames[5], payload=b"")
    audio = decoded(write("ogg", frames))
    assert sum(frame.samples for frame in audio) >= 18 * 960
    assert abs(media.dominant_frequency(audio[8:]) - 440) < 5


@pytest.mark.parametrize("codec", ["PCMU", "VP8"])
def test_transcoding_must_begin_with_a_valid_frame(codec):
    with (
        av.open(io.BytesIO(), "w", format="mp4") as container,
        pytest.raises(ValueError, match=codec),
    ):
        TranscodingWriter(container, "mp4", EncodedFrame(b"", 0, 8_000, codec, keyframe=True))


def test_encoded_audio_has_at_most_two_channels():
    frame = av.AudioFrame("s16", "5.1", 960)
    frame.sample_rate = 48_000
    with av.open(io.BytesIO(), "w", format="wav") as container:
        writer = AudioEncodingWriter(container, "wav", frame)
        writer.write(frame, Fraction(0))
        assert container.streams.audio[0].codec_context.channels == 2
        writer.finish()
