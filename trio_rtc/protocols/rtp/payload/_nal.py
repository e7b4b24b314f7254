"""What H.264 and H.265 have in common beside their payloads: start codes, parameter sets that go with a keyframe."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from trio_rtc.errors import ProtocolError

START_CODE: Final = b"\x00\x00\x00\x01"
_SHORT_START_CODE: Final = b"\x00\x00\x01"
# Parameter sets have some ten bytes each; what is larger than all of a frame's together ever are is not kept.
MAX_KEPT_SIZE: Final = 8192


def split_annex_b(data: bytes) -> list[bytes]:
    """Return the NAL units of a byte stream (H.264 and H.265, annex B), without start codes and padding zeros.

    Raises:
        ValueError: It does not begin with a start code, or has no NAL unit.
    """
    start = data.find(_SHORT_START_CODE)
    if start < 0 or data[:start].strip(b"\x00"):
        raise ValueError("the frame does not begin with a start code")
    units = []
    while start >= 0:
        following = data.find(_SHORT_START_CODE, start + 3)
        # A NAL unit does not end with a zero byte: such are trailing_zero_8bits, or of a longer start code.
        unit = data[start + 3 : following if following >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            units.append(unit)
        start = following
    if not units:
        raise ValueError("the frame has no NAL unit")
    return units


def join_annex_b(units: Iterable[bytes]) -> bytes:
    """Return NAL units as a byte stream, a start code of four bytes before each."""
    parts: list[bytes] = []
    for unit in units:
        parts += (START_CODE, unit)
    return b"".join(parts)


def read_length_prefixed(payload: bytes, start: int) -> list[bytes]:
    """Return the NAL units of an aggregation packet, each behind its length in two bytes.

    Raises:
        ProtocolError: One is empty or runs over the end, or there is none.
    """
    units = []
    end = len(payload)
    while start < end:
        if start + 2 > end:
            raise ProtocolError("an aggregation packet ends within a length")
        length = payload[start] << 8 | payload[start + 1]
        start += 2
        if not length or start + length > end:
            raise ProtocolError(
                f"a NAL unit of {length} bytes in an aggregation packet, {end - start} are left"
            )
        units.append(payload[start : start + length])
        start += length
    if not units:
        raise ProtocolError("an aggregation packet has no NAL unit")
    return units


def read_base64_units(value: str) -> list[bytes]:
    """Return the NAL units of a ``sprop-...`` parameter of SDP; none if it is not what it should be."""
    try:
        units = [base64.b64decode(part, validate=True) for part in value.split(",")]
    except (binascii.Error, ValueError):
        return []
    return [unit for unit in units if unit]


def unescape(unit: bytes) -> bytes:
    """Return a NAL unit without its emulation prevention bytes."""
    return unit.replace(b"\x00\x00\x03", b"\x00\x00")


class ParameterSets:
    """Remembers the parameter sets of a stream, and puts them before a keyframe that comes without.

    A frame with a sequence parameter set replaces what was remembered; an encoder that sends one sends all.

    Args:
        is_parameter_set: Tells them from other NAL units.
        is_sequence: Tells the sequence parameter sets among them.
        known: Those told beforehand.
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
        """Return the NAL units of a frame, with the parameter sets it needs if it is a keyframe."""
        if any(map(self._is_sequence, units)):
            self._keep(units)
            return units
        if not keyframe or not self._kept:
            return units
        # Sets that come without a sequence parameter set are newer than those that are kept: they go last.
        return [*self._kept, *units]

    def _keep(self, units: Sequence[bytes]) -> None:
        sets = [unit for unit in units if self._is_parameter_set(unit)]
        self._kept = sets if sum(map(len, sets)) <= MAX_KEPT_SIZE else []
