"""Session descriptions: those of real peers, generated ones, and damaged ones."""

import pathlib
import string

from hypothesis import strategies as st

from trio_rtc.protocols.sdp import Attribute, Field, MediaDescription, Origin, SessionDescription

_DATA = pathlib.Path(__file__).parents[1] / "data" / "sdp"
REAL_OFFERS = {path.stem: path.read_bytes().decode() for path in sorted(_DATA.glob("*.sdp"))}

tokens = st.text(string.ascii_letters + string.digits + "-_.+!%", min_size=1, max_size=12)
values = st.text(
    st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=0, max_size=40
)
_unknown_attributes = st.builds(Attribute, tokens.map("x-{}".format), st.none() | values)
_known_attributes = st.sampled_from(
    [
        Attribute("mid", "0"),
        Attribute("mid", "audio"),
        Attribute("group", "BUNDLE 0 audio"),
        Attribute("setup", "actpass"),
        Attribute("ice-ufrag", "abcd"),
        Attribute("ice-pwd", "a" * 22),
        Attribute("ice-options", "trickle"),
        Attribute("fingerprint", "sha-256 " + ":".join(["0A"] * 32)),
        Attribute("sctp-port", "5000"),
        Attribute("max-message-size", "0"),
        Attribute("rtcp-mux"),
        Attribute("extmap", "8/sendonly urn:x y z"),
        Attribute("rtpmap", "111 opus/48000/2"),
        Attribute("simulcast", "send q;h,~i recv 1"),
        Attribute("candidate", "1 1 udp 1 192.0.2.1 1 typ host"),
        Attribute("end-of-candidates"),
    ]
)
_attributes = st.lists(_unknown_attributes | _known_attributes, max_size=6).map(tuple)
_media_fields = st.lists(
    st.sampled_from([Field("c", "IN IP4 192.0.2.1"), Field("b", "AS:128"), Field("i", "a title")]),
    unique=True,
).map(tuple)
_media = st.builds(
    MediaDescription,
    kind=tokens,
    port=st.integers(0, 65535),
    protocol=st.lists(tokens, min_size=1, max_size=3).map("/".join),
    formats=st.lists(tokens, min_size=1, max_size=4).map(tuple),
    fields=_media_fields,
    attributes=_attributes,
    port_count=st.integers(1, 9),
)
_origins = st.builds(
    Origin,
    tokens,
    st.integers(0, 2**64 - 1).map(str),
    st.integers(0, 2**64 - 1),
    st.just("IN"),
    st.sampled_from(["IP4", "IP6"]),
    tokens,
)


def session_descriptions() -> st.SearchStrategy[SessionDescription]:
    """Return descriptions that conform to the grammar, with arbitrary content."""
    return st.builds(
        SessionDescription,
        origin=_origins,
        # A description may end right after an attribute's name; a trailing blank would be stripped.
        name=values.filter(lambda text: text != "" and text.strip("\r\n") == text),
        fields=st.just((Field("t", "0 0"),)),
        attributes=_attributes,
        media=st.lists(_media, max_size=3).map(tuple),
    )


def _damage(lines: list[str], index: int, cut: int, scribble: str, kind: str) -> list[str]:
    index %= len(lines)
    line = lines[index]
    cut %= len(line) + 1
    replacement = {
        "lose": [],
        "double": [line, line],
        "cut": [line[:cut]],
        "behead": [line[cut:]],
        "break": [line[:cut], line[cut:]],
        "scribble": [line[:cut] + scribble + line[cut:]],
        "move": [lines[cut % len(lines)], line],
    }[kind]
    return [*lines[:index], *replacement, *lines[index + 1 :]] or ["v=0"]


_KINDS = ("lose", "double", "cut", "behead", "break", "scribble", "move")
_damages = st.tuples(st.integers(0, 400), st.integers(0, 400), values, st.sampled_from(_KINDS))


@st.composite
def damaged_offers(draw: st.DrawFn) -> str:
    """Return the offer of a real peer with a few lines removed, repeated, moved, truncated or overwritten."""
    lines = draw(st.sampled_from(sorted(REAL_OFFERS.values()))).splitlines()
    for damage in draw(st.lists(_damages, min_size=1, max_size=4)):
        lines = _damage(lines, *damage)
    return draw(st.sampled_from(["\r\n", "\n"])).join(lines)
