"""Writers of one track into a container: copying, encoding, or transcoding."""

import contextlib
import io
import struct
from fractions import Fraction
from typing import Protocol

import av
import av.container
import av.stream
from av.codec.context import Flags

from trio_rtc.codecs import AudioDecoder, CodecError, VideoDecoder, create_audio_decoder, create_video_decoder
from trio_rtc.codecs.audio_decoder import opus_frame_duration
from trio_rtc.codecs.frame_converter import FrameConverter, scaled_size
from trio_rtc.codecs.implementations import silence_svt_av1
from trio_rtc.codecs.samples import frame_of, layout, samples_of
from trio_rtc.codecs.thread_priority import preserved_thread_priority
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from ._demuxed import MediaFrame

AUDIO_CODECS = ("opus", "PCMU", "PCMA", "G722")

_COPIED = {
    "mp4": ("H264", "H265", "AV1", "VP9", "opus"),
    "webm": ("VP8", "VP9", "AV1", "opus"),
    "matroska": ("VP8", "VP9", "AV1", "H264", "H265", "opus"),
    "ogg": ("opus",),
    "wav": ("PCMU", "PCMA"),
}
_ENCODED: dict[str, tuple[str | None, str]] = {
    "mp4": ("libx264", "aac"),
    "webm": ("libvpx", "libopus"),
    "matroska": ("libx264", "libopus"),
    "ogg": (None, "libopus"),
    "wav": (None, "pcm_s16le"),
}
_VIDEO_BITRATE = 2_500_000
_AUDIO_BITRATE = 128_000
_ENCODER_OPTIONS = {
    "libx264": {"preset": "veryfast"},
    # The threads of libvpx wait actively for each other.
    "libvpx": {"deadline": "realtime", "cpu-used": "6", "lag-in-frames": "0", "threads": "1"},
}
_GAP = 0.1  # seconds
_MAX_SILENCE = 3600  # seconds
_VIDEO_TIME_BASE = Fraction(1, 90_000)

FORMATS = tuple(_COPIED)


class Writer(Protocol):
    """Writes the frames of one track."""

    def write(self, frame: MediaFrame, time: Fraction) -> None:
        """Write a frame at ``time`` seconds after the beginning of the file. Runs in a thread."""

    def finish(self) -> None:
        """Write buffered frames. Runs in a thread."""


def frame_time(frame: MediaFrame) -> Fraction | None:
    """Return a frame's own timestamp in seconds, ``None`` without one."""
    if isinstance(frame, EncodedFrame):
        return Fraction(frame.timestamp, frame.clock_rate)
    if frame.pts is None or frame.time_base is None:
        return None
    return frame.pts * frame.time_base


def make_writer(container: av.container.OutputContainer, format_name: str, first: MediaFrame) -> Writer:
    """Return a writer for a track that begins with this frame; ``ValueError`` if the container does not support it."""
    if isinstance(first, EncodedFrame):
        if first.codec in _COPIED[format_name]:
            return CopyingWriter(container, first)
        return TranscodingWriter(container, format_name, first)
    if isinstance(first, av.AudioFrame):
        return AudioEncodingWriter(container, format_name, first)
    return VideoEncodingWriter(container, format_name, first)


class CopyingWriter:
    """Writes encoded frames unchanged. Video begins with its first keyframe."""

    def __init__(self, container: av.container.OutputContainer, first: EncodedFrame) -> None:
        self._container = container
        self._codec = first.codec
        self._stream = _copied_stream(container, first)
        self._begun = False
        self._last = -1

    def write(self, frame: MediaFrame, time: Fraction) -> None:
        """Write an encoded frame; ignore a frame of another codec than the first."""
        if not isinstance(frame, EncodedFrame) or frame.codec != self._codec or not frame.payload:
            return
        if not self._begun and not frame.keyframe:
            return
        self._begun = True
        packet = av.Packet(frame.payload)
        clock_rate = 16_000 if frame.codec == "G722" else frame.clock_rate
        pts = max(round(time * clock_rate), self._last + 1)
        self._last = pts
        packet.pts = packet.dts = pts
        packet.time_base = Fraction(1, clock_rate)
        packet.stream = self._stream
        packet.is_keyframe = frame.keyframe
        if frame.codec == "opus":
            packet.duration = _opus_duration(frame.payload)
        elif frame.codec in AUDIO_CODECS:
            packet.duration = len(frame.payload)
        self._container.mux(packet)

    def finish(self) -> None:
        """Flush SVT-AV1, which describes the stream; no frame is buffered."""
        if self._codec == "AV1":
            context = self._stream.codec_context
            assert isinstance(context, av.VideoCodecContext)
            context.encode(None)


class VideoEncodingWriter:
    """Encodes video for the container. All frames are scaled to the size of the first."""

    def __init__(
        self, container: av.container.OutputContainer, format_name: str, first: av.VideoFrame
    ) -> None:
        name = _ENCODED[format_name][0]
        if name is None:
            raise ValueError(f"format {format_name} does not support video")
        self._container = container
        stream = container.add_stream(name, rate=30, options=_ENCODER_OPTIONS[name])
        assert isinstance(stream, av.VideoStream)
        self._context = stream.codec_context
        self._context.width, self._context.height = scaled_size(first.width, first.height, 1.0)
        self._context.pix_fmt = "yuv420p"
        self._context.time_base = _VIDEO_TIME_BASE
        self._context.bit_rate = _VIDEO_BITRATE
        self._context.max_b_frames = 0
        self._stream = stream
        self._converter = FrameConverter()
        self._last = -1

    def write(self, frame: MediaFrame, time: Fraction) -> None:
        if not isinstance(frame, av.VideoFrame):
            return
        image = self._converter.convert(frame, self._context.width, self._context.height, "yuv420p")
        self._last = max(round(time / _VIDEO_TIME_BASE), self._last + 1)
        image.pts = self._last
        image.time_base = _VIDEO_TIME_BASE
        image.pict_type = 0
        self._container.mux(self._stream.encode(image))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))


class AudioEncodingWriter:
    """Encodes audio for the container. Gaps are filled with silence; audio that is too late is dropped."""

    def __init__(
        self, container: av.container.OutputContainer, format_name: str, first: av.AudioFrame
    ) -> None:
        name = _ENCODED[format_name][1]
        self._container = container
        self._rate = 48_000 if name == "libopus" else first.sample_rate
        self._channels = min(2, len(first.layout.channels))
        stream = container.add_stream(name, rate=self._rate)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = layout(self._channels)
        if name != "pcm_s16le":
            stream.codec_context.bit_rate = _AUDIO_BITRATE
        self._stream = stream
        self._resampler: av.AudioResampler | None = None
        self._described: tuple[str, str, int] | None = None
        self._position = 0

    def write(self, frame: MediaFrame, time: Fraction) -> None:
        if not isinstance(frame, av.AudioFrame):
            return
        late = self._position - round(time * self._rate)
        if late < -_GAP * self._rate:
            self._encode(bytes(min(-late, _MAX_SILENCE * self._rate) * 2 * self._channels))
            self._position = round(time * self._rate)
        elif late > _GAP * self._rate:
            return
        described = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or described != self._described:
            self._resampler = av.AudioResampler("s16", layout(self._channels), self._rate)
            self._described = described
        for resampled in self._resampler.resample(frame):
            self._encode(samples_of(resampled))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))

    def _encode(self, samples: bytes) -> None:
        if samples:
            audio = frame_of(samples, self._channels, self._rate, self._position)
            self._position += audio.samples
            self._container.mux(self._stream.encode(audio))


class TranscodingWriter:
    """Decodes and encodes frames of a codec that the container does not support; ignores corrupt ones."""

    def __init__(
        self, container: av.container.OutputContainer, format_name: str, first: EncodedFrame
    ) -> None:
        make = create_audio_decoder if first.codec in AUDIO_CODECS else create_video_decoder
        try:
            self._decoder: AudioDecoder | VideoDecoder = make(first.codec)
            decoded = make(first.codec).decode(first)
        except CodecError as error:
            raise ValueError(str(error)) from error
        if not decoded:
            raise ValueError(f"first frame of {first.codec} has no content")
        self._writer = make_writer(container, format_name, decoded[0])

    def write(self, frame: MediaFrame, time: Fraction) -> None:
        if not isinstance(frame, EncodedFrame):
            return
        with contextlib.suppress(CodecError):
            for decoded in self._decoder.decode(frame):
                ahead = Fraction(frame.timestamp, frame.clock_rate)
                self._writer.write(decoded, time + (frame_time(decoded) or ahead) - ahead)

    def finish(self) -> None:
        self._writer.finish()
        self._decoder.close()


def _copied_stream(container: av.container.OutputContainer, first: EncodedFrame) -> av.stream.Stream:
    match first.codec:
        case "opus":
            stream = container.add_stream(
                "libopus", rate=48_000
            )  # describes itself; nothing is encoded with it
            assert isinstance(stream, av.AudioStream)
            stream.codec_context.layout = "stereo"
            return stream
        case "PCMU" | "PCMA":
            name = "pcm_mulaw" if first.codec == "PCMU" else "pcm_alaw"
            telephone = container.add_stream(name, rate=8_000)
            assert isinstance(telephone, av.AudioStream)
            telephone.codec_context.layout = "mono"
            return telephone
        case "VP8" | "VP9":
            probed = _probe(_ivf(first.payload, b"VP80" if first.codec == "VP8" else b"VP90"), "ivf")
            return container.add_stream_from_template(probed)
        case "AV1":
            return _av1_stream(container, _probe(_ivf(first.payload, b"AV01"), "ivf"))
        case _:
            raw = "h264" if first.codec == "H264" else "hevc"
            return container.add_stream_from_template(_probe(first.payload, raw))


def _probe(data: bytes, format_name: str) -> av.VideoStream:
    """Return FFmpeg's stream of a keyframe, with size and parameter sets."""
    try:
        probed = av.open(io.BytesIO(data), "r", format=format_name)
        return probed.streams.video[0]
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"first frame is not a valid keyframe: {error}") from error


def _ivf(payload: bytes, four_characters: bytes) -> bytes:
    header = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, four_characters, 0, 0, 30, 1, 1, 0)
    return header + struct.pack("<IQ", len(payload), 0) + payload


def _av1_stream(container: av.container.OutputContainer, probed: av.VideoStream) -> av.VideoStream:
    """Add a stream for AV1.

    FFmpeg's encoders and decoders of AV1 have different names, so that PyAV finds no encoder for the decoded stream's
    description. The description is therefore copied to an encoder that encodes nothing.
    """
    silence_svt_av1()
    stream = container.add_stream("libsvtav1", rate=30)
    assert isinstance(stream, av.VideoStream)
    context = stream.codec_context
    context.width, context.height = probed.codec_context.width, probed.codec_context.height
    context.pix_fmt = "yuv420p"
    context.flags &= ~Flags.global_header
    context.extradata = probed.codec_context.extradata
    context.thread_count = 1
    with preserved_thread_priority():
        context.open()
    return stream


def _opus_duration(payload: bytes) -> int:
    """Return the samples at 48 kHz in a packet (RFC 6716 sections 3.1 and 3.2)."""
    code = payload[0] & 3
    count = 1 if code == 0 else 2 if code < 3 else payload[1] & 63 if len(payload) > 1 else 1
    return round(opus_frame_duration(payload[0]) * 48_000) * count
