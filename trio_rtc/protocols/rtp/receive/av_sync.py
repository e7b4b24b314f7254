"""Synchronization of the audio and video of a session: the streams of each MediaStream wait for each other.

The sections of a group are negotiated (``sync_group``). Every half second, while frames arrive, each pipeline reports
its timing and is given the extra delay that :mod:`.sync_group` computes. There is no timer: without frames to play
there is nothing to synchronize.
"""

from collections.abc import Iterable, Mapping

from trio_rtc.protocols.rtp.options import AvSyncOptions

from .stream import RtpReceiveStream
from .sync_group import StreamTiming, SyncGroup

_INTERVAL = 0.5


class AvSync:
    """Synchronizes the streams of each group.

    Attributes:
        members: The streams that are synchronized, with their group and clock rate.
        next_update: When to call ``update``, if there are members.
    """

    def __init__(self, options: AvSyncOptions) -> None:
        self._options = options
        self._groups: dict[str, SyncGroup[RtpReceiveStream]] = {}
        self.members: dict[RtpReceiveStream, tuple[str, int]] = {}
        self._group_of: Mapping[str, str] = {}
        self.next_update = 0.0

    def set_groups(self, group_of: Mapping[str, str]) -> None:
        """Replace the group of each section, by MID."""
        self._group_of = group_of
        self._groups = {name: sync for name, sync in self._groups.items() if name in group_of.values()}

    def handle_sender_report(self, stream: RtpReceiveStream, timestamp: int, ntp_time: float) -> None:
        """Handle a sender report: an unwrapped timestamp, and its time in the sender's clock."""
        group = self._group_of.get(stream.mid)
        if group is None or stream.codec is None:
            return
        self._join(stream, group, stream.codec.clock_rate)
        self._groups[group].handle_sender_report(stream, timestamp, ntp_time)

    def remove(self, stream: RtpReceiveStream) -> None:
        member = self.members.pop(stream, None)
        if member is not None and (sync := self._groups.get(member[0])) is not None:
            sync.remove_stream(stream)

    def update(self, streams: Iterable[RtpReceiveStream], now: float) -> None:
        self.next_update = now + _INTERVAL
        timings: dict[str, dict[RtpReceiveStream, StreamTiming]] = {}
        for stream in streams:
            member, pipeline = self.members.get(stream), stream.pipeline
            if member is None or pipeline is None:
                continue
            timing = pipeline.timing()
            shift, sync = pipeline.take_clock_shift(), self._groups.get(member[0])
            if shift and sync is not None:
                sync.expect_shift(stream, shift)
            if timing is not None:
                timings.setdefault(member[0], {})[stream] = timing
        for group, of_group in timings.items():
            sync = self._groups.get(group)
            for stream, delay in ({} if sync is None else sync.extra_delays(of_group)).items():
                if stream.pipeline is not None:
                    stream.pipeline.set_extra_delay(delay)

    def _join(self, stream: RtpReceiveStream, group: str, clock_rate: int) -> None:
        if self.members.get(stream) == (group, clock_rate) and group in self._groups:
            return
        self.remove(stream)
        self.members[stream] = (group, clock_rate)
        sync = self._groups.setdefault(group, SyncGroup[RtpReceiveStream](self._options))
        sync.add_stream(stream, clock_rate, may_lead=stream.is_video)
