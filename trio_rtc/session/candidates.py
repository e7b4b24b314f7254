"""Candidates in the sections of a description: added as they come, with the default candidate kept up to date.

The lines stay text here. Of their grammar only the first fields are read, to choose the default candidate that
``m=`` and ``c=`` state (RFC 8839 section 4.2.1.2); no peer with ICE looks at it.
"""

import attrs

from trio_rtc.protocols.sdp import Attribute, Field, MediaDescription, attribute_values, has_attribute

# What is most likely to be reachable for a peer without ICE comes first, RFC 8839 section 4.2.1.2.
_DEFAULT_TYPES = ("relay", "srflx", "prflx", "host")


def candidate_value(line: str) -> str:
    """Return what stands behind ``candidate:`` in a candidate line, with or without ``a=`` before it."""
    return line.removeprefix("a=").removeprefix("candidate:")


def add_candidate(media: MediaDescription, line: str) -> MediaDescription:
    """Return the section with a candidate of ours added and its default candidate chosen anew."""
    added = append_candidate(media, line)
    return added if added is media else _with_default_candidate(added)


def append_candidate(media: MediaDescription, line: str) -> MediaDescription:
    """Return the section with a candidate added; the section itself if it is there already."""
    value = candidate_value(line)
    if value in attribute_values(media, "candidate"):
        return media
    return attrs.evolve(media, attributes=(*media.attributes, Attribute("candidate", value)))


def end_candidates(media: MediaDescription) -> MediaDescription:
    """Return the section with ``a=end-of-candidates`` (RFC 8840 section 4.1); itself if it has one."""
    if has_attribute(media, "end-of-candidates"):
        return media
    return attrs.evolve(media, attributes=(*media.attributes, Attribute("end-of-candidates")))


def _with_default_candidate(media: MediaDescription) -> MediaDescription:
    ranked = [rank for value in attribute_values(media, "candidate") if (rank := _rank(value)) is not None]
    if not ranked:
        return media
    _, is_ipv6, host, port = min(ranked, key=lambda rank: rank[:2])
    connection = Field("c", f"IN {'IP6' if is_ipv6 else 'IP4'} {host}")
    fields = tuple(connection if field.type == "c" else field for field in media.fields)
    return attrs.evolve(media, port=port, fields=fields)


def _rank(value: str) -> tuple[int, bool, str, int] | None:
    """Return how well a candidate serves as the default one, smaller is better; ``None`` if it cannot.

    TCP candidates cannot, and neither can ``.local`` names, which mean nothing outside the local network.
    """
    words = value.split(" ")
    if len(words) < 8 or words[1] != "1" or words[2].lower() != "udp" or words[4].endswith(".local"):
        return None
    if words[7] not in _DEFAULT_TYPES or not words[5].isdecimal():
        return None
    return _DEFAULT_TYPES.index(words[7]), ":" in words[4], words[4], int(words[5])
