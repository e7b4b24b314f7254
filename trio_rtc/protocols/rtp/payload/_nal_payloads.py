"""Payloads of NAL units, common to RFC 6184 (H.264) and RFC 7798 (H.265).

A payload is a single NAL unit, several small ones (aggregation packet: STAP-A, AP), or a fragment of a large one
(fragmentation unit: FU-A, FU). The type in its header, which resembles a NAL unit header, selects the structure. The
formats differ in header size, position of the type, and type numbers.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from ._format import split_evenly
from ._nal import read_length_prefixed

_LENGTH_SIZE: Final = 2
_FU_START: Final = 0x80
_FU_END: Final = 0x40


@attrs.frozen
class NalFormat:
    """The parameters of one codec's payload format.

    Attributes:
        header_size: Bytes of a NAL unit header.
        single_types: The types of single NAL unit packets.
        aggregation: The type of aggregation packets.
        fragment: The type of fragmentation units.
        type_mask: Mask of the NAL unit's type in the FU header.
        type_of: Returns the type in a header.
        with_type: Returns a header with another type.
        aggregation_header: Returns the header of an aggregation packet of NAL units.
    """

    codec: str
    header_size: int
    single_types: range
    aggregation: int
    fragment: int
    type_mask: int
    type_of: Callable[[bytes], int]
    with_type: Callable[[bytes, int], bytes]
    aggregation_header: Callable[[Sequence[bytes]], bytes]

    # -- packing -------------------------------------------------------------------------------------------------

    def pack(self, units: Iterable[bytes], max_size: int) -> list[bytes]:
        """Return payloads, with small NAL units aggregated and large ones fragmented."""
        payloads: list[bytes] = []
        pending: list[bytes] = []
        pending_size = self.header_size
        for unit in units:
            size = len(unit) + _LENGTH_SIZE
            if pending and pending_size + size > max_size:
                payloads.append(self._aggregate(pending))
                pending, pending_size = [], self.header_size
            if len(unit) > max_size:
                payloads += self._fragment(unit, max_size)
            else:
                pending.append(unit)
                pending_size += size
        if pending:
            payloads.append(self._aggregate(pending))
        return payloads

    def _aggregate(self, units: list[bytes]) -> bytes:
        """Return an aggregation packet, or the unit itself if there is only one."""
        if len(units) == 1:
            return units[0]
        parts = [self.aggregation_header(units)]
        for unit in units:
            parts += (len(unit).to_bytes(_LENGTH_SIZE, "big"), unit)
        return b"".join(parts)

    def _fragment(self, unit: bytes, max_size: int) -> list[bytes]:
        start = self.header_size
        pieces = split_evenly(unit[start:], max_size - start - 1)
        header, unit_type = self.with_type(unit[:start], self.fragment), self.type_of(unit)
        last = len(pieces) - 1
        payloads = []
        for index, piece in enumerate(pieces):
            position = _FU_START if index == 0 else _FU_END if index == last else 0
            payloads.append(header + bytes([position | unit_type]) + piece)
        return payloads

    # -- unpacking -----------------------------------------------------------------------------------------------

    def unpack(self, payloads: Iterable[bytes]) -> list[bytes]:
        """Return the NAL units of a frame.

        Raises:
            ProtocolError: A payload is malformed or of an unsupported type, or a fragmented NAL unit is incomplete.
        """
        units: list[bytes] = []
        fragments: list[bytes] = []
        for payload in payloads:
            if len(payload) < self.header_size:
                raise ProtocolError(
                    f"{self.codec} payload has {len(payload)} bytes, fewer than {self.header_size}"
                )
            unit_type = self.type_of(payload)
            if unit_type == self.fragment:
                if self._add_fragment(payload, fragments):
                    units.append(b"".join(fragments))
                    fragments = []
                continue
            if fragments:
                raise ProtocolError(f"fragmented {self.codec} NAL unit has no end")
            if unit_type in self.single_types:
                units.append(payload)
            elif unit_type == self.aggregation:
                units += read_length_prefixed(payload, self.header_size)
            else:
                raise ProtocolError(f"{self.codec} payload has the unsupported type {unit_type}")
        if fragments or not units:
            raise ProtocolError(f"{self.codec} frame is incomplete")
        return units

    def _add_fragment(self, payload: bytes, fragments: list[bytes]) -> bool:
        """Append a fragment, preceded by the NAL unit's header if it is the first; return whether it is the last."""
        start = self.header_size
        if len(payload) < start + 2:
            raise ProtocolError(f"{self.codec} fragment is empty")
        position = payload[start]
        unit_type = position & self.type_mask
        if unit_type not in self.single_types:
            raise ProtocolError(f"{self.codec} fragment has the unsupported NAL unit type {unit_type}")
        header = self.with_type(payload[:start], unit_type)
        if bool(position & _FU_START) == bool(fragments):
            raise ProtocolError(f"fragmented {self.codec} NAL unit has no beginning or no end")
        if not fragments:
            fragments.append(header)
        elif fragments[0] != header:
            raise ProtocolError(f"{self.codec} fragments belong to different NAL units")
        fragments.append(payload[start + 1 :])
        return bool(position & _FU_END)

    def first_unit(self, payload: bytes) -> bytes | None:
        """Return the header and at least one byte of the NAL unit that begins the payload, ``None`` without one."""
        start = self.header_size
        if len(payload) <= start:
            return None
        unit_type = self.type_of(payload)
        if unit_type == self.aggregation:
            length = int.from_bytes(payload[start : start + _LENGTH_SIZE], "big")
            start += _LENGTH_SIZE
            unit = payload[start : start + length]
            return unit if len(unit) == length > self.header_size else None
        if unit_type == self.fragment:
            if len(payload) <= start + 1 or not payload[start] & _FU_START:
                return None
            header = self.with_type(payload[:start], payload[start] & self.type_mask)
            return header + payload[start + 1 : start + 2]
        return payload if unit_type in self.single_types else None

    def contains(self, payload: bytes, predicate: Callable[[bytes], bool]) -> bool:
        """Return whether any NAL unit of an aggregation packet satisfies a predicate."""
        try:
            return self.type_of(payload) == self.aggregation and any(
                map(predicate, read_length_prefixed(payload, self.header_size))
            )
        except ProtocolError:
            return False
