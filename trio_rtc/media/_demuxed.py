"""Frames of a container's stream: decoded, or encoded as in RTP."""

from fractions import Fraction
from typing import TypeAlias

import av
import av.stream
from av.bitstream import BitStreamFilterContext

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

MediaFrame: TypeAlias = av.AudioFrame | av.VideoFrame | EncodedFrame

_CODECS = {
    "h264": ("H264", 90_000, "h264_mp4toannexb"),
    "hevc": ("H265", 90_000, "hevc_mp4toannexb"),
    "vp8": ("VP8", 90_000, None),
    "vp9": ("VP9", 90_000, None),
    "av1": ("AV1", 90_000, None),
    "opus": ("opus", 48_000, None),
    "pcm_mulaw": ("PCMU", 8_000, None),
    "pcm_alaw": ("PCMA", 8_000, None),
    "adpcm_g722": ("G722", 8_000, None),
}
_TELEPHONE = ("PCMU", "PCMA", "G722")
_TELEPHONE_RATE = 8_000  # bytes per second, of all three
_TELEPHONE_PACKET = 160  # bytes, 20 ms


@attrs.frozen
class TimedFrame:
    """A frame, its presentation time ``due`` and that of the next one, in seconds after the beginning."""

    frame: MediaFrame
    due: float
    end: float


class StreamDecoder:
    """Decodes the packets of a stream.

    Args:
        stream: A stream of an open container.
        start: The container's own timestamp at its beginning, in seconds.
        offset: Added to timestamps, in seconds, when the container is played again.
    """

    def __init__(self, stream: av.AudioStream | av.VideoStream, start: Fraction, offset: Fraction) -> None:
        self._stream = stream
        self._shift = offset - start
        self._start = start
        self._end = Fraction(0)

    def read_frames(self, packet: "av.Packet[av.stream.Stream]") -> list[TimedFrame]:
        """Return the frames of a packet, or none if it is corrupt. Runs in a thread."""
        try:
            frames = self._stream.codec_context.decode(packet if packet.size else None)
        except Exception:
            # PyAV does not document which exceptions a hostile file raises.
            return []
        return [self._timed(frame) for frame in frames]

    def _timed(self, frame: av.AudioFrame | av.VideoFrame) -> TimedFrame:
        time_base = frame.time_base or self._stream.time_base or Fraction(1, 90_000)
        frame.time_base = time_base
        due = self._end if frame.pts is None else frame.pts * time_base - self._start
        frame.pts = round((due + self._start + self._shift) / time_base)
        if isinstance(frame, av.AudioFrame):
            self._end = due + Fraction(frame.samples, frame.sample_rate)
        else:
            self._end = due + 1 / (self._stream.average_rate or Fraction(30))
        return TimedFrame(frame, float(due), float(self._end))


class StreamCopier:
    """Converts the packets of a stream to encoded frames as in RTP; arguments as for :class:`StreamDecoder`."""

    def __init__(self, stream: av.AudioStream | av.VideoStream, start: Fraction, offset: Fraction) -> None:
        name = stream.codec_context.codec.canonical_name
        if name not in _CODECS:
            raise ValueError(f"{name} has no RTP payload format and cannot be sent without decoding")
        self.codec, self._clock_rate, filter_name = _CODECS[name]
        self._stream = stream
        self._filter = None if filter_name is None else BitStreamFilterContext(filter_name, stream)
        self._start = start
        self._offset = offset
        self._rest = b""  # less than a packet of a telephone codec

    def read_frames(self, packet: "av.Packet[av.stream.Stream]") -> list[TimedFrame]:
        if not packet.size or packet.pts is None:
            return []
        if self.codec in _TELEPHONE:
            return self._split(packet)
        packets = [packet] if self._filter is None else self._filter.filter(packet)
        return [self._timed(each) for each in packets]

    def _timed(self, packet: "av.Packet[av.stream.Stream]") -> TimedFrame:
        due = (packet.pts or 0) * packet.time_base - self._start
        # Frames that reference later ones are sent at their decoding time.
        sent = due if packet.dts is None else packet.dts * packet.time_base - self._start
        end = due + (packet.duration or 0) * packet.time_base
        return TimedFrame(
            self._encoded(bytes(packet), due, packet.is_keyframe), float(min(due, sent)), float(end)
        )

    def _split(self, packet: "av.Packet[av.stream.Stream]") -> list[TimedFrame]:
        """Split audio, which files have in pieces of any length, into packets."""
        due = (packet.pts or 0) * packet.time_base - self._start - Fraction(len(self._rest), _TELEPHONE_RATE)
        self._rest += bytes(packet)
        frames = []
        while len(self._rest) >= _TELEPHONE_PACKET:
            payload, self._rest = self._rest[:_TELEPHONE_PACKET], self._rest[_TELEPHONE_PACKET:]
            end = due + Fraction(_TELEPHONE_PACKET, _TELEPHONE_RATE)
            frames.append(TimedFrame(self._encoded(payload, due, True), float(due), float(end)))
            due = end
        return frames

    def _encoded(self, payload: bytes, due: Fraction, keyframe: bool) -> EncodedFrame:
        video = self._stream.codec_context if isinstance(self._stream, av.VideoStream) else None
        return EncodedFrame(
            payload=payload,
            timestamp=round((due + self._offset) * self._clock_rate),
            clock_rate=self._clock_rate,
            codec=self.codec,
            keyframe=video is None or keyframe,
            width=None if video is None else video.width,
            height=None if video is None else video.height,
        )
