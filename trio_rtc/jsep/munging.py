"""Local descriptions that the application has changed ("munged") between creating and applying them.

RFC 9429 section 5.4 and W3C forbid that; Chromium permits most changes, and applications depend on it. A changed
description is compared with the created one, section by section and attribute by attribute. Attributes without a rule
in ``_RULES`` may be changed at will: the description is applied as it is, so each change takes effect.

A change is refused if it contradicts what the local side cannot change (fingerprints, sections, SSRCs), has begun to
use, or does not implement. The whole description is refused then, and the error names the first line that differs.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCSdpType
from trio_rtc.errors import InvalidModificationError
from trio_rtc.protocols.ice import check_credentials
from trio_rtc.protocols.rtp.codec import Codec
from trio_rtc.protocols.sdp import (
    MediaDescription,
    SdpSyntaxError,
    Section,
    SessionDescription,
    application_attributes,
    attribute_values,
    groups,
    has_attribute,
    is_rtp_section,
    parse,
    rtp_attributes,
    transport_attributes,
)

from .description import Description
from .extensions import ExtensionIds
from .formats import PayloadTypes, section_formats
from .offer_answer_exchange import OfferAnswerExchange, Slots, is_rejected, section_mids
from .options import SessionOptions
from .plan import bundled_transport
from .validation import RTCP_PAYLOAD_TYPES

_SESSION_LEVEL = -1
_MAXIMUM_LINE = 120


@attrs.frozen
class _Comparison:
    """A created description before and after its change, and what the change must keep.

    Attributes:
        created: The text of the created description.
        changed: The text of the changed one.
        before: The created description.
        after: The changed one.
        transports: For each section of an offer, the number of its transport; ``()`` for an answer.
        offer: For an answer, the offer; ``None`` for an offer.
        begun_mids: Sections that were answered, provisionally or finally.
        begun_fragments: Username fragments of the ICE generations that local descriptions have begun.
        options: Whether ICE credentials may be changed.
    """

    created: str
    changed: str
    before: SessionDescription
    after: SessionDescription
    transports: tuple[int, ...]
    offer: SessionDescription | None
    begun_mids: frozenset[str]
    begun_fragments: frozenset[str]
    options: SessionOptions

    def has_begun(self, index: int) -> bool:
        return section_mids(self.before)[index] in self.begun_mids

    def section_pairs(self) -> Iterator[tuple[int, MediaDescription, MediaDescription]]:
        yield from (
            (index, *pair) for index, pair in enumerate(zip(self.before.media, self.after.media, strict=True))
        )

    def bundles(self) -> list[list[int]]:
        """Return the sections of each ``BUNDLE`` group of the changed description."""
        mids = section_mids(self.after)
        named = [
            [mids.index(mid) for mid in group.mids if mid in mids] for group in groups(self.after, "BUNDLE")
        ]
        return [[index for index in each if not is_rejected(self.after.media[index])] for each in named]


@attrs.frozen
class _Change:
    """The values of one attribute in one section (``_SESSION_LEVEL``: before the sections); they differ."""

    comparison: _Comparison
    index: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@attrs.frozen
class _Refusal:
    """A refused change of a line.

    Attributes:
        index: The section.
        changed: The line as changed, ``None`` if it was removed.
        created: The line as created, ``None`` if it was added.
        reason: Why it is refused.
    """

    index: int
    changed: str | None
    created: str | None
    reason: str


_Rule = Callable[[_Change], str | None]
"""Returns why a change is refused, ``None`` if it is permitted."""


def changed_description(created: Description, sdp: str, slots: Slots, options: SessionOptions) -> Description:
    """Return a created description as the application has changed it.

    Args:
        created: The description created last.
        sdp: The changed text.
        slots: The present descriptions.
        options: Limits of descriptions, and whether ICE credentials may be changed.

    Raises:
        InvalidModificationError: A change is refused, or the text is malformed.
    """
    try:
        after = parse(sdp, options.sdp)
    except SdpSyntaxError as error:
        raise InvalidModificationError(f"the changed description is malformed: {error}") from error
    answered = [each for each in slots.exchanges() if each.answer is not None]
    comparison = _Comparison(
        created.sdp,
        sdp,
        created.parsed,
        after,
        created.transports,
        None if created.type is RTCSdpType.OFFER or slots.pending is None else slots.pending.offer.parsed,
        frozenset(mid for each in answered for mid in each.carried_mids()),
        frozenset(fragment for each in slots.exchanges() for fragment in _local_fragments(each)),
        options,
    )
    refusals = [(_line_number(sdp, each), each) for each in _refusals(comparison)]
    if refusals:
        number, refusal = min(refusals, key=lambda each: each[0])
        raise InvalidModificationError(_message(number, refusal))
    return attrs.evolve(created, sdp=sdp, parsed=after, replaced_credentials=_replaced(comparison))


def _local_fragments(exchange: OfferAnswerExchange) -> Iterator[str]:
    if exchange.local is not None:
        for index in range(len(exchange.local.parsed.media)):
            fragment = bundled_transport(exchange.local.parsed, index).ice_ufrag
            if fragment is not None:
                yield fragment


# -- messages -------------------------------------------------------------------------------------------------


def _line_number(sdp: str, refusal: _Refusal) -> int:
    """Return the number of the changed line; of a removed one, that of the line before its section's end."""
    index, last = _SESSION_LEVEL, 1
    for number, line in enumerate(sdp.rstrip().split("\n"), 1):
        index += line.startswith("m=")
        if index > refusal.index:
            break
        last = number
        if index == refusal.index and refusal.changed is not None and line.rstrip() == refusal.changed:
            return number
    return last


def _message(number: int, refusal: _Refusal) -> str:
    changed, created = refusal.changed, refusal.created
    if changed is None:
        text = f"{_shown(created)} must not be removed before line {number + 1}"
    elif created is None:
        text = f"line {number} must not be added, {_shown(changed)}"
    else:
        text = f"line {number} must be {_shown(created)} as created, not {_shown(changed)}"
    return f"{text}: {refusal.reason}"


def _shown(line: str | None) -> str:
    """Return a line for a message, without a secret."""
    if line is None or line.startswith("a=ice-pwd"):
        return "a=ice-pwd (hidden)"
    return repr(line if len(line) <= _MAXIMUM_LINE else f"{line[:_MAXIMUM_LINE]}...")


# -- comparison -----------------------------------------------------------------------------------------------


def _refusals(comparison: _Comparison) -> list[_Refusal]:
    """Return the refused changes of the first section with one; else one of values that must agree."""
    before, after = comparison.before, comparison.after
    if before.origin != after.origin:
        changed, created = (sdp.split("\n")[1].rstrip() for sdp in (comparison.changed, comparison.created))
        reason = "only the description created last can be applied"
        return [_Refusal(_SESSION_LEVEL, changed, created, reason)]
    if [section.kind for section in before.media] != [section.kind for section in after.media]:
        return [_section_refusal(comparison)]
    refusals = list(_attribute_refusals(comparison, _SESSION_LEVEL, before, after))
    for index, old, new in comparison.section_pairs():
        if refusals:
            break
        refusals += _media_line_refusals(comparison, index, old, new)
        refusals += _attribute_refusals(comparison, index, old, new)
    disagreeing = itertools.chain(
        _format_refusals(comparison), _bundle_refusals(comparison), _transport_refusals(comparison)
    )
    return refusals or list(itertools.islice(disagreeing, 1))


def _section_refusal(comparison: _Comparison) -> _Refusal:
    """Return the refusal of the first section that was added, removed or moved."""
    changed, created = _media_lines(comparison.changed), _media_lines(comparison.created)
    index = next(
        (
            index
            for index, (new, old) in enumerate(zip(changed, created, strict=False))
            if new.split()[0] != old.split()[0]
        ),
        min(len(changed), len(created)),
    )
    reason = "media sections cannot be added, removed or reordered; add or stop transceivers instead"
    new_line, old_line = (each[index] if index < len(each) else None for each in (changed, created))
    return _Refusal(min(index, len(changed) - 1), new_line, old_line, reason)


def _media_lines(sdp: str) -> list[str]:
    return [line.rstrip() for line in sdp.split("\n") if line.startswith("m=")]


def _media_line_refusals(
    comparison: _Comparison, index: int, old: MediaDescription, new: MediaDescription
) -> Iterator[_Refusal]:
    """Yield a refusal unless the protocol and port 0, which rejects, are kept; other ports have no effect."""
    if old.protocol != new.protocol:
        reason = "the protocol is fixed"
    elif (old.port == 0) != (new.port == 0):
        reason = "port 0 decides whether the section is rejected; stop the transceiver instead"
    elif old.formats != new.formats and not is_rtp_section(old):
        reason = "the format is fixed"
    else:
        return
    yield _media_refusal(comparison, index, reason)


def _media_refusal(comparison: _Comparison, index: int, reason: str) -> _Refusal:
    changed, created = (_media_lines(sdp)[index] for sdp in (comparison.changed, comparison.created))
    return _Refusal(index, changed, created, reason)


def _attribute_refusals(
    comparison: _Comparison, index: int, old: Section, new: Section
) -> Iterator[_Refusal]:
    for name in dict.fromkeys([*new.by_name, *old.by_name]):
        before, after = tuple(attribute_values(old, name)), tuple(attribute_values(new, name))
        rule = _RULES.get(name)
        if rule is None or before == after:
            continue
        reason = rule(_Change(comparison, index, before, after))
        if reason is not None:
            yield _Refusal(index, _differing(name, after, before), _differing(name, before, after), reason)


def _differing(name: str, values: Sequence[str], others: Sequence[str]) -> str | None:
    """Return the first line that only one description has, else the first one."""
    known = set(others)
    value = next((each for each in values if each not in known), next(iter(values), None))
    if value is None:
        return None
    return f"a={name}:{value}" if value else f"a={name}"


# -- rules of single attributes -------------------------------------------------------------------------------


def _kept(reason: str) -> _Rule:
    return lambda change: reason


def _fewer(keys: Callable[[str], Iterable[object]], reason: str) -> _Rule:
    """Return a rule that permits to remove values, or to change what is not part of their keys."""

    def check(change: _Change) -> str | None:
        created = {key for value in change.before for key in keys(value)}
        return None if created.issuperset(key for value in change.after for key in keys(value)) else reason

    return check


def _words(count: int) -> Callable[[str], Iterable[object]]:
    return lambda value: [tuple(value.split()[:count])]


def _layers(value: str) -> Iterator[object]:
    """Yield the direction and RID of each layer of ``a=simulcast``."""
    words = value.split()
    for direction, layers in zip(words[::2], words[1::2], strict=False):
        for rid in re.split("[;,]", layers):
            yield direction, rid.removeprefix("~")


def _check_setup(change: _Change) -> str | None:
    comparison, index = change.comparison, change.index
    if index == _SESSION_LEVEL or len(change.after) != 1:
        return "each media section has one DTLS role"
    if comparison.has_begun(index):
        return "the DTLS association has begun with the negotiated roles"
    roles = ["actpass", "active", "passive"]
    if comparison.offer is not None:
        offered = bundled_transport(comparison.offer, index).setup
        if offered != "actpass":
            return f"the offer's a=setup:{offered} leaves no other role"
        roles.remove("actpass")
    return None if change.after[0] in roles else f"the role must be one of {', '.join(roles)}"


def _check_credentials(change: _Change) -> str | None:
    comparison, index = change.comparison, change.index
    if not comparison.options.allow_changed_ice_credentials:
        return (
            "Settings.ice_credentials supplies ICE credentials; to change them here needs "
            "SessionOptions.allow_changed_ice_credentials"
        )
    if index == _SESSION_LEVEL or len(change.after) != 1 or len(change.before) != 1:
        return "each media section has one username fragment and one password"
    old = transport_attributes(comparison.before, index)
    new = transport_attributes(comparison.after, index)
    if comparison.begun_fragments.intersection((old.ice_ufrag, new.ice_ufrag)):
        return "ICE has begun with these credentials; only an ICE restart replaces them"
    try:
        check_credentials(new.ice_ufrag or "", new.ice_pwd or "")
    except ValueError as error:
        return str(error)
    return None


def _check_groups(change: _Change) -> str | None:
    """Check ``BUNDLE`` groups: an offer may remove sections that have their own transport."""
    comparison = change.comparison
    old, new = (
        [each.mids for each in groups(each, "BUNDLE")] for each in (comparison.before, comparison.after)
    )
    if old == new:
        return None
    if comparison.offer is not None:
        return "the answer's sections share the transports of the offer"
    if not all(any(tuple(mid for mid in group if mid in kept) == kept for group in old) for kept in new):
        return "sections cannot be added to a BUNDLE group, or reordered"
    bundled = {mid: number for number, group in enumerate(new) for mid in group}
    if len(bundled) != sum(map(len, new)):
        return "a section is in one BUNDLE group only"
    mids = section_mids(comparison.before)
    shared: dict[int, set[int | None]] = {}
    counts: dict[int, int] = {}
    for index, number in enumerate(comparison.transports):
        if not is_rejected(comparison.before.media[index]):
            shared.setdefault(number, set()).add(bundled.get(mids[index]))
            counts[number] = counts.get(number, 0) + 1
    if any(counts[number] > 1 and (len(each) > 1 or None in each) for number, each in shared.items()):
        return "sections that share a transport must stay in one BUNDLE group"
    return None


def _check_message_size(change: _Change) -> str | None:
    comparison, index = change.comparison, change.index
    if index == _SESSION_LEVEL:
        return None
    old, new = (application_attributes(each.media[index]) for each in (comparison.before, comparison.after))
    if old is None or new is None or 0 < new.max_message_size <= old.max_message_size:
        return None
    return "messages can be limited to fewer bytes only; Settings.max_message_size permits more"


def _check_extensions(change: _Change) -> str | None:
    comparison, index = change.comparison, change.index
    if index == _SESSION_LEVEL:
        return None
    created = {each.uri: each.id for each in rtp_attributes(comparison.before, index).extmaps}
    extmaps = rtp_attributes(comparison.after, index).extmaps
    known = ExtensionIds()
    for extmap in extmaps:
        if extmap.id == 15 or not known.allows(extmap):
            return "each extension must have an id of its own, from 1 to 14 or from 16 to 255"
        known.reserve(extmap)
        if comparison.offer is not None and created.get(extmap.uri) != extmap.id:
            return "an answer can only remove extensions; set_header_extensions_to_negotiate() chooses them"
        if comparison.has_begun(index) and created.get(extmap.uri, extmap.id) != extmap.id:
            return "packets have the negotiated id"
    return None


_RULES: Mapping[str, _Rule] = {
    "bundle-only": _kept("it decides whether port 0 rejects the section"),
    "extmap": _check_extensions,
    "fingerprint": _kept("the certificates are those of the configuration"),
    "group": _check_groups,
    "ice-lite": _kept("the local ICE agent is a full one"),
    "ice-options": _fewer(str.split, "other options are not supported"),
    "ice-pwd": _check_credentials,
    "ice-ufrag": _check_credentials,
    "identity": _kept("the identity provider has signed it"),
    "max-message-size": _check_message_size,
    "mid": _kept("media sections keep their mids"),
    "rid": _fewer(_words(2), "the encodings of add_transceiver() choose the layers"),
    "rtcp-mux": _kept("RTP and RTCP share a port (rtcp_mux_policy)"),
    "sctp-init": _kept("it is not supported"),
    "sctp-port": _kept("the local SCTP port is fixed"),
    "sctpmap": _kept("the local SCTP port is fixed"),
    "setup": _check_setup,
    "simulcast": _fewer(_layers, "the encodings of add_transceiver() choose the layers"),
    "ssrc": _fewer(_words(1), "the sender has chosen its SSRCs"),
    "ssrc-group": _fewer(lambda value: [value], "simulcast is chosen by the encodings of add_transceiver()"),
    "tls-id": _kept("the DTLS association decides it"),
}
"""The attributes that cannot be changed at will."""


# -- values that must agree -----------------------------------------------------------------------------------


def _format_refusals(comparison: _Comparison) -> Iterator[_Refusal]:
    for index, old, new in comparison.section_pairs():
        if is_rtp_section(old) and not is_rejected(old):
            reason = _check_formats(comparison, index, new.formats)
            if reason is not None:
                yield _media_refusal(comparison, index, reason)


def _check_formats(comparison: _Comparison, index: int, listed: Sequence[str]) -> str | None:
    """Check that a section has only created codecs, and in an answer or after it their payload types."""
    created, formats = (section_formats(each, index) for each in (comparison.before, comparison.after))
    encodings = {codec.payload_type: codec.encoding for codec in created}
    is_fixed = comparison.offer is not None or comparison.has_begun(index)
    if [str(codec.payload_type) for codec in formats] != list(listed):
        return "each payload type must be listed once, and have a codec (a=rtpmap)"
    if not any(codec.is_media for codec in formats):
        return "a codec must remain"
    for codec in formats:
        number = codec.payload_type
        if codec.encoding not in encodings.values():
            return f"{codec.name}/{codec.clock_rate} was not created; set_codec_preferences() chooses codecs"
        if encodings.get(number) != codec.encoding:
            if is_fixed:
                return f"{codec.name} must keep its payload type, which the peer uses"
            if number > 127 or number in RTCP_PAYLOAD_TYPES:
                return f"payload type {number} is not available: RTCP uses 64 to 95, and 127 is the highest"
    return None


def _bundle_refusals(comparison: _Comparison) -> Iterator[_Refusal]:
    """Yield the sections that contradict others of their bundle (RFC 9143 sections 9.1 and 9.2)."""
    for bundle in comparison.bundles():
        payload_types, extension_ids = PayloadTypes(), ExtensionIds()
        for index in bundle:
            if not is_rtp_section(comparison.after.media[index]):
                continue
            formats: tuple[Codec, ...] = section_formats(comparison.after, index)
            extmaps = rtp_attributes(comparison.after, index).extmaps
            if not all(map(payload_types.allows, formats)):
                yield _media_refusal(
                    comparison, index, "a payload type has one codec in all bundled sections"
                )
            elif not all(map(extension_ids.allows, extmaps)):
                reason = "the id of a header extension has one URI in all bundled sections"
                yield _media_refusal(comparison, index, reason)
            payload_types.reserve(formats)
            for extmap in extmaps:
                extension_ids.reserve(extmap)


def _transport_refusals(comparison: _Comparison) -> Iterator[_Refusal]:
    """Yield the sections whose ICE credentials or DTLS roles contradict others of their transport."""
    by_fragment: dict[str | None, int] = {}
    for index, old, _ in comparison.section_pairs():
        if not has_attribute(old, "ice-ufrag"):
            continue
        was, becomes = (transport_attributes(each, index) for each in (comparison.before, comparison.after))
        first = transport_attributes(comparison.after, by_fragment.setdefault(was.ice_ufrag, index))
        if (first.ice_ufrag, first.ice_pwd) != (becomes.ice_ufrag, becomes.ice_pwd):
            yield _media_refusal(comparison, index, "sections of one transport have the same ICE credentials")
    for bundle in comparison.bundles():
        for index in bundle:
            first = bundled_transport(comparison.after, bundle[0])
            if transport_attributes(comparison.after, index).setup not in (None, first.setup):
                yield _media_refusal(comparison, index, "bundled sections have the same a=setup")


def _replaced(comparison: _Comparison) -> Mapping[str, tuple[str, str]]:
    """Return the changed username fragments and passwords by the created username fragments."""
    replaced = {}
    for index in range(len(comparison.before.media)):
        old, new = (transport_attributes(each, index) for each in (comparison.before, comparison.after))
        if old.ice_ufrag is None or new.ice_ufrag is None or new.ice_pwd is None:
            continue
        if (old.ice_ufrag, old.ice_pwd) != (new.ice_ufrag, new.ice_pwd):
            replaced[old.ice_ufrag] = (new.ice_ufrag, new.ice_pwd)
    return replaced
