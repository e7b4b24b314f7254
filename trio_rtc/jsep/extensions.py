"""RTP header extensions of sections, and their ids (RFC 8285 sections 5 and 6)."""

from collections.abc import Mapping, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCRtpTransceiverDirection
from trio_rtc.protocols.sdp import ExtMap

from .directions import intersect, make_direction, reverse

# Ids 1 to 14 fit into the one-byte header; 15 is reserved there, and higher ids need the two-byte header.
_SHORT_IDS = range(1, 15)
_LONG_IDS = range(16, 256)


@attrs.frozen
class HeaderExtension:
    """A header extension that can be negotiated.

    Attributes:
        uri: Its name.
        id: The id preferred in offers, ``None`` for any free one.
        direction: Whether it is sent, received or both.
    """

    uri: str
    id: int | None = None
    direction: RTCRtpTransceiverDirection = RTCRtpTransceiverDirection.SENDRECV


@attrs.frozen
class NegotiatedExtension:
    """A header extension that was negotiated for a section.

    Attributes:
        id: Its id in packets.
        uri: Its name.
        direction: Whether it may be sent, received or both.
    """

    id: int
    uri: str
    direction: RTCRtpTransceiverDirection = RTCRtpTransceiverDirection.SENDRECV


class ExtensionIds:
    """The ids in use within a bundle: one per URI (RFC 9143 section 9)."""

    def __init__(self, uris: Mapping[int, str] | None = None, ids: Mapping[str, int] | None = None) -> None:
        self._uris = dict(uris or {})
        self._ids = dict(ids or {})

    def copy(self) -> "ExtensionIds":
        """Return a copy."""
        return ExtensionIds(self._uris, self._ids)

    def allows(self, extmap: ExtMap) -> bool:
        """Return whether the id is free or has this URI."""
        return extmap.id < _LONG_IDS.stop and self._uris.get(extmap.id, extmap.uri) == extmap.uri

    def reserve(self, extmap: ExtMap) -> None:
        """Assign an id to its URI."""
        self._uris[extmap.id] = extmap.uri
        self._ids.setdefault(extmap.uri, extmap.id)

    def keep(self, others: "ExtensionIds") -> None:
        """Reserve the ids of others that are free here, for their own URIs."""
        for number, uri in others._uris.items():
            if number not in self._uris:
                self.reserve(ExtMap(number, None, uri, None))

    def assign(self, extension: HeaderExtension) -> int | None:
        """Return the id of an extension, else assign the preferred or the lowest free one; ``None`` if none is free."""
        known = self._ids.get(extension.uri)
        if known is not None:
            return known
        free: tuple[int, ...] = (*_SHORT_IDS, *_LONG_IDS)
        for number in free if extension.id is None else (extension.id, *free):
            if number not in self._uris:
                self.reserve(ExtMap(number, None, extension.uri, None))
                return number
        return None


def offered_extensions(extensions: Sequence[HeaderExtension], ids: ExtensionIds) -> list[ExtMap]:
    """Return the ``a=extmap`` values of an offer."""
    extmaps = []
    for extension in extensions:
        number = ids.assign(extension)
        if number is not None:
            extmaps.append(ExtMap(number, _stated(extension.direction), extension.uri, None))
    return extmaps


def answered_extensions(
    extensions: Sequence[HeaderExtension], offered: Sequence[ExtMap], ids: ExtensionIds
) -> list[ExtMap]:
    """Return the offered extensions that are supported here too, with the offer's ids."""
    ours = {extension.uri: extension.direction for extension in extensions}
    answered: dict[str, ExtMap] = {}
    for extmap in offered:
        if extmap.uri not in ours or extmap.uri in answered or not ids.allows(extmap):
            continue
        direction = intersect(ours[extmap.uri], reverse(extmap_direction(extmap)))
        if direction is not RTCRtpTransceiverDirection.INACTIVE:
            ids.reserve(extmap)
            answered[extmap.uri] = ExtMap(extmap.id, _stated(direction), extmap.uri, None)
    return list(answered.values())


def negotiated_extensions(
    local: Sequence[ExtMap], remote: Sequence[ExtMap]
) -> tuple[NegotiatedExtension, ...]:
    """Return the extensions in both descriptions of a section, with the local side's directions."""
    theirs = {(extmap.id, extmap.uri): extmap for extmap in remote}
    negotiated = []
    for extmap in local:
        counterpart = theirs.get((extmap.id, extmap.uri))
        if counterpart is None:
            continue
        direction = intersect(extmap_direction(extmap), reverse(extmap_direction(counterpart)))
        if direction is not RTCRtpTransceiverDirection.INACTIVE:
            negotiated.append(NegotiatedExtension(extmap.id, extmap.uri, direction))
    return tuple(negotiated)


def extmap_direction(extmap: ExtMap) -> RTCRtpTransceiverDirection:
    """Return the direction of an ``a=extmap``: ``sendrecv`` by default (RFC 8285 section 6)."""
    if extmap.direction is None:
        return make_direction(sends=True, receives=True)
    return RTCRtpTransceiverDirection(extmap.direction)


def _stated(direction: RTCRtpTransceiverDirection) -> str | None:
    return None if direction is RTCRtpTransceiverDirection.SENDRECV else direction.value
