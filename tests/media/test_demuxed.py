"""Frames of a container's stream: decoded, or encoded as in RTP."""

import io
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.recordings import audio_frames, video_frames
from trio_rtc import media
from trio_rtc.media._demuxed import StreamCopier, StreamDecoder
from trio_rtc.media._writers import frame_time, make_writer


def recorded(format_name, frames):
    """Return the bytes of a file with these frames."""
    file = io.BytesIO()
    with av.open(file, "w", format=format_name) as container:
        writer = make_writer(container, format_name, frames[0])
        for frame in frames:
            writer.write(frame, frame_time(frame))
        writer.finish()
    return file.getvalue()


def read_all(data, kind, start=Fraction(0), offset=Fraction(0)):
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams[0]
        reader = kind(stream, start, offset)
        return [timed for packet in container.demux(stream) for timed in reader.read_frames(packet)]


def test_decoded_frames_have_their_presentation_times():
    timed = read_all(recorded("webm", video_frames("VP8", 10)), StreamDecoder)
    assert [media.read_counter(each.frame) for each in timed] == list(range(10))
    assert [each.due for each in timed] == pytest.approx([index / 30 for index in range(10)], abs=0.001)
    assert timed[-1].end == pytest.approx(10 / 30, abs=0.005)


@pytest.mark.parametrize("kind", [StreamDecoder, StreamCopier])
def test_start_and_offset_shift_the_timestamps(kind):
    data = recorded("webm", video_frames("VP8", 10))
    timed = read_all(data, kind, start=Fraction(1, 10), offset=Fraction(7))
    assert timed[3].due == pytest.approx(0.0, abs=0.001)
    assert float(frame_time(timed[3].frame)) == pytest.approx(7.0, abs=0.001)


@pytest.mark.parametrize(
    ("format_name", "codec", "clock_rate"),
    [("webm", "VP8", 90_000), ("mp4", "H264", 90_000), ("webm", "AV1", 90_000)],
)
def test_copied_video(format_name, codec, clock_rate):
    frames = video_frames(codec, 5)
    timed = read_all(recorded(format_name, frames), StreamCopier)
    assert [each.frame.payload for each in timed] == [frame.payload for frame in frames]
    assert [each.frame.keyframe for each in timed] == [True, False, False, False, False]
    assert {(each.frame.codec, each.frame.clock_rate) for each in timed} == {(codec, clock_rate)}
    assert {(each.frame.width, each.frame.height) for each in timed} == {(320, 180)}


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_telephone_codecs_are_split_into_packets_of_20_milliseconds(codec):
    frames = audio_frames(codec, 60)
    timed = read_all(recorded("wav", frames), StreamCopier)
    assert [each.frame.payload for each in timed] == [frame.payload for frame in frames]
    assert [each.frame.timestamp for each in timed] == [160 * index for index in range(len(timed))]
    assert [each.due for each in timed] == pytest.approx([index / 50 for index in range(len(timed))])
    assert [each.end - each.due for each in timed] == pytest.approx([0.02] * len(timed))
    assert all(each.frame.keyframe and each.frame.width is None for each in timed)


def test_pieces_of_any_length_are_split_evenly():
    data = recorded("wav", audio_frames("PCMU", 10))
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams[0]
        whole = b"".join(bytes(packet) for packet in container.demux(stream))

        @given(st.lists(st.integers(1, 500), max_size=12))
        def split(lengths):
            copier = StreamCopier(stream, Fraction(0), Fraction(0))
            position, timed = 0, []
            for length in lengths:
                packet = av.Packet(whole[position : position + length].ljust(length, b"\xff"))
                packet.pts, packet.time_base = position, Fraction(1, 8_000)
                timed += copier.read_frames(packet)
                position += length
            assert len(timed) == position // 160
            assert [each.frame.timestamp for each in timed] == [160 * index for index in range(len(timed))]
            assert {len(each.frame.payload) for each in timed} <= {160}

        split()


def test_codec_without_a_payload_format_raises():
    data = recorded("wav", audio_frames(count=5))
    with (
        av.open(io.BytesIO(data)) as container,
        pytest.raises(ValueError, match=r"^pcm_s16le has no RTP payload format"),
    ):
        StreamCopier(container.streams[0], Fraction(0), Fraction(0))


def test_corrupt_and_empty_packets_have_no_frames():
    data = recorded("mp4", video_frames("H264", 2))
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams[0]
        decoder = StreamDecoder(stream, Fraction(0), Fraction(0))
        copier = StreamCopier(stream, Fraction(0), Fraction(0))
        assert decoder.read_frames(av.Packet(b"\xff" * 50)) == []
        for packet in (av.Packet(b""), av.Packet(b"without a time")):
            assert copier.read_frames(packet) == []
