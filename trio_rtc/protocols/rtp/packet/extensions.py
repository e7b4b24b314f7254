"""The supported header extensions: their URIs, and their elements as values.

The id of an extension is negotiated (RFC 8285 section 5); :class:`ExtensionMap` contains the result for one media
section. A malformed element is ignored.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from trio_rtc import _attrs as attrs

MID: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
RTP_STREAM_ID: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RTP_STREAM_ID: Final = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
AUDIO_LEVEL: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
CSRC_AUDIO_LEVEL: Final = "urn:ietf:params:rtp-hdrext:csrc-audio-level"
ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_WIDE_CC: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
ABS_CAPTURE_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
VIDEO_ORIENTATION: Final = "urn:3gpp:video-orientation"
PLAYOUT_DELAY: Final = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
TRANSMISSION_OFFSET: Final = "urn:ietf:params:rtp-hdrext:toffset"
SEND_TIME_UNITS: Final = 1 << 18
"""Units of ``send_time`` per second; it wraps after 64 seconds."""
_MAX_CSRCS: Final = 15
_PLAYOUT_DELAY_UNITS: Final = 100
_MAX_PLAYOUT_DELAY: Final = 0xFFF
_NTP_FRACTION: Final = 1 << 32
_UINT16: Final = struct.Struct("!H")
_CAPTURE_TIME: Final = struct.Struct("!Q")
_CAPTURE_TIME_AND_OFFSET: Final = struct.Struct("!Qq")


@attrs.define
class HeaderValues:
    """The values of the header extensions of a packet; ``None`` where an element is missing or malformed.

    Attributes:
        mid: The identification of the media section (RFC 8843 section 15).
        rid: The RTP stream id, which names a simulcast layer (RFC 8852).
        repaired_rid: The RTP stream id of the stream that this packet repairs.
        audio_level: The audio level in -dBov, 0 the loudest and 127 silence (RFC 6464).
        voice: Whether the sender has detected voice.
        csrc_audio_levels: The audio level of each contributing source (RFC 6465).
        send_time: The send time, 24 bits in units of 2**-18 seconds.
        transport_sequence_number: The sequence number over all streams of the transport, 16 bits.
        capture_time: The capture time in seconds since 1900 of the capturing clock.
        capture_clock_offset: Seconds to add to the capture time to have it in the clock of the sender of the packet.
        rotation: The clockwise rotation to apply to a video frame: 0, 90, 180 or 270 degrees.
        playout_delay_min: Seconds.
        playout_delay_max: Seconds.
        transmission_offset: The send time, in units of the RTP timestamp after it (RFC 5450).
    """

    mid: str | None = None
    rid: str | None = None
    repaired_rid: str | None = None
    audio_level: int | None = None
    voice: bool | None = None
    csrc_audio_levels: tuple[int, ...] | None = None
    send_time: int | None = None
    transport_sequence_number: int | None = None
    capture_time: float | None = None
    capture_clock_offset: float | None = None
    rotation: int | None = None
    playout_delay_min: float | None = None
    playout_delay_max: float | None = None
    transmission_offset: int | None = None


def _text(value: bytes) -> str | None:
    try:
        return value.decode() or None
    except UnicodeDecodeError:
        return None


def _read_mid(values: HeaderValues, value: bytes) -> None:
    values.mid = _text(value)


def _read_rid(values: HeaderValues, value: bytes) -> None:
    values.rid = _text(value)


def _read_repaired_rid(values: HeaderValues, value: bytes) -> None:
    values.repaired_rid = _text(value)


def _read_audio_level(values: HeaderValues, value: bytes) -> None:
    if len(value) == 1:
        level = value[0]
        values.audio_level = level & 0x7F
        values.voice = level >= 0x80


def _read_csrc_audio_levels(values: HeaderValues, value: bytes) -> None:
    if 1 <= len(value) <= _MAX_CSRCS:
        values.csrc_audio_levels = tuple([level & 0x7F for level in value])


def _read_send_time(values: HeaderValues, value: bytes) -> None:
    if len(value) == 3:
        values.send_time = int.from_bytes(value, "big")


def _read_transport_sequence_number(values: HeaderValues, value: bytes) -> None:
    # Version 2 of the extension has two more bytes, which request feedback; the number is the same.
    if len(value) in (2, 4):
        values.transport_sequence_number = value[0] << 8 | value[1]


def _read_capture_time(values: HeaderValues, value: bytes) -> None:
    if len(value) == _CAPTURE_TIME.size:
        values.capture_time = _CAPTURE_TIME.unpack(value)[0] / _NTP_FRACTION
    elif len(value) == _CAPTURE_TIME_AND_OFFSET.size:
        time, offset = _CAPTURE_TIME_AND_OFFSET.unpack(value)
        values.capture_time = time / _NTP_FRACTION
        values.capture_clock_offset = offset / _NTP_FRACTION


def _read_rotation(values: HeaderValues, value: bytes) -> None:
    if len(value) == 1:
        values.rotation = 90 * (value[0] & 3)


def _read_playout_delay(values: HeaderValues, value: bytes) -> None:
    if len(value) == 3:
        delays = int.from_bytes(value, "big")
        shortest, longest = delays >> 12, delays & _MAX_PLAYOUT_DELAY
        if shortest <= longest:
            values.playout_delay_min = shortest / _PLAYOUT_DELAY_UNITS
            values.playout_delay_max = longest / _PLAYOUT_DELAY_UNITS


def _read_transmission_offset(values: HeaderValues, value: bytes) -> None:
    if len(value) == 3:
        values.transmission_offset = int.from_bytes(value, "big", signed=True)


_Reader = Callable[[HeaderValues, bytes], None]

_READERS: Final[dict[str, _Reader]] = {
    MID: _read_mid,
    RTP_STREAM_ID: _read_rid,
    REPAIRED_RTP_STREAM_ID: _read_repaired_rid,
    AUDIO_LEVEL: _read_audio_level,
    CSRC_AUDIO_LEVEL: _read_csrc_audio_levels,
    ABS_SEND_TIME: _read_send_time,
    TRANSPORT_WIDE_CC: _read_transport_sequence_number,
    ABS_CAPTURE_TIME: _read_capture_time,
    VIDEO_ORIENTATION: _read_rotation,
    PLAYOUT_DELAY: _read_playout_delay,
    TRANSMISSION_OFFSET: _read_transmission_offset,
}

SUPPORTED: Final = tuple(_READERS)
"""The URIs of the supported extensions."""

_OF_FRAMES: Final = frozenset(
    {AUDIO_LEVEL, CSRC_AUDIO_LEVEL, ABS_CAPTURE_TIME, VIDEO_ORIENTATION, PLAYOUT_DELAY}
)


def _read_only(uris: Mapping[int, str] | Iterable[tuple[int, str]]) -> Mapping[int, str]:
    return MappingProxyType(dict(uris))


@attrs.frozen
class ExtensionMap:
    """The negotiated extensions of a media section: the id and URI of each.

    Attributes:
        uris: The URI of each id; unsupported ones are kept, and not read. Of several ids of a URI the first is
            written. Pairs are accepted too; the last pair of an id is used.
        frame_elements: The ids of the extensions that describe frames. The others describe packets, and have been read
            when a packet is assigned to its stream.
    """

    uris: Mapping[int, str] = attrs.field(factory=dict, converter=_read_only, hash=False)
    frame_elements: frozenset[int] = attrs.field(init=False, eq=False, repr=False)
    _numbers: dict[str, int] = attrs.field(init=False, eq=False, repr=False)
    _readers: dict[int, _Reader] = attrs.field(init=False, eq=False, repr=False)

    @frame_elements.default
    def _select_frame_elements(self) -> frozenset[int]:
        return frozenset(number for number, uri in self.uris.items() if uri in _OF_FRAMES)

    @_numbers.default
    def _map_numbers(self) -> dict[str, int]:
        return {uri: number for number, uri in reversed(tuple(self.uris.items()))}

    @_readers.default
    def _map_readers(self) -> dict[int, _Reader]:
        return {number: _READERS[uri] for number, uri in self.uris.items() if uri in _READERS}

    def uri(self, number: int) -> str | None:
        return self.uris.get(number)

    def number(self, uri: str) -> int | None:
        return self._numbers.get(uri)

    def mutable_elements(self) -> frozenset[int]:
        """Return the ids of the elements that are written when a packet is sent, and so are not protected by FEC."""
        numbers = (self.number(uri) for uri in (ABS_SEND_TIME, TRANSMISSION_OFFSET, TRANSPORT_WIDE_CC))
        return frozenset(number for number in numbers if number is not None)

    def read(self, extensions: Iterable[tuple[int, bytes]]) -> HeaderValues:
        """Return the values of the elements of a packet; of one that is present twice the last is used."""
        values = HeaderValues()
        readers = self._readers
        for number, value in extensions:
            if number in readers:
                readers[number](values, value)
        return values


def encode_text(text: str) -> bytes:
    """Return the element of a MID, an RTP stream id or a repaired RTP stream id."""
    return text.encode()


def encode_audio_level(level: int, voice: bool) -> bytes:
    """Return the element of the audio level, -dBov from 0 to 127, and whether it is voice."""
    return bytes([level | 0x80 if voice else level])


def encode_csrc_audio_levels(levels: Iterable[int]) -> bytes:
    """Return the element of the levels of contributing sources, one to 15 of them, -dBov from 0 to 127."""
    return bytes(levels)


def encode_abs_send_time(seconds: float) -> bytes:
    """Return the element of the absolute send time, in seconds of any clock."""
    return (int(seconds * SEND_TIME_UNITS) & 0xFF_FFFF).to_bytes(3, "big")


def encode_transport_sequence_number(number: int) -> bytes:
    """Return the element of a transport-wide sequence number, wrapping it to 16 bits."""
    return _UINT16.pack(number & 0xFFFF)


def encode_abs_capture_time(seconds: float, clock_offset: float | None = None) -> bytes:
    """Return the element of the capture time.

    Args:
        seconds: The seconds since 1900 of the capturing clock.
        clock_offset: The estimate of a mixer or forwarder of the seconds to add to have the time in its own clock, the
            one of its sender reports; ``None`` if it is the same clock or is not known.
    """
    time = round(seconds * _NTP_FRACTION) & 0xFFFF_FFFF_FFFF_FFFF
    if clock_offset is None:
        return _CAPTURE_TIME.pack(time)
    return _CAPTURE_TIME_AND_OFFSET.pack(time, round(clock_offset * _NTP_FRACTION))


def encode_video_orientation(rotation: int) -> bytes:
    """Return the element of the clockwise rotation of a video frame, a multiple of 90 degrees."""
    return bytes([rotation // 90 & 3])


def encode_playout_delay(shortest: float, longest: float) -> bytes:
    """Return the element of the limits of the playout delay, in seconds, clamped to 0 and 40.95."""
    low, high = (
        min(max(round(seconds * _PLAYOUT_DELAY_UNITS), 0), _MAX_PLAYOUT_DELAY)
        for seconds in (shortest, longest)
    )
    return (low << 12 | high).to_bytes(3, "big")


def encode_transmission_offset(offset: int) -> bytes:
    """Return the element of the transmission offset in units of the RTP timestamp, 24 bits with sign."""
    return offset.to_bytes(3, "big", signed=True)
