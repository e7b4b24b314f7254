"""Sound and picture together: the streams of one MediaStream wait for the slowest of them.

Which sections belong together is negotiated (``sync_group``). Sender reports tie the timestamps of a stream to its
sender's clock; every half second, while frames come, each path says when it plays what, and is told how much longer to
wait. No timer is kept for it: what plays nothing needs no synchronization.
"""

from collections.abc import Iterable, Mapping

from trio_rtc.protocols.rtp.options import LipSyncOptions

from .stream import RtpReceiveStream
from .sync_group import StreamTiming, SyncGroup

_INTERVAL = 0.5


class AvSync:
    """Keeps streams of one group together.

    Args:
        options: Of lip-sync.
    """

    def __init__(self, options: LipSyncOptions) -> None:
        self._options = options
        self._groups: dict[str, SyncGroup[int]] = {}
        self._members: dict[int, tuple[str, int]] = {}
        self._group_of: Mapping[str, str] = {}
        self._next = 0.0

    def set_groups(self, group_of: Mapping[str, str]) -> None:
        """Replace which section, by its mid, belongs to which group."""
        self._group_of = group_of
        self._groups = {name: sync for name, sync in self._groups.items() if name in group_of.values()}

    def sender_report(self, stream: RtpReceiveStream, timestamp: int, ntp_time: float) -> None:
        """Take a stream's report: an unwrapped timestamp, and the time of it in its sender's clock."""
        group = self._group_of.get(stream.mid)
        if group is None or stream.codec is None:
            return
        self._join(stream, group, stream.codec.clock_rate)
        self._groups[group].sender_report(stream.ssrc, timestamp, ntp_time)

    def forget(self, ssrc: int) -> None:
        """Leave a stream out that has ended."""
        member = self._members.pop(ssrc, None)
        if member is not None and (sync := self._groups.get(member[0])) is not None:
            sync.remove_stream(ssrc)

    def update(self, streams: Iterable[RtpReceiveStream], now: float) -> bool:
        """Look again how long each stream has to wait. Acts, and says so, only from time to time."""
        if now < self._next or not self._members:
            return False
        self._next = now + _INTERVAL
        timings: dict[str, dict[int, StreamTiming]] = {}
        playing: dict[int, RtpReceiveStream] = {}
        for stream in streams:
            member = self._members.get(stream.ssrc)
            timing = None if member is None or stream.pipeline is None else stream.pipeline.timing()
            if member is not None and stream.pipeline is not None:
                shift, sync = stream.pipeline.take_clock_shift(), self._groups.get(member[0])
                if shift and sync is not None:
                    sync.expect_shift(stream.ssrc, shift)
            if member is not None and timing is not None:
                playing[stream.ssrc] = stream
                timings.setdefault(member[0], {})[stream.ssrc] = timing
        for group, of_group in timings.items():
            sync = self._groups.get(group)
            for ssrc, delay in ({} if sync is None else sync.extra_delays(of_group)).items():
                pipeline = playing[ssrc].pipeline
                if pipeline is not None:
                    pipeline.set_extra_delay(delay)
        return True

    def _join(self, stream: RtpReceiveStream, group: str, clock_rate: int) -> None:
        ssrc = stream.ssrc
        if self._members.get(ssrc) == (group, clock_rate) and group in self._groups:
            return
        self.forget(ssrc)
        self._members[ssrc] = (group, clock_rate)
        sync = self._groups.setdefault(group, SyncGroup[int](self._options))
        sync.add_stream(ssrc, clock_rate, may_lead=stream.is_video)
