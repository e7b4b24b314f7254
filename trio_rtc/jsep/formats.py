"""Formats of a section: the codec of each payload type, offered, answered and negotiated.

Within a bundle a payload type has the same codec in all sections (RFC 9143 section 9.1). References to other formats
(``apt`` of rtx, RFC 4588 section 8.1; the list of red for audio, RFC 2198 section 5) are resolved here.
"""

from collections.abc import Iterable, Iterator, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.sdp import Attribute, SessionDescription, rtp_attributes, view

from .codecs import (
    RED,
    RTX,
    Codec,
    NegotiatedCodec,
    answered_codec,
    format_parameters,
    is_other_profile,
    is_same_codec,
    parse_parameters,
)

# RFC 3551 section 6: static payload types, which need no a=rtpmap.
_STATIC_CODECS = {
    0: Codec("PCMU", 8000),
    8: Codec("PCMA", 8000),
    9: Codec("G722", 8000),
    13: Codec("CN", 8000),
}
# The dynamic range first, then the unassigned types that RFC 5761 section 4 does not reserve for RTCP.
_FREE_PAYLOAD_TYPES = (*range(96, 128), *range(35, 64))
_ASSIGNABLE = frozenset({*_STATIC_CODECS, *_FREE_PAYLOAD_TYPES})


class PayloadTypes:
    """The payload types in use within a bundle."""

    def __init__(self) -> None:
        self._codecs: dict[int, NegotiatedCodec] = {}

    def reserve(self, formats: Iterable[NegotiatedCodec]) -> None:
        """Assign payload types to codecs; earlier assignments stay."""
        for entry in formats:
            self._codecs.setdefault(entry.payload_type, entry)

    def allows(self, entry: NegotiatedCodec) -> bool:
        """Return whether the payload type is free or has this codec."""
        known = self._codecs.get(entry.payload_type)
        return known is None or (
            is_same_codec(known.codec, entry.codec)
            and known.associated_payload_type == entry.associated_payload_type
        )

    def assign(self, codec: Codec, associated: int | None, preferred: int | None) -> NegotiatedCodec | None:
        """Return a codec with its payload type, else the preferred or the first free one; ``None`` if none is free."""
        for known in self._codecs.values():
            same = known.codec.name.lower() == codec.name.lower() and _settings(known.codec) == _settings(
                codec
            )
            if same and known.associated_payload_type == associated:
                return known.with_codec(codec)
        free = [number for number in _FREE_PAYLOAD_TYPES if number not in self._codecs]
        if preferred is not None and preferred in _ASSIGNABLE and preferred not in self._codecs:
            free.insert(0, preferred)
        if not free:
            return None
        entry = self._codecs[free[0]] = NegotiatedCodec(free[0], codec, associated)
        return entry


def _settings(codec: Codec) -> tuple[object, ...]:
    # The carried codecs of rtx and red are compared by payload type.
    parameters = {} if codec.key in (RTX, RED) else dict(codec.parameters)
    return (codec.clock_rate, codec.channels, parameters)


def section_formats(description: SessionDescription, index: int) -> tuple[NegotiatedCodec, ...]:
    """Return the formats of a section in the order of its ``m=`` line, without malformed ones."""
    return view(_read_formats, description, index)


def _read_formats(description: SessionDescription, index: int) -> tuple[NegotiatedCodec, ...]:
    attributes = rtp_attributes(description, index)
    rtpmaps = {rtpmap.payload_type: rtpmap for rtpmap in reversed(attributes.rtpmaps)}
    fmtps = {fmtp.format: fmtp.parameters for fmtp in reversed(attributes.fmtps)}
    feedback: dict[int | None, list[str]] = {}
    for each in attributes.rtcp_feedback:
        text = each.type if each.parameter is None else f"{each.type} {each.parameter}"
        feedback.setdefault(each.payload_type, []).append(text)
    formats: dict[int, NegotiatedCodec] = {}
    for text in description.media[index].formats:
        payload_type = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 128
        if payload_type > 127 or payload_type in formats:
            continue
        rtpmap = rtpmaps.get(payload_type)
        static = _STATIC_CODECS.get(payload_type)
        if rtpmap is not None:
            encoding = rtpmap.encoding, rtpmap.clock_rate, rtpmap.channels
        elif static is not None:
            encoding = static.name, static.clock_rate, static.channels
        else:
            continue
        kinds = (*feedback.get(payload_type, ()), *feedback.get(None, ()))
        codec = Codec(
            *encoding,
            parameters=parse_parameters(fmtps.get(text, "")),
            rtcp_feedback=tuple(dict.fromkeys(kinds)),
            payload_type=payload_type,
        )
        formats[payload_type] = NegotiatedCodec(payload_type, codec, _associated(codec))
    return _with_rtx(formats.values())


def _associated(codec: Codec) -> int | None:
    """Return the payload type that a format refers to, or ``None``."""
    if codec.key == RTX:
        text = codec.parameters.get("apt", "")
    elif codec.key == RED:
        # 111/111: the codec itself, once per generation. Mixtures of codecs are not supported.
        generations = set(codec.parameters.get("", "").split("/"))
        text = generations.pop() if len(generations) == 1 else ""
    else:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else None


def _with_rtx(formats: Iterable[NegotiatedCodec]) -> tuple[NegotiatedCodec, ...]:
    known = tuple(formats)
    repairs: dict[int | None, int] = {}
    for entry in known:
        if entry.codec.key == RTX:
            repairs.setdefault(entry.associated_payload_type, entry.payload_type)

    def with_rtx(entry: NegotiatedCodec) -> NegotiatedCodec:
        number = None if entry.codec.key == RTX else repairs.get(entry.payload_type)
        if entry.rtx_payload_type == number:
            return entry
        return NegotiatedCodec(entry.payload_type, entry.codec, entry.associated_payload_type, number)

    return tuple(map(with_rtx, known))


def offered_formats(
    codecs: Sequence[Codec],
    previous: Sequence[NegotiatedCodec],
    payload_types: PayloadTypes,
    *,
    preferred: bool,
) -> tuple[NegotiatedCodec, ...]:
    """Return the formats of an offer.

    Args:
        codecs: The local codecs in the order of preference.
        previous: The formats of the section in the last local description; their payload types stay.
        payload_types: The payload types of the bundle; new assignments are added.
        preferred: Whether the application chose the order. If not, negotiated codecs keep their order and go first
            (RFC 9429 section 5.2.2).
    """
    payload_types.reserve(previous)
    carriers: list[NegotiatedCodec] = []
    for codec in codecs:
        if not codec.refers:
            entry = _kept(codec, previous) or payload_types.assign(codec, None, codec.payload_type)
            if entry is not None and all(entry.payload_type != each.payload_type for each in carriers):
                carriers.append(entry)
    if not preferred:
        order = {entry.payload_type: place for place, entry in enumerate(previous)}
        carriers.sort(key=lambda entry: order.get(entry.payload_type, len(order)))
    referring = {codec.name.lower(): codec for codec in codecs if codec.refers}
    return _with_rtx(_with_references(carriers, referring, payload_types))


def _with_references(
    carriers: Sequence[NegotiatedCodec], referring: dict[str, Codec], payload_types: PayloadTypes
) -> Iterator[NegotiatedCodec]:
    for carrier in carriers:
        yield carrier
        number = carrier.payload_type
        if carrier.codec.key == "opus" and RED in referring:
            codec = attrs.evolve(referring[RED], parameters={"": f"{number}/{number}"})
            wanted = codec.payload_type
        elif RTX in referring and (carrier.codec.is_media or carrier.codec.key == RED):
            codec = attrs.evolve(referring[RTX], parameters={"apt": str(number)})
            # As in Chromium: one above the payload type of the repaired codec.
            wanted = number + 1
        else:
            continue
        entry = payload_types.assign(codec, number, wanted)
        if entry is not None:
            yield entry


def _kept(codec: Codec, previous: Sequence[NegotiatedCodec]) -> NegotiatedCodec | None:
    for entry in previous:
        if is_same_codec(codec, entry.codec):
            return entry.with_codec(codec)
    return None


def answered_formats(
    codecs: Sequence[Codec],
    offered: Sequence[NegotiatedCodec],
    payload_types: PayloadTypes,
    *,
    preferred: bool,
    any_profile: bool = False,
) -> tuple[NegotiatedCodec, ...]:
    """Return the formats that an answer accepts, ``()`` without any for media.

    Args:
        codecs: The local codecs in the order of preference.
        offered: The formats of the offer; their payload types and order stay.
        payload_types: The payload types of the bundle. Formats that contradict them are rejected.
        preferred: Whether the application chose the order of ``codecs``, which then precedes the offer's.
        any_profile: Whether other profiles of the codecs are accepted too, because nothing is decoded.
    """
    accepted: dict[int, NegotiatedCodec] = {}
    places: dict[int, int] = {}
    # A format comes after the one that it refers to: rtx can repair red.
    for entry in sorted(offered, key=lambda entry: (entry.codec.refers, entry.codec.key == RTX)):
        place = _accepting_place(codecs, entry, accepted, any_profile=any_profile)
        if place is None or not payload_types.allows(entry):
            continue
        codec = codecs[place]
        answered = answered_codec(codec, entry.codec)
        if codec.refers or not is_same_codec(codec, entry.codec):
            answered = attrs.evolve(answered, parameters=entry.codec.parameters)
        accepted[entry.payload_type] = entry.with_codec(answered)
        carrier = entry.associated_payload_type
        places[entry.payload_type] = place if carrier is None else places.get(carrier, place)
    if not any(entry.codec.is_media for entry in accepted.values()):
        return ()
    kept = [accepted[entry.payload_type] for entry in offered if entry.payload_type in accepted]
    payload_types.reserve(kept)
    if preferred:
        kept.sort(key=lambda entry: places[entry.payload_type])
    return _with_rtx(kept)


def _accepting_place(
    codecs: Sequence[Codec],
    entry: NegotiatedCodec,
    accepted: dict[int, NegotiatedCodec],
    *,
    any_profile: bool,
) -> int | None:
    """Return the index of the local codec that accepts an offered format, or ``None``."""
    for place, codec in enumerate(codecs):
        if codec.encoding == entry.codec.encoding and _accepts(codec, entry, accepted):
            return place
    if any_profile:
        for place, codec in enumerate(codecs):
            if is_other_profile(codec, entry.codec):
                return place
    return None


def _accepts(codec: Codec, entry: NegotiatedCodec, accepted: dict[int, NegotiatedCodec]) -> bool:
    if not is_same_codec(codec, entry.codec):
        return False
    return not codec.refers or entry.associated_payload_type in accepted


def negotiated_formats(
    of_receiver: Sequence[NegotiatedCodec], of_sender: Sequence[NegotiatedCodec]
) -> tuple[NegotiatedCodec, ...]:
    """Return the formats that one side may send to the other: the receiver's formats that the sender has too.

    Payload types and parameters are the receiver's (RFC 3264 section 5.1). Only common feedback remains.
    """
    kept: dict[int, NegotiatedCodec] = {}
    by_encoding: dict[object, list[NegotiatedCodec]] = {}
    for entry in of_sender:
        by_encoding.setdefault(entry.codec.encoding, []).append(entry)
    for entry in sorted(of_receiver, key=lambda entry: (entry.codec.refers, entry.codec.key == RTX)):
        counterpart = _counterpart(entry, by_encoding.get(entry.codec.encoding, ()))
        if counterpart is None or (entry.codec.refers and entry.associated_payload_type not in kept):
            continue
        common = (kind for kind in entry.codec.rtcp_feedback if kind in counterpart.codec.rtcp_feedback)
        kept[entry.payload_type] = entry.with_codec(entry.codec.with_feedback(common))
    return _with_rtx(kept[entry.payload_type] for entry in of_receiver if entry.payload_type in kept)


def _counterpart(entry: NegotiatedCodec, others: Sequence[NegotiatedCodec]) -> NegotiatedCodec | None:
    """Return the same format among those of the same encoding, else one with the same payload type.

    RFC 6184 section 8.2.2: an answer repeats the profile. But cameras answer with their own profile, and send it with
    the payload type that was offered for another.
    """
    for other in others:
        if is_same_codec(entry.codec, other.codec):
            return other
    for other in others:
        if entry.payload_type == other.payload_type:
            return other
    return None


def format_attributes(formats: Iterable[NegotiatedCodec]) -> Iterator[Attribute]:
    """Yield the ``a=rtpmap``, ``a=rtcp-fb`` and ``a=fmtp`` attributes of formats."""
    for entry in formats:
        number, codec = entry.payload_type, entry.codec
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        yield Attribute("rtpmap", f"{number} {codec.name}/{codec.clock_rate}{channels}")
        for kind in codec.rtcp_feedback:
            yield Attribute("rtcp-fb", f"{number} {kind}")
        if codec.parameters:
            yield Attribute("fmtp", f"{number} {format_parameters(codec.parameters)}")
