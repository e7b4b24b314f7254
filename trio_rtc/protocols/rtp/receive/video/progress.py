"""How far a stream of video has come, and what shows that its sender has begun anew.

RFC 3550 leaves it to the receiver what to believe of a number that does not follow on the ones before.
"""

import math

from trio_rtc.protocols.rtp.options import FrameAssemblerOptions


class StreamProgress:
    """Remembers the last of what came.

    Args:
        options: What is far, and what is silence.

    Attributes:
        last_useful: When the last packet came that was of use, in seconds; ``-math.inf`` before the first.
    """

    __slots__ = ("_latest", "_max_packets", "_newest_timestamp", "_silence", "last_useful")

    def __init__(self, options: FrameAssemblerOptions) -> None:
        self._max_packets = options.max_packets
        self._silence = options.restart_silence
        self._latest: int | None = None
        self._newest_timestamp: int | None = None
        self.last_useful = -math.inf

    def packet_kept(self, sequence_number: int, now: float) -> None:
        """Hear of a packet that is of use."""
        self._latest = sequence_number
        self.last_useful = now

    def frame_completed(self, timestamp: int) -> None:
        """Hear of a frame that has come out."""
        newest = self._newest_timestamp
        self._newest_timestamp = timestamp if newest is None else max(timestamp, newest)

    def begin_anew(self) -> None:
        """Hear that timestamps begin anew."""
        self._newest_timestamp = None

    def is_silent(self, now: float) -> bool:
        """Return whether nothing has been of use for long."""
        return now - self.last_useful >= self._silence

    def is_far(self, sequence_number: int, next_expected: int | None) -> bool:
        """Return whether a number is so far from the others that the stream must have begun anew.

        Args:
            sequence_number: Not behind what is next_expected.
            next_expected: The first packet that has not come, ``None`` where it is not known what to wait for.
        """
        if self._latest is None:
            return False
        if next_expected is None:
            return abs(sequence_number - self._latest) > self._max_packets
        # A frame that lies just there must not be torn apart: the packet before it may have been near enough.
        return sequence_number - max(next_expected, self._latest) > self._max_packets

    def is_restart(self, behind: int, timestamp: int, now: float) -> bool:
        """Return whether a keyframe whose number is behind shows that the sender has started again.

        Args:
            behind: By how much it is behind what is next_expected.
            timestamp: Of the keyframe.
            now: When it came.
        """
        is_unseen = self._newest_timestamp is None or timestamp > self._newest_timestamp
        return behind > self._max_packets or is_unseen or self.is_silent(now)
