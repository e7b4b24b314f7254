"""Congestion control feedback (RFC 8888): when each packet of each source arrived, and how it was marked.

How many packets a block reports is read as erratum 7894 has it: ``num_reports`` of them, from ``begin_seq`` on.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from trio_rtc.errors import ProtocolError

from .feedback import TransportFormat
from .framing import HEADER_SIZE, PacketType, frame

UNITS_PER_SECOND: Final = 1024
LONG_AGO: Final = 0x1FFE
"""The largest ``age`` that can be told: so long ago or longer."""
UNKNOWN_AGE: Final = 0x1FFF
"""The packet arrived, but when is not known, or was after the time of the report."""
MAX_REPORTS: Final = 16384
"""Packets of one source that a report can tell of (RFC 8888 section 3.1)."""
MIN_SIZE: Final = 24
"""Bytes of a report on one or two packets of one source."""
_RECEIVED: Final = 0x8000
_SSRC: Final = struct.Struct("!I")
_STREAM: Final = struct.Struct("!IHH")
_FIXED_SIZE: Final = HEADER_SIZE + 2 * _SSRC.size


@attrs.frozen
class ArrivalReport:
    """One packet that arrived.

    Attributes:
        age: How long before the time of the report, in units of 1/1024 second, 13 bits.
        ecn: The two bits of explicit congestion notification: 0 not capable, 1 ECT(1), 2 ECT(0), 3 congestion.
    """

    age: int
    ecn: int = 0

    @property
    def seconds(self) -> float | None:
        """The age in seconds; ``None`` when it is not known, or so long ago that it cannot be told."""
        return None if self.age >= LONG_AGO else self.age / UNITS_PER_SECOND


@attrs.frozen
class StreamReport:
    """What is told of one source.

    Attributes:
        ssrc: The source.
        begin_sequence_number: The first that is reported, 16 bits.
        reports: One for each sequence number; ``None`` for one that has not arrived.
    """

    ssrc: int
    begin_sequence_number: int
    reports: tuple[ArrivalReport | None, ...]


@attrs.frozen
class CongestionControlFeedback:
    """One packet of congestion control feedback.

    Attributes:
        sender_ssrc: Who reports.
        report_time: When, as the middle 32 bits of an NTP timestamp.
        streams: The sources that are reported.
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
        """Report arrivals, in as many packets as it takes so that none is larger than ``max_size`` bytes.

        Args:
            sender_ssrc: Who reports.
            report_time: The middle 32 bits of the NTP time that is ``now``.
            now: In the clock of the arrivals.
            arrivals: For each SSRC the unwrapped sequence number, the time in seconds and the two ECN bits of packets
                in any order; what is missing between them is told as lost. When they span more than ``MAX_REPORTS``
                numbers, the newest of them are reported.
            max_size: At least ``MIN_SIZE``.
        """
        if max_size < MIN_SIZE:
            raise ValueError(f"congestion control feedback does not fit {max_size} bytes")
        packets: list[CongestionControlFeedback] = []
        streams: list[StreamReport] = []
        room = max_size - _FIXED_SIZE
        for ssrc, received in arrivals.items():
            for begin, reports in _reports(now, received):
                start = 0
                while start < len(reports):
                    # A pair of reports takes a word.
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
        """Read the body of a packet."""
        if len(body) < 2 * _SSRC.size:
            raise ProtocolError("congestion control feedback is too short")
        offset, end = _SSRC.size, len(body) - _SSRC.size
        streams = []
        while offset < end:
            if end - offset < _STREAM.size:
                raise ProtocolError("congestion control feedback ends within a source")
            ssrc, begin, count = _STREAM.unpack_from(body, offset)
            offset += _STREAM.size
            size = (count + 1) // 2 * 4
            if count > MAX_REPORTS or size > end - offset:
                raise ProtocolError(f"congestion control feedback on {count} packets in {end - offset} bytes")
            values = struct.unpack_from(f"!{count}H", body, offset)
            offset += size
            streams.append(StreamReport(ssrc, begin, tuple([_parse_report(value) for value in values])))
        (sender_ssrc,) = _SSRC.unpack_from(body)
        (report_time,) = _SSRC.unpack_from(body, end)
        return cls(sender_ssrc, report_time, tuple(streams))

    def encode(self) -> bytes:
        """Return the packet."""
        parts = [_SSRC.pack(self.sender_ssrc)]
        for stream in self.streams:
            count = len(stream.reports)
            if count > MAX_REPORTS:
                raise ValueError(f"congestion control feedback on {count} packets of a source")
            parts.append(_STREAM.pack(stream.ssrc, stream.begin_sequence_number, count))
            values = [_encode_report(report) for report in stream.reports]
            parts.append(struct.pack(f"!{count + count % 2}H", *values, *[0] * (count % 2)))
        parts.append(_SSRC.pack(self.report_time))
        return frame(PacketType.TRANSPORT_FEEDBACK, TransportFormat.CONGESTION_CONTROL, b"".join(parts))


def _reports(
    now: float, received: Iterable[tuple[int, float, int]]
) -> Iterator[tuple[int, list[ArrivalReport | None]]]:
    """Yield, if anything has arrived, the first sequence number and the reports from there on."""
    by_number: dict[int, ArrivalReport] = {}
    for number, time, ecn in received:
        # RFC 8888 section 3.1: of duplicates the first arrival counts, and any of them may tell of congestion.
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
        return UNKNOWN_AGE
    return min(round((now - time) * UNITS_PER_SECOND), LONG_AGO)


def _parse_report(value: int) -> ArrivalReport | None:
    return ArrivalReport(value & 0x1FFF, value >> 13 & 3) if value & _RECEIVED else None


def _encode_report(report: ArrivalReport | None) -> int:
    return 0 if report is None else _RECEIVED | report.ecn << 13 | report.age
