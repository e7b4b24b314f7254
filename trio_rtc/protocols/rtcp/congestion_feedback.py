"""RTCP congestion control feedback (RFC 8888): arrival time and ECN mark of each packet of each source.

As in erratum 7894, a block reports ``num_reports`` packets, beginning with ``begin_seq``.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .feedback import TransportFeedbackFormat
from .framing import HEADER_SIZE, PacketType, add_header

UNITS_PER_SECOND: Final = 1024
AGE_OVERFLOW: Final = 0x1FFE
"""The largest ``age``: this long before the report or longer."""
AGE_UNKNOWN: Final = 0x1FFF
"""The packet arrived at an unknown time or after the time of the report."""
MAX_REPORTS: Final = 16384
"""Maximum packets of one source in a report (RFC 8888 section 3.1)."""
MIN_SIZE: Final = 24
"""Bytes of feedback on one or two packets of one source."""
_RECEIVED: Final = 0x8000
_SSRC: Final = struct.Struct("!I")
_STREAM: Final = struct.Struct("!IHH")
_FIXED_SIZE: Final = HEADER_SIZE + 2 * _SSRC.size


@attrs.frozen
class ArrivalReport:
    """The report of a received packet.

    Attributes:
        age: Arrival time offset (ATO): time from the arrival to the time of the report, in units of 1/1024 second, 13
            bits.
        ecn: The two ECN bits: 0 not ECN-capable, 1 ECT(1), 2 ECT(0), 3 congestion experienced.
    """

    age: int
    ecn: int = 0

    @property
    def seconds(self) -> float | None:
        """The age in seconds, or ``None`` if it is unknown or too large for its field."""
        return None if self.age >= AGE_OVERFLOW else self.age / UNITS_PER_SECOND


@attrs.frozen
class StreamReport:
    """The reports of one source's packets.

    Attributes:
        begin_sequence_number: The first reported sequence number, 16 bits.
        reports: One for each sequence number; ``None`` for a packet that has not arrived.
    """

    ssrc: int
    begin_sequence_number: int
    reports: tuple[ArrivalReport | None, ...]


@attrs.frozen
class CongestionControlFeedback:
    """A packet of congestion control feedback.

    Attributes:
        report_time: The time of the report: the middle 32 bits of an NTP timestamp.
        streams: The reported sources.
    """

    sender_ssrc: int
    report_time: int
    streams: tuple[StreamReport, ...]

    @classmethod
    def build(
        cls,
        sender_ssrc: int,
        report_time: int,
        now: float,
        arrivals: Mapping[int, Iterable[tuple[int, float, int]]],
        max_size: int,
    ) -> list["CongestionControlFeedback"]:
        """Build the packets that report arrivals, each of at most ``max_size`` bytes.

        Args:
            sender_ssrc: The SSRC of the feedback's sender.
            report_time: The middle 32 bits of the NTP time at ``now``.
            now: The time in seconds on the clock of the arrivals.
            arrivals: For each SSRC the unwrapped sequence number, time in seconds and ECN bits of received packets in
                any order. Numbers missing between them are reported as lost. If they span more than ``MAX_REPORTS``
                numbers, only the newest are reported.
            max_size: Maximum bytes of a packet, at least ``MIN_SIZE``.
        """
        if max_size < MIN_SIZE:
            raise ValueError(
                f"max_size must be at least {MIN_SIZE} for congestion control feedback, not {max_size}"
            )
        packets: list[CongestionControlFeedback] = []
        streams: list[StreamReport] = []
        room = max_size - _FIXED_SIZE
        for ssrc, received in arrivals.items():
            for begin, reports in _reports(now, received):
                start = 0
                while start < len(reports):
                    # Two reports fill a 32-bit word.
                    limit = (room - _STREAM.size) // 4 * 2
                    if limit <= 0:
                        packets.append(cls(sender_ssrc, report_time, tuple(streams)))
                        streams, room = [], max_size - _FIXED_SIZE
                        continue
                    part = tuple(reports[start : start + limit])
                    streams.append(StreamReport(ssrc, begin + start & 0xFFFF, part))
                    room -= _STREAM.size + (len(part) + 1) // 2 * 4
                    start += len(part)
        if streams:
            packets.append(cls(sender_ssrc, report_time, tuple(streams)))
        return packets

    @classmethod
    def parse(cls, body: bytes) -> "CongestionControlFeedback":
        """Parse the body of a packet."""
        if len(body) < 2 * _SSRC.size:
            raise ProtocolError(
                f"congestion control feedback has {len(body)} bytes, fewer than {2 * _SSRC.size}"
            )
        offset, end = _SSRC.size, len(body) - _SSRC.size
        streams = []
        while offset < end:
            if end - offset < _STREAM.size:
                raise ProtocolError("congestion control feedback ends within the header of a source")
            ssrc, begin, count = _STREAM.unpack_from(body, offset)
            offset += _STREAM.size
            size = (count + 1) // 2 * 4
            if count > MAX_REPORTS or size > end - offset:
                raise ProtocolError(
                    f"congestion control feedback reports {count} packets in {end - offset} bytes"
                )
            values = struct.unpack_from(f"!{count}H", body, offset)
            offset += size
            streams.append(StreamReport(ssrc, begin, tuple([_parse_report(value) for value in values])))
        (sender_ssrc,) = _SSRC.unpack_from(body)
        (report_time,) = _SSRC.unpack_from(body, end)
        return cls(sender_ssrc, report_time, tuple(streams))

    def encode(self) -> bytes:
        """Return the encoded packet."""
        parts = [_SSRC.pack(self.sender_ssrc)]
        for stream in self.streams:
            count = len(stream.reports)
            if count > MAX_REPORTS:
                raise ValueError(f"reports of a source must be at most {MAX_REPORTS}, not {count}")
            parts.append(_STREAM.pack(stream.ssrc, stream.begin_sequence_number, count))
            values = [_encode_report(report) for report in stream.reports]
            parts.append(struct.pack(f"!{count + count % 2}H", *values, *[0] * (count % 2)))
        parts.append(_SSRC.pack(self.report_time))
        return add_header(
            PacketType.TRANSPORT_FEEDBACK, TransportFeedbackFormat.CONGESTION_CONTROL, b"".join(parts)
        )


def _reports(
    now: float, received: Iterable[tuple[int, float, int]]
) -> Iterator[tuple[int, list[ArrivalReport | None]]]:
    """Yield the first sequence number and the reports from it on, or nothing if no packet has arrived."""
    by_number: dict[int, ArrivalReport] = {}
    for number, time, ecn in received:
        # RFC 8888 section 3.1: the first copy gives the arrival time; ECN-CE on any copy is reported.
        if (known := by_number.get(number)) is None:
            by_number[number] = ArrivalReport(_age(now, time), ecn)
        elif ecn == 3:
            by_number[number] = attrs.evolve(known, ecn=ecn)
    if by_number:
        end = max(by_number) + 1
        begin = max(min(by_number), end - MAX_REPORTS)
        yield begin, [by_number.get(number) for number in range(begin, end)]


def _age(now: float, time: float) -> int:
    if time > now:
        return AGE_UNKNOWN
    return min(round((now - time) * UNITS_PER_SECOND), AGE_OVERFLOW)


def _parse_report(value: int) -> ArrivalReport | None:
    return ArrivalReport(value & 0x1FFF, value >> 13 & 3) if value & _RECEIVED else None


def _encode_report(report: ArrivalReport | None) -> int:
    return 0 if report is None else _RECEIVED | report.ecn << 13 | report.age
