"""Formats of a section: the codec of each payload type, offered, answered and negotiated.

Within a bundle a payload type has the same codec in all sections (RFC 9143 section 9.1). References to other formats
(``apt`` of rtx, RFC 4588 section 8.1; the list of red for audio, RFC 2198 section 5) are resolved here.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.codec import RED, RTX, Codec, format_parameters, is_same_codec, parse_parameters
from trio_rtc.protocols.sdp import Attribute, SessionDescription, make_attribute, rtp_attributes, view

from .codecs import answered_codec, is_other_profile

# RFC 3551 section 6: static payload types, which need no a=rtpmap.
_STATIC_ENCODINGS = {0: ("PCMU", 8000, 1), 8: ("PCMA", 8000, 1), 9: ("G722", 8000, 1), 13: ("CN", 8000, 1)}
# The dynamic range first, then the unassigned types that RFC 5761 section 4 does not reserve for RTCP.
_FREE_PAYLOAD_TYPES = (*range(96, 128), *range(35, 64))
_ASSIGNABLE = frozenset({*_STATIC_ENCODINGS, *_FREE_PAYLOAD_TYPES})
_SHARED_LENGTH = 256
"""Characters of the codecs that descriptions share, at most."""


class PayloadTypes:
    """The payload types in use within a bundle."""

    def __init__(self) -> None:
        self._codecs: dict[int, Codec] = {}

    def reserve(self, formats: Iterable[Codec]) -> None:
        """Assign payload types to codecs; earlier assignments stay."""
        for codec in formats:
            self._codecs.setdefault(codec.payload_type, codec)

    def allows(self, codec: Codec) -> bool:
        """Return whether the payload type is free or has this codec."""
        known = self._codecs.get(codec.payload_type)
        return known is None or (
            is_same_codec(known, codec) and known.associated_payload_type == codec.associated_payload_type
        )

    def assign(self, codec: Codec, preferred: int) -> Codec | None:
        """Return a codec with its payload type, else the preferred or the first free one; ``None`` if none is free."""
        for known in self._codecs.values():
            if known.encoding == codec.encoding and _settings(known) == _settings(codec):
                return codec.with_payload_type(known.payload_type)
        if preferred not in _ASSIGNABLE or preferred in self._codecs:
            free = (number for number in _FREE_PAYLOAD_TYPES if number not in self._codecs)
            found = next(free, None)
            if found is None:
                return None
            preferred = found
        assigned = self._codecs[preferred] = codec.with_payload_type(preferred)
        return assigned


def _settings(codec: Codec) -> object:
    # The carried codecs of rtx and red are compared by payload type.
    return codec.associated_payload_type if codec.key in (RTX, RED) else codec.parameters


def section_formats(description: SessionDescription, index: int) -> tuple[Codec, ...]:
    """Return the formats of a section in the order of its ``m=`` line, without malformed ones."""
    return view(_read_formats, description, index)


def _read_formats(description: SessionDescription, index: int) -> tuple[Codec, ...]:
    attributes = rtp_attributes(description, index)
    encodings = {
        rtpmap.payload_type: (rtpmap.encoding, rtpmap.clock_rate, rtpmap.channels)
        for rtpmap in reversed(attributes.rtpmaps)
    }
    fmtps = {fmtp.format: fmtp.parameters for fmtp in reversed(attributes.fmtps)}
    feedback: dict[int | None, list[str]] = {}
    for each in attributes.rtcp_feedback:
        text = each.type if each.parameter is None else f"{each.type} {each.parameter}"
        feedback.setdefault(each.payload_type, []).append(text)
    formats: dict[int, tuple[tuple[str, int, int], str, tuple[str, ...]]] = {}
    for text in description.media[index].formats:
        payload_type = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 128
        encoding = encodings.get(payload_type) or _STATIC_ENCODINGS.get(payload_type)
        if encoding is not None and payload_type not in formats:
            kinds = tuple(dict.fromkeys((*feedback.get(payload_type, ()), *feedback.get(None, ()))))
            formats[payload_type] = encoding, fmtps.get(text, ""), kinds
    rtx = _rtx_payload_types(
        [_read_codec(number, *members) for number, members in formats.items() if members[0][0].lower() == RTX]
    )
    return tuple(_read_codec(number, *members, rtx.get(number)) for number, members in formats.items())


def _rtx_payload_types(formats: Sequence[Codec]) -> dict[int | None, int]:
    """Return the payload type of each payload type's retransmissions; ``formats`` are those of rtx."""
    numbers = {codec.payload_type for codec in formats}
    return {
        codec.associated_payload_type: codec.payload_type
        for codec in reversed(formats)
        if codec.associated_payload_type not in numbers
    }


def _read_codec(
    payload_type: int,
    encoding: tuple[str, int, int],
    fmtp: str,
    feedback: tuple[str, ...],
    rtx_payload_type: int | None = None,
) -> Codec:
    is_short = len(encoding[0]) + len(fmtp) + sum(map(len, feedback)) <= _SHARED_LENGTH
    make = _shared_codec if is_short else _make_codec
    return make(payload_type, encoding, fmtp, feedback, rtx_payload_type)


def _make_codec(
    payload_type: int,
    encoding: tuple[str, int, int],
    fmtp: str,
    feedback: tuple[str, ...],
    rtx_payload_type: int | None,
) -> Codec:
    return Codec(payload_type, *encoding, parse_parameters(fmtp), feedback, rtx_payload_type)


# All descriptions of a peer, and those of most peers, list the same codecs.
_shared_codec = functools.lru_cache(maxsize=512)(_make_codec)


def _with_rtx(formats: Iterable[Codec]) -> tuple[Codec, ...]:
    known = tuple(formats)
    rtx = _rtx_payload_types([codec for codec in known if codec.key == RTX])
    return tuple(codec.with_rtx(rtx.get(codec.payload_type)) for codec in known)


def offered_formats(
    codecs: Sequence[Codec], previous: Sequence[Codec], payload_types: PayloadTypes, *, preferred: bool
) -> tuple[Codec, ...]:
    """Return the formats of an offer.

    Args:
        codecs: The local codecs in the order of preference.
        previous: The formats of the section in the last local description; their payload types stay.
        payload_types: The payload types of the bundle; new assignments are added.
        preferred: Whether the application chose the order. If not, negotiated codecs keep their order and go first
            (RFC 9429 section 5.2.2).
    """
    payload_types.reserve(previous)
    carriers: dict[int, Codec] = {}
    for codec in codecs:
        if not codec.refers:
            entry = _kept(codec, previous) or payload_types.assign(codec, codec.payload_type)
            if entry is not None:
                carriers.setdefault(entry.payload_type, entry)
    ordered = list(carriers.values())
    if not preferred:
        order = {entry.payload_type: place for place, entry in enumerate(previous)}
        ordered.sort(key=lambda entry: order.get(entry.payload_type, len(order)))
    referring = {codec.key: codec for codec in codecs if codec.refers}
    return _with_rtx(_with_references(ordered, referring, payload_types))


def _with_references(
    carriers: Sequence[Codec], referring: dict[str, Codec], payload_types: PayloadTypes
) -> Iterator[Codec]:
    for carrier in carriers:
        yield carrier
        number = carrier.payload_type
        if carrier.key == "opus" and RED in referring:
            codec = attrs.evolve(referring[RED], parameters={"": f"{number}/{number}"})
            wanted = codec.payload_type
        elif RTX in referring and (carrier.is_media or carrier.key == RED):
            codec = attrs.evolve(referring[RTX], parameters={"apt": str(number)})
            # As in Chromium: one above the payload type of the repaired codec.
            wanted = number + 1
        else:
            continue
        entry = payload_types.assign(codec, wanted)
        if entry is not None:
            yield entry


def _kept(codec: Codec, previous: Sequence[Codec]) -> Codec | None:
    for entry in previous:
        if is_same_codec(codec, entry):
            return codec.with_payload_type(entry.payload_type)
    return None


def answered_formats(
    codecs: Sequence[Codec],
    offered: Sequence[Codec],
    payload_types: PayloadTypes,
    *,
    preferred: bool,
    any_profile: bool = False,
    refused_feedback: str | None = None,
) -> tuple[Codec, ...]:
    """Return the formats that an answer accepts, ``()`` without any for media.

    Args:
        codecs: The local codecs in the order of preference.
        offered: The formats of the offer; their payload types and order stay.
        payload_types: The payload types of the bundle. Formats that contradict them are rejected.
        preferred: Whether the application chose the order of ``codecs``, which then precedes the offer's.
        any_profile: Whether other profiles of the codecs are accepted too, because nothing is decoded.
        refused_feedback: A kind of feedback that is omitted.
    """
    accepted: dict[int, Codec] = {}
    places: dict[int, int] = {}
    for entry in _carriers_first(offered):
        place = _accepting_place(codecs, entry, accepted, any_profile=any_profile)
        if place is None or not payload_types.allows(entry):
            continue
        accepted[entry.payload_type] = answered_codec(codecs[place], entry, refused_feedback)
        carrier = entry.associated_payload_type
        places[entry.payload_type] = place if carrier is None else places.get(carrier, place)
    if not any(entry.is_media for entry in accepted.values()):
        return ()
    kept = [accepted[entry.payload_type] for entry in offered if entry.payload_type in accepted]
    payload_types.reserve(kept)
    if preferred:
        kept.sort(key=lambda entry: places[entry.payload_type])
    return _with_rtx(kept)


def accepts_media(codecs: Sequence[Codec], offered: Sequence[Codec], *, any_profile: bool) -> bool:
    """Return whether ``answered_formats`` accepts a format for media, if every payload type is free."""
    return any(
        entry.is_media and _accepting_place(codecs, entry, {}, any_profile=any_profile) is not None
        for entry in offered
    )


def _carriers_first(formats: Iterable[Codec]) -> list[Codec]:
    """Return formats in an order in which each comes after the one that it refers to: rtx can repair red."""
    return sorted(formats, key=lambda entry: (entry.refers, entry.key == RTX))


def _accepting_place(
    codecs: Sequence[Codec], entry: Codec, accepted: dict[int, Codec], *, any_profile: bool
) -> int | None:
    """Return the index of the local codec that accepts an offered format, or ``None``."""
    for place, codec in enumerate(codecs):
        if is_same_codec(codec, entry) and (not codec.refers or entry.associated_payload_type in accepted):
            return place
    if any_profile:
        for place, codec in enumerate(codecs):
            if is_other_profile(codec, entry):
                return place
    return None


def negotiated_formats(of_receiver: Sequence[Codec], of_sender: Sequence[Codec]) -> tuple[Codec, ...]:
    """Return the formats that one side may send to the other: the receiver's formats that the sender has too.

    Payload types and parameters are the receiver's (RFC 3264 section 5.1). Only common feedback remains.
    """
    kept: dict[int, Codec] = {}
    by_encoding = _by_encoding(of_sender)
    for entry in _carriers_first(of_receiver):
        counterpart = _counterpart(entry, by_encoding)
        if counterpart is None or (entry.refers and entry.associated_payload_type not in kept):
            continue
        common = (kind for kind in entry.feedback if kind in counterpart.feedback)
        kept[entry.payload_type] = entry.with_feedback(common)
    return _with_rtx(kept[entry.payload_type] for entry in of_receiver if entry.payload_type in kept)


def have_common_media(of_receiver: Sequence[Codec], of_sender: Sequence[Codec]) -> bool:
    """Return whether ``negotiated_formats`` returns a format for media."""
    by_encoding = _by_encoding(of_sender)
    return any(entry.is_media and _counterpart(entry, by_encoding) is not None for entry in of_receiver)


def _by_encoding(formats: Iterable[Codec]) -> dict[object, list[Codec]]:
    by_encoding: dict[object, list[Codec]] = {}
    for entry in formats:
        by_encoding.setdefault(entry.encoding, []).append(entry)
    return by_encoding


def _counterpart(entry: Codec, by_encoding: dict[object, list[Codec]]) -> Codec | None:
    """Return the same format among those of the same encoding, else one with the same payload type.

    RFC 6184 section 8.2.2: an answer repeats the profile. But cameras answer with their own profile, and send it with
    the payload type that was offered for another.
    """
    others = by_encoding.get(entry.encoding, ())
    for other in others:
        if is_same_codec(entry, other):
            return other
    for other in others:
        if entry.payload_type == other.payload_type:
            return other
    return None


def format_attributes(formats: Iterable[Codec]) -> Iterator[Attribute]:
    """Yield the ``a=rtpmap``, ``a=rtcp-fb`` and ``a=fmtp`` attributes of formats."""
    for codec in formats:
        number = codec.payload_type
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        yield make_attribute("rtpmap", f"{number} {codec.name}/{codec.clock_rate}{channels}")
        for kind in codec.feedback:
            yield make_attribute("rtcp-fb", f"{number} {kind}")
        if codec.parameters:
            yield make_attribute("fmtp", f"{number} {format_parameters(codec.parameters)}")
