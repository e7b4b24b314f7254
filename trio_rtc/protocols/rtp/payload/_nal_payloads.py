"""Payloads of NAL units, as RFC 6184 (H.264) and RFC 7798 (H.265) both have them.

A payload is one NAL unit, several small ones behind each other (aggregation: STAP-A, AP), or a piece of a large one
(fragment: FU-A, FU). All begin with a header like that of a NAL unit, whose type says which of these it is. The two
formats differ in how long that header is, where in it the type is, and which numbers stand for what.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

from trio_rtc.errors import ProtocolError

from ._nal import read_length_prefixed
from ._split import split_evenly

_LENGTH_SIZE: Final = 2
_FU_START: Final = 0x80
_FU_END: Final = 0x40


@attrs.frozen
class NalFormat:
    """What tells the payloads of one codec from those of the other.

    Attributes:
        codec: Its name.
        header_size: Bytes of the header of a NAL unit.
        single_types: The types of payloads that are a NAL unit.
        aggregation: The type of payloads that have several.
        fragment: The type of payloads that are a piece of one.
        type_mask: Where in the header of a fragment the type of its NAL unit is.
        type_of: Returns the type that a header says.
        with_type: Returns a header with another type.
        aggregation_header: Returns the header of a payload of these NAL units.
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

    # -- making payloads -----------------------------------------------------------------------------------------

    def pack(self, units: Iterable[bytes], max_size: int) -> list[bytes]:
        """Return payloads in which small NAL units share one and large ones are cut."""
        payloads: list[bytes] = []
        waiting: list[bytes] = []
        waiting_size = self.header_size
        for unit in units:
            size = len(unit) + _LENGTH_SIZE
            if waiting and waiting_size + size > max_size:
                payloads.append(self._join(waiting))
                waiting, waiting_size = [], self.header_size
            if len(unit) > max_size:
                payloads += self._cut(unit, max_size)
            else:
                waiting.append(unit)
                waiting_size += size
        if waiting:
            payloads.append(self._join(waiting))
        return payloads

    def _join(self, units: list[bytes]) -> bytes:
        """Return an aggregation packet; of a single NAL unit the unit itself."""
        if len(units) == 1:
            return units[0]
        parts = [self.aggregation_header(units)]
        for unit in units:
            parts += (len(unit).to_bytes(_LENGTH_SIZE, "big"), unit)
        return b"".join(parts)

    def _cut(self, unit: bytes, max_size: int) -> list[bytes]:
        """Return the fragments of a NAL unit."""
        start = self.header_size
        pieces = split_evenly(unit[start:], max_size - start - 1)
        header, unit_type = self.with_type(unit[:start], self.fragment), self.type_of(unit)
        last = len(pieces) - 1
        payloads = []
        for index, piece in enumerate(pieces):
            position = _FU_START if index == 0 else _FU_END if index == last else 0
            payloads.append(header + bytes([position | unit_type]) + piece)
        return payloads

    # -- reading them --------------------------------------------------------------------------------------------

    def unpack(self, payloads: Iterable[bytes]) -> list[bytes]:
        """Return the NAL units of a frame.

        Raises:
            ProtocolError: A payload is malformed or of another kind, or a fragmented NAL unit is not whole.
        """
        units: list[bytes] = []
        fragments: list[bytes] = []
        for payload in payloads:
            if len(payload) < self.header_size:
                raise ProtocolError(f"an {self.codec} payload of {len(payload)} bytes")
            unit_type = self.type_of(payload)
            if unit_type == self.fragment:
                if self._add_fragment(payload, fragments):
                    units.append(b"".join(fragments))
                    fragments = []
                continue
            if fragments:
                raise ProtocolError(f"a fragmented {self.codec} NAL unit has no end")
            if unit_type in self.single_types:
                units.append(payload)
            elif unit_type == self.aggregation:
                units += read_length_prefixed(payload, self.header_size)
            else:
                raise ProtocolError(f"an {self.codec} payload of type {unit_type}")
        if fragments or not units:
            raise ProtocolError(f"an {self.codec} frame is not whole")
        return units

    def _add_fragment(self, payload: bytes, fragments: list[bytes]) -> bool:
        """Add a piece to those of its NAL unit, its header before the first; return whether it is the last one."""
        start = self.header_size
        if len(payload) < start + 2:
            raise ProtocolError(f"an {self.codec} fragment is empty")
        position = payload[start]
        unit_type = position & self.type_mask
        if unit_type not in self.single_types:
            raise ProtocolError(f"a fragment of an {self.codec} NAL unit of type {unit_type}")
        header = self.with_type(payload[:start], unit_type)
        if bool(position & _FU_START) == bool(fragments):
            raise ProtocolError(f"a fragmented {self.codec} NAL unit has no beginning or no end")
        if not fragments:
            fragments.append(header)
        elif fragments[0] != header:
            raise ProtocolError(f"fragments of different {self.codec} NAL units")
        fragments.append(payload[start + 1 :])
        return bool(position & _FU_END)

    def first_unit(self, payload: bytes) -> bytes | None:
        """Return the first NAL unit, with a byte behind its header at least; ``None`` if none begins here."""
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

    def holds(self, payload: bytes, wanted: Callable[[bytes], bool]) -> bool:
        """Return whether one of the NAL units of an aggregation packet is of a kind."""
        try:
            return self.type_of(payload) == self.aggregation and any(
                map(wanted, read_length_prefixed(payload, self.header_size))
            )
        except ProtocolError:
            return False
