"""Bitrate allocation: divides a target among streams and their simulcast layers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from trio_rtc import _attrs as attrs

PRIORITY_WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {"very-low": 0.5, "low": 1.0, "medium": 2.0, "high": 4.0}
)
"""W3C ``RTCPriorityType`` as relative bitrates (RFC 8831 section 6.4 has the same proportions)."""


@attrs.frozen
class Encoding:
    """One encoding to which a bitrate is allocated.

    Attributes:
        min_bitrate: Bits a second below which the encoding is not sent.
        max_bitrate: Bits a second that it can use at most.
        weight: Relative weight if the target does not suffice for all; see ``PRIORITY_WEIGHTS``.
        stream: Encodings of one stream are its simulcast layers, from the lowest; ``None`` is a stream of its own. The
            stream's weight is that of its first layer.
        active: Whether it may be sent.
    """

    min_bitrate: float
    max_bitrate: float
    weight: float = 1.0
    stream: int | None = None
    active: bool = True

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.min_bitrate <= self.max_bitrate:
            raise ValueError(
                "bitrates must be in order, 0 <= min_bitrate <= max_bitrate, "
                f"not {self.min_bitrate}, {self.max_bitrate}"
            )
        if not self.weight > 0:
            raise ValueError(f"weight must be positive, not {self.weight}")


def allocate(target: float, encodings: Sequence[Encoding]) -> list[float]:
    """Return a bitrate for each encoding, in the same order, in bits a second; 0 means not sent.

    First the lowest layer of each stream gets its minimum, in order of weight; a stream for which the rest does not
    suffice is not sent. The remaining bitrate is divided among the streams by weight, up to their maximum. Inside a
    stream, lower layers are filled first; a higher one is sent from its minimum on. The sum never exceeds ``target``.
    """
    streams = _streams(encodings)
    bitrates = [0.0] * len(encodings)
    remaining = max(target, 0.0)
    shares: dict[int, float] = {}
    for index in sorted(range(len(streams)), key=lambda index: -encodings[streams[index][0]].weight):
        minimum = encodings[streams[index][0]].min_bitrate
        if minimum <= remaining:
            shares[index] = minimum
            remaining -= minimum
    # The part that a stream cannot use, below the minimum of its next layer, is offered to the others again.
    open_streams = set(shares)
    while open_streams and remaining > 1e-6:
        offered = _water_fill(remaining, open_streams, shares, streams, encodings)
        remaining = 0.0
        for index, share in offered.items():
            used = sum(_fill_layers(share, streams[index], encodings))
            if used < share - 1e-6:
                remaining += share - used
                open_streams.discard(index)
            shares[index] = used
    for index, share in shares.items():
        for position, bitrate in zip(
            streams[index], _fill_layers(share, streams[index], encodings), strict=True
        ):
            bitrates[position] = bitrate
    return bitrates


def _streams(encodings: Sequence[Encoding]) -> list[list[int]]:
    """Return the positions of the active encodings of each stream."""
    alone: list[list[int]] = []
    grouped: dict[int, list[int]] = {}
    for position, encoding in enumerate(encodings):
        if not encoding.active:
            continue
        if encoding.stream is None:
            alone.append([position])
        elif encoding.stream in grouped:
            grouped[encoding.stream].append(position)
        else:
            grouped[encoding.stream] = [position]
            alone.append(grouped[encoding.stream])
    return alone


def _water_fill(
    amount: float,
    open_streams: set[int],
    shares: Mapping[int, float],
    streams: Sequence[Sequence[int]],
    encodings: Sequence[Encoding],
) -> dict[int, float]:
    """Divide ``amount`` by weight in addition to ``shares``, up to each maximum; remove full streams."""
    result = {index: shares[index] for index in open_streams}
    while amount > 1e-6 and open_streams:
        weights = {index: encodings[streams[index][0]].weight for index in open_streams}
        total = sum(weights.values())
        left = 0.0
        for index in sorted(open_streams):
            part = amount * weights[index] / total
            room = sum(encodings[position].max_bitrate for position in streams[index]) - result[index]
            if part >= room:
                open_streams.discard(index)
                left += part - room
                part = room
            result[index] += part
        amount = left
    return result


def _fill_layers(share: float, stream: Sequence[int], encodings: Sequence[Encoding]) -> list[float]:
    """Divide a stream's share among its layers, lower ones first."""
    result = [0.0] * len(stream)
    for layer, position in enumerate(stream):
        encoding = encodings[position]
        if share < encoding.min_bitrate - 1e-6 or (layer and share <= 0):
            break
        result[layer] = min(share, encoding.max_bitrate)
        share -= result[layer]
    return result
