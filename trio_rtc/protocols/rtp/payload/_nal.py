"""NAL units of H.264 and H.265: byte streams, aggregation packets, and parameter sets of keyframes."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from trio_rtc.errors import ProtocolError

from ._bits import BitReader

START_CODE: Final = b"\x00\x00\x00\x01"
_SHORT_START_CODE: Final = b"\x00\x00\x01"
# Parameter sets have some tens of bytes each; larger sums are not legitimate and not stored.
MAX_KEPT_SIZE: Final = 8192


def split_annex_b(data: bytes) -> list[bytes]:
    """Return the NAL units of a byte stream (H.264 and H.265, annex B), without start codes and padding zeros.

    Raises:
        ValueError: The byte stream does not begin with a start code or has no NAL unit.
    """
    start = data.find(_SHORT_START_CODE)
    if start < 0 or data[:start].strip(b"\x00"):
        raise ValueError("frame must begin with an annex B start code")
    units = []
    while start >= 0:
        following = data.find(_SHORT_START_CODE, start + 3)
        # A NAL unit never ends with a zero byte: these are trailing_zero_8bits or part of a longer start code.
        unit = data[start + 3 : following if following >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            units.append(unit)
        start = following
    if not units:
        raise ValueError("frame must have at least one NAL unit")
    return units


def join_annex_b(units: Iterable[bytes]) -> bytes:
    """Return NAL units as a byte stream with four-byte start codes."""
    parts: list[bytes] = []
    for unit in units:
        parts += (START_CODE, unit)
    return b"".join(parts)


def read_length_prefixed(payload: bytes, start: int) -> list[bytes]:
    """Return the NAL units of an aggregation packet, each preceded by its 16-bit length.

    Raises:
        ProtocolError: A NAL unit is empty or exceeds the packet, or there is none.
    """
    units = []
    end = len(payload)
    while start < end:
        if start + 2 > end:
            raise ProtocolError("aggregation packet ends within the length of a NAL unit")
        length = payload[start] << 8 | payload[start + 1]
        start += 2
        if not length or start + length > end:
            raise ProtocolError(
                f"aggregation packet has a NAL unit of {length} bytes, but {end - start} bytes are left"
            )
        units.append(payload[start : start + length])
        start += length
    if not units:
        raise ProtocolError("aggregation packet has no NAL unit")
    return units


def read_base64_units(value: str) -> list[bytes]:
    """Return the NAL units of an SDP ``sprop-...`` parameter; an empty list if it is malformed."""
    try:
        units = [base64.b64decode(part, validate=True) for part in value.split(",")]
    except (binascii.Error, ValueError):
        return []
    return [unit for unit in units if unit]


def unescape(unit: bytes) -> bytes:
    """Return a NAL unit without its emulation prevention bytes."""
    return unit.replace(b"\x00\x00\x03", b"\x00\x00")


def rbsp_reader(unit: bytes, header_size: int, limit: int) -> BitReader:
    """Return a reader of at most ``limit`` bytes of a NAL unit after its header."""
    return BitReader(unescape(unit[header_size : header_size + limit]))


class ParameterSets:
    """Stores a stream's parameter sets and prepends them to keyframes that lack them.

    A frame with a sequence parameter set replaces the stored sets, since an encoder that sends one sends all.

    Args:
        is_parameter_set: Returns whether a NAL unit is a parameter set.
        is_sequence: Returns whether a parameter set is a sequence parameter set.
        known: Initial parameter sets, from signaling.
    """

    def __init__(
        self,
        is_parameter_set: Callable[[bytes], bool],
        is_sequence: Callable[[bytes], bool],
        known: Sequence[bytes] = (),
    ) -> None:
        self._is_parameter_set = is_parameter_set
        self._is_sequence = is_sequence
        self._kept: list[bytes] = []
        self._keep(known)

    def complete(self, units: list[bytes], keyframe: bool) -> list[bytes]:
        """Return the NAL units of a frame, with the stored parameter sets if it is a keyframe without SPS."""
        if any(map(self._is_sequence, units)):
            self._keep(units)
            return units
        if not keyframe or not self._kept:
            return units
        # Parameter sets in a frame without SPS are newer than the stored ones and must follow them.
        return [*self._kept, *units]

    def _keep(self, units: Sequence[bytes]) -> None:
        sets = [unit for unit in units if self._is_parameter_set(unit)]
        self._kept = sets if sum(map(len, sets)) <= MAX_KEPT_SIZE else []
