"""The MID and RID elements by which the packets of a stream name their section and layer (RFC 8852, RFC 9143).

They are sent until the peer has reported on the SSRC, which shows that it knows the section. The peer does not report
on the SSRC of RTX or FlexFEC.
"""

from typing import Final

from trio_rtc.protocols.rtp.packet.extensions import MID, REPAIRED_RTP_STREAM_ID, RTP_STREAM_ID, ExtensionMap

Elements = tuple[tuple[int, bytes], ...]
"""Header extension elements: id and bytes."""

_MAX_NAME: Final = 16
"""Bytes of the longest MID or RID that is sent, the limit of the one-byte form of header extensions. A peer that has
chosen a longer one must use the SSRC and the payload type."""


class StreamIdentifiers:
    """The identifying elements of one stream and of its RTX and FlexFEC streams.

    Args:
        rid: The simulcast layer, ``None`` without simulcast.

    Attributes:
        acknowledged: Whether the peer has reported on the stream.
    """

    __slots__ = ("_is_layer", "_media_elements", "_numbers", "_repair_elements", "acknowledged")

    def __init__(
        self, mid: str, rid: str | None, extensions: ExtensionMap, *, acknowledged: bool = False
    ) -> None:
        section = extensions.number(MID), mid.encode()
        layer = (rid or "").encode()
        self._is_layer = rid is not None
        self._media_elements = _elements(section, (extensions.number(RTP_STREAM_ID), layer))
        self._repair_elements = _elements(section, (extensions.number(REPAIRED_RTP_STREAM_ID), layer))
        self._numbers = frozenset(number for number, _ in self._media_elements)
        self.acknowledged = acknowledged

    @property
    def media_elements(self) -> Elements:
        return () if self.acknowledged else self._media_elements

    @property
    def repair_elements(self) -> Elements:
        """The elements of an RTX or FlexFEC packet.

        The SSRC that repairs a simulcast layer is in no description, and its first packet may arrive long after the
        first of the layer.
        """
        return () if self.acknowledged and not self._is_layer else self._repair_elements

    def convert_for_repair(self, elements: Elements) -> Elements:
        """Return the elements of a media packet as those of a packet that repairs it."""
        return self.repair_elements + tuple([each for each in elements if each[0] not in self._numbers])


def _elements(*named: tuple[int | None, bytes]) -> Elements:
    return tuple(
        (number, value) for number, value in named if number is not None and 0 < len(value) <= _MAX_NAME
    )
