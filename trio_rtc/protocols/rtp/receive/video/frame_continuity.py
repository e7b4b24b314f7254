"""Detection of the frames that can be decoded although packets before them are missing.

Missing sequence numbers need not have carried media. :class:`FrameSuccession` determines whether the frame behind them
follows directly on the last one: by the codec's picture numbers, else by timestamps (:class:`FrameIntervals`).
:class:`TemporalContinuity` determines which frames can be decoded after frames were lost, by their temporal layers.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import (
    Continuity,
    ContinuityTracker,
    Depacketizer,
    LayerIds,
    ReferenceReader,
    frame_number_tracker,
    layer_reader,
    reference_reader,
)

from .packet_buffer import PacketBuffer

_WINDOW: Final = 64
_ENOUGH: Final = 8
_EQUAL: Final = 1.25
"""The factor by which the intervals of a camera differ."""
_ROOM: Final = 1.75
"""The number of shortest intervals in which there may have been another frame."""
_MAX_INSPECTED: Final = 6
"""Packets at the beginning of a frame that are searched for its picture number."""
_MAX_DOUBTED: Final = 64
_MAX_TEMPORAL_ID: Final = 7
_WITH_PICTURE_IDS: Final = frozenset({"vp8", "vp9"})
_REMEMBERED: Final = 64
"""Frames back within which a reference is searched; P_DIFF has seven bits, but encoders reference the last few."""


@attrs.frozen
class Succession:
    """The relation of a frame to the last completed one.

    Attributes:
        continuity: The relation.
        is_doubtful: Whether it is derived from timestamps only.
    """

    continuity: Continuity
    is_doubtful: bool = False

    @property
    def is_adjacent(self) -> bool:
        """Whether the two frames surely followed each other."""
        return self.continuity is Continuity.NEXT and not self.is_doubtful


NOT_A_SUCCESSOR: Final = Succession(Continuity.BROKEN)


class PictureIdTracker:
    """Tracks the picture IDs of VP8 or VP9 (RFC 7741 and RFC 9628, sections 4.2).

    Args:
        read: Reads the layer ids of a payload.
        read_references: Reads the references of a payload's frame, if the format has them.
    """

    def __init__(
        self,
        read: Callable[[bytes], LayerIds],
        read_references: ReferenceReader | None = None,
    ) -> None:
        self._read = read
        self._read_references = read_references
        self._last: LayerIds | None = None
        self._received: deque[int] = deque(maxlen=_REMEMBERED)
        # The references of higher spatial layers are not examined.
        self._has_spatial_layers = False

    def record(self, payloads: Sequence[bytes]) -> None:
        """Record the last received frame."""
        try:
            self._last = self._read(payloads[0])
            self._has_spatial_layers = bool(self._read(payloads[-1]).spatial_id)
        except ProtocolError:
            self._last = None
        if self._last is not None and self._last.picture_id is not None:
            self._received.append(self._last.picture_id)

    def check(self, payloads: Sequence[bytes], missing: int) -> Continuity:
        """Return the relation of a frame to the last recorded one."""
        last = self._last
        try:
            layers = self._read(payloads[0])
        except ProtocolError:
            return Continuity.UNKNOWN
        if not layers.starts_layer_frame:
            return Continuity.BROKEN
        if last is None or last.picture_id is None or layers.picture_id is None:
            return Continuity.UNKNOWN
        if (layers.spatial_id or 0) > (last.spatial_id or 0):
            # The missing packets may be the lower layer of the same frame.
            return Continuity.BROKEN
        # RFC 7741 section 4.2: a receiver must not assume that the number of bits is constant.
        mask = (1 << min(last.picture_id_bits, layers.picture_id_bits)) - 1
        if missing > mask:
            # A whole cycle of picture IDs may be missing.
            return Continuity.UNKNOWN
        difference = (layers.picture_id - last.picture_id) & mask
        if difference == 1:
            return Continuity.NEXT
        return Continuity.DECODABLE if difference and self._has_references(payloads[0]) else Continuity.BROKEN

    def _has_references(self, payload: bytes) -> bool:
        """Return whether all references of a frame were received, if it lists them (VP9's flexible mode)."""
        if self._read_references is None or self._has_spatial_layers:
            return False
        try:
            layers, references = self._read(payload), self._read_references(payload)
        except ProtocolError:
            return False
        if references is None or layers.picture_id is None:
            return False
        mask = (1 << layers.picture_id_bits) - 1
        return all((layers.picture_id - back) & mask in self._received for back in references)


def continuity_tracker(codec: str, parameters: Mapping[str, str]) -> ContinuityTracker | None:
    """Return a tracker of one stream's frame numbers; ``None`` for codecs without them.

    Args:
        codec: The encoding name.
        parameters: The codec parameters of ``a=fmtp``.
    """
    read = layer_reader(codec)
    if read is not None and codec.lower() in _WITH_PICTURE_IDS:
        return PictureIdTracker(read, reference_reader(codec))
    return frame_number_tracker(codec, parameters)


class FrameIntervals:
    """The timestamp intervals between consecutive frames.

    Without picture numbers, the interval to the last frame still shows whether another frame may be missing between the
    two: less than two of the usual intervals leaves no room for it.
    """

    __slots__ = ("_intervals", "_last")

    def __init__(self) -> None:
        self._intervals: deque[int] = deque(maxlen=_WINDOW)
        self._last: int | None = None

    def record(self, timestamp: int, *, adjacent: bool) -> None:
        """Record a completed frame, and whether it surely followed directly on the last one."""
        if adjacent and self._last is not None and timestamp > self._last:
            self._intervals.append(timestamp - self._last)
        self._last = timestamp

    def reset(self) -> None:
        """Remove the last frame: the next one does not follow on it."""
        self._last = None

    def excludes_a_frame(self, timestamp: int) -> bool:
        """Return whether a frame follows the last one as closely as consecutive frames do."""
        return len(self._intervals) >= _ENOUGH and self._is_within(timestamp, _EQUAL)

    def leaves_no_room(self, timestamp: int) -> bool:
        """Return whether another frame between the last one and this one would be unusually early."""
        return self._is_within(timestamp, _ROOM)

    def _is_within(self, timestamp: int, factor: float) -> bool:
        if self._last is None or not self._intervals:
            return False
        return 0 < timestamp - self._last <= factor * min(self._intervals)


class FrameSuccession:
    """Determines whether a frame behind missing numbers follows the last one, by picture numbers, else by timestamps.

    Args:
        buffer: The buffered packets.
        depacketizer: The depacketizer of the payload format.
        tracker: The tracker of picture numbers, if the format has them.
    """

    __slots__ = ("_buffer", "_depacketizer", "_doubted", "_intervals", "_tracker")

    def __init__(
        self, buffer: PacketBuffer, depacketizer: Depacketizer, tracker: ContinuityTracker | None
    ) -> None:
        self._buffer = buffer
        self._depacketizer = depacketizer
        self._tracker = tracker
        self._intervals = FrameIntervals()
        # Numbers that were passed over because of timestamps only, and may carry media after all.
        self._doubted: deque[int] = deque(maxlen=_MAX_DOUBTED)

    def record(self, payloads: Sequence[bytes], timestamp: int, *, adjacent: bool) -> None:
        """Record a complete frame, and whether it surely followed directly on the one before."""
        if self._tracker is not None:
            self._tracker.record(payloads)
        self._intervals.record(timestamp, adjacent=adjacent)

    def check(self, missing: int, behind: int) -> Succession:
        """Return the relation of the frame that begins behind missing numbers, if one does, to the last one.

        Args:
            missing: The first missing number; all before are those of complete frames.
            behind: The first buffered packet behind it that has a payload.
        """
        packets = self._buffer.packets
        timestamp = packets[behind].timestamp
        if not self._depacketizer.starts_frame(packets[behind].packet.payload):
            return NOT_A_SUCCESSOR
        known = Continuity.UNKNOWN
        if self._tracker is not None:
            known = self._tracker.check(self._first_payloads(behind), behind - missing)
        doubtful = known is Continuity.UNKNOWN
        if known in (Continuity.NEXT, Continuity.BROKEN):
            return Succession(known)
        if self._intervals.excludes_a_frame(timestamp):
            return Succession(Continuity.NEXT, doubtful)
        if self._intervals.leaves_no_room(timestamp):
            return Succession(Continuity.DECODABLE, doubtful)
        return Succession(known, doubtful)

    def _first_payloads(self, behind: int) -> list[bytes]:
        packets = self._buffer.packets
        timestamp = packets[behind].timestamp
        payloads: list[bytes] = []
        for number in range(behind, behind + _MAX_INSPECTED):
            entry = packets.get(number)
            if entry is None or entry.timestamp != timestamp:
                break
            if entry.packet.payload:
                payloads.append(entry.packet.payload)
        return payloads

    def doubt(self, numbers: Iterable[int]) -> None:
        """Record numbers that were passed over although only timestamps show that they carried no media."""
        self._doubted.extend(numbers)

    def take_doubted(self, number: int) -> bool:
        """Return whether a number was recorded as doubtful, and remove it."""
        if number not in self._doubted:
            return False
        self._doubted.remove(number)
        return True

    def reset(self) -> None:
        self._doubted.clear()
        self._intervals.reset()


@attrs.frozen
class LayerPosition:
    """The temporal layer of a frame.

    Attributes:
        temporal_id: The layer; 0 is the base.
        tl0_picture_index: The index of this base-layer frame, or of the last one before it; 8 bits.
        layer_sync: Whether it depends on the base layer only (VP8's Y bit).
        switching_up_point: Whether no later frame of a higher layer depends on an earlier one of it (VP9's U bit).
    """

    temporal_id: int
    tl0_picture_index: int
    layer_sync: bool = False
    switching_up_point: bool = False


ReadLayerPosition = Callable[[bytes], LayerPosition | None]
"""Returns the temporal layer that the first payload of a frame names, ``None`` if it names none."""


class TemporalContinuity:
    """Tracks which frames can be decoded after a loss, by their temporal layers.

    Formats that number the frames of their base layer (``TL0PICIDX``, RFC 7741 section 4.2, RFC 9628 section 4.2)
    show whether a lost frame belongs to a higher layer, on which nothing below depends.
    """

    __slots__ = ("_base", "_broken", "_usable")

    def __init__(self) -> None:
        self._base: int | None = None
        # After a loss: the layers above the base that a layer sync or switching point has made decodable again.
        self._broken = False
        self._usable: set[int] = set()

    def begin(self, position: LayerPosition | None) -> None:
        """Start at a keyframe."""
        self._base = None if position is None else position.tl0_picture_index
        self._broken = False
        self._usable.clear()

    def lose(self) -> None:
        """Record a loss of frames whose layers are not known."""
        self._broken = True
        self._usable.clear()

    def accepts_after_loss(self, position: LayerPosition | None) -> bool:
        """Return whether a frame can be decoded directly behind lost frames whose layers are not known."""
        if position is None or self._base is None:
            return False
        if not position.temporal_id:
            return position.tl0_picture_index == (self._base + 1) & 0xFF
        return position.tl0_picture_index == self._base and position.layer_sync

    def accepts(self, position: LayerPosition | None) -> bool:
        """Return whether a frame can be decoded with the frames before it."""
        if not self._broken or self.accepts_after_loss(position):
            return True
        if position is None or not position.temporal_id or position.tl0_picture_index != self._base:
            return False
        return self._usable.issuperset(range(1, position.temporal_id + 1))

    def record(self, position: LayerPosition | None) -> None:
        """Record a decodable frame that is not a keyframe."""
        if position is None:
            return
        if not position.temporal_id:
            self._base = position.tl0_picture_index
        elif position.layer_sync:
            self._usable.add(position.temporal_id)
        if position.switching_up_point:
            # RFC 9628 section 4.2: from here on, higher layers depend on no earlier frame of theirs.
            self._usable.update(range(position.temporal_id + 1, _MAX_TEMPORAL_ID + 1))


def layer_position_reader(codec: str) -> ReadLayerPosition | None:
    """Return the reader of temporal layers of a codec that numbers the frames of its base layer."""
    read_layers = layer_reader(codec)
    if read_layers is None:
        return None

    def read_position(payload: bytes) -> LayerPosition | None:
        try:
            layers = read_layers(payload)
        except ProtocolError:
            return None
        if layers.temporal_id is None or layers.tl0_picture_index is None:
            return None
        return LayerPosition(
            layers.temporal_id, layers.tl0_picture_index, layers.layer_sync, layers.switching_up_point
        )

    return read_position
