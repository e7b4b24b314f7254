"""How the packets of a stream say where they belong: by MID and RID (RFC 8852, RFC 9143), as long as that is needed.

A peer that has told of a source knows where it belongs, and need not hear it again. Of a source that sends repairs it
does not tell.
"""

from typing import Final

from trio_rtc.protocols.rtp.packet.extensions import MID, REPAIRED_RTP_STREAM_ID, RTP_STREAM_ID, ExtensionMap

Elements = tuple[tuple[int, bytes], ...]
"""Header extension elements: number and bytes."""

_MAX_NAME: Final = 16
"""Bytes of the longest MID or RID that is said in packets, as the short form of header extensions has it. The peer has
chosen a longer one, and has to do with the SSRC and the payload type."""


class StreamIdentifiers:
    """The names of one stream and of its repairs, as header extension elements.

    Args:
        mid: The section.
        rid: The simulcast layer, ``None`` where there is only one.
        extensions: What was negotiated.

    Attributes:
        announced: Whether the peer has shown to know the stream.
    """

    __slots__ = ("_is_layer", "_numbers", "_of_media", "_of_repairs", "announced")

    def __init__(
        self, mid: str, rid: str | None, extensions: ExtensionMap, *, announced: bool = False
    ) -> None:
        section = extensions.number(MID), mid.encode()
        layer = (rid or "").encode()
        self._is_layer = rid is not None
        self._of_media = _elements(section, (extensions.number(RTP_STREAM_ID), layer))
        self._of_repairs = _elements(section, (extensions.number(REPAIRED_RTP_STREAM_ID), layer))
        self._numbers = frozenset(number for number, _ in self._of_media)
        self.announced = announced

    @property
    def of_media(self) -> Elements:
        """What a packet of the media says."""
        return () if self.announced else self._of_media

    @property
    def of_repairs(self) -> Elements:
        """What a packet says that repairs one of the media from a source of its own.

        The source that repairs a layer is in no description, and may be heard for the first time long after the layer.
        """
        return () if self.announced and not self._is_layer else self._of_repairs

    def renamed_for_repair(self, elements: Elements) -> Elements:
        """Return the elements of a packet of the media as those of a packet that repairs it."""
        return self.of_repairs + tuple([each for each in elements if each[0] not in self._numbers])


def _elements(*named: tuple[int | None, bytes]) -> Elements:
    return tuple(
        (number, value) for number, value in named if number is not None and 0 < len(value) <= _MAX_NAME
    )
