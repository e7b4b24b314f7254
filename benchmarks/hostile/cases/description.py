"""Session descriptions: the largest that are accepted, with what costs most in them, applied and answered."""

import base64
import itertools
from collections.abc import Callable, Iterable, Iterator

import attrs

from benchmarks.hostile.measure import Case, Source
from tests.strategies.transceivers import MediaSide, media_session
from trio_rtc.identity import IdentityOptions
from trio_rtc.jsep import JsepSession
from trio_rtc.jsep.identity import CarriedAssertion, contents_of, fingerprints_in
from trio_rtc.jsep.identity.assertion import MAX_FINGERPRINTS
from trio_rtc.protocols.sdp import SdpOptions

from .sizes import doubling

_OPTIONS = SdpOptions()
_LINES = _OPTIONS.maximum_lines - 50
_SECTIONS = _OPTIONS.maximum_sections
_CREDENTIALS = f"a=ice-ufrag:abcd\r\na=ice-pwd:{'x' * 24}\r\na=setup:actpass\r\n"
_FINGERPRINT = f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
_CODECS = "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"


def head(sections: int, lines: str = "") -> str:
    """Return the session level of a description with so many sections."""
    mids = " ".join(map(str, range(sections)))
    start = f"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mids}\r\n"
    return start + _CREDENTIALS + _FINGERPRINT + lines


def section(mid: int, lines: str = "", formats: str = "96 97", codecs: str = _CODECS) -> str:
    """Return a section of video."""
    return f"m=video 9 UDP/TLS/RTP/SAVPF {formats}\r\na=mid:{mid}\r\na=rtcp-mux\r\n{codecs}{lines}"


@attrs.define
class _Exchange:
    """The three calls that a description of the peer costs, by their names."""

    text: str
    session: JsepSession = attrs.Factory(media_session)
    side: MediaSide = attrs.Factory(lambda: MediaSide("answ"))

    def apply_remote(self) -> None:
        self.side.update_transceivers(self.session.apply_remote("offer", self.text, self.side.transceivers))

    def create_answer(self) -> None:
        self.session.create_answer(self.side.media())

    def apply_local(self) -> None:
        self.side.update_transceivers(self.session.apply_local("answer"))


def _exchange(text: str) -> _Exchange:
    return _Exchange(text[: _OPTIONS.maximum_length].rpartition("\n")[0] + "\r\n")


def _step(describe: Callable[[int], _Exchange], step: str) -> Callable[[int], Callable[[], object]]:
    """Return what prepares one of the calls, after those before it."""

    def prepare(size: int) -> Callable[[], object]:
        exchange = describe(size)
        calls: dict[str, Callable[[], None]] = {
            "apply_remote": exchange.apply_remote,
            "create_answer": exchange.create_answer,
            "apply_local": exchange.apply_local,
        }
        for name, call in calls.items():
            if name == step:
                break
            call()
        return calls[step]

    return prepare


def _repeated(line: Callable[[int], str], count: int) -> str:
    return "".join(f"{line(index)}\r\n" for index in range(count))


def _one_section(line: Callable[[int], str]) -> Callable[[int], _Exchange]:
    return lambda count: _exchange(head(1) + section(0, _repeated(line, count)))


def _many_sections(line: Callable[[int], str], each: int) -> Callable[[int], _Exchange]:
    """As many lines in every section as the bounds allow."""

    def describe(sections: int) -> _Exchange:
        lines = _repeated(line, each)
        return _exchange(head(sections) + "".join(section(mid, lines) for mid in range(sections)))

    return describe


def _data_sections(sections: int) -> _Exchange:
    media = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    return _exchange(head(sections) + "".join(f"{media}a=mid:{mid}\r\n" for mid in range(sections)))


def _session_lines(line: Callable[[int], str]) -> Callable[[int], _Exchange]:
    def describe(sections: int) -> _Exchange:
        start = head(sections, _repeated(line, _OPTIONS.maximum_session_lines - 20))
        return _exchange(start + "".join(section(mid) for mid in range(sections)))

    return describe


_PAYLOAD_TYPES = [number for number in range(128) if not 64 <= number <= 95]
"""All that may be used with RTCP on the same port (RFC 5761 section 4)."""


def _codecs(sections: int) -> _Exchange:
    """Sections with all payload types there are."""
    formats = " ".join(map(str, _PAYLOAD_TYPES))
    codecs = _repeated(lambda index: f"a=rtpmap:{_PAYLOAD_TYPES[index]} H264/90000", len(_PAYLOAD_TYPES))
    return _exchange(head(sections) + "".join(section(mid, "", formats, codecs) for mid in range(sections)))


def _simulcast(size: int) -> _Exchange:
    rids = [f"r{index}" for index in range(size)]
    lines = "".join(f"a=rid:{rid} send\r\n" for rid in rids)
    return _exchange(head(1) + section(0, f"{lines}a=simulcast:send {';'.join(rids)}\r\n"))


def _assertion(size: int) -> Callable[[], object]:
    """Return the call that parses the value of a=identity with as many numbers as fit."""
    limit = IdentityOptions().max_assertion_length
    numbers = "0," * (min(size, limit - 200) * 3 // 8)
    text = f'{{"idp":{{"domain":"example.org"}},"assertion":"a","x":[{numbers}0]}}'
    value = base64.b64encode(text.encode()).decode()
    return lambda: CarriedAssertion.parse(value, limit)


def _contents(size: int) -> Callable[[], object]:
    contents = contents_of([("sha-256", f"{index:02X}") for index in range(size)])
    return lambda: fingerprints_in(contents)


_STEPS = ("apply_remote", "create_answer", "apply_local")


def _description(
    name: str, largest: int, describe: Callable[[int], _Exchange], unit: str, steps: Iterable[str] = _STEPS
) -> Iterator[Case]:
    for step in steps:
        sizes = doubling(largest, 3)
        yield Case(f"SDP {step}: {name}", Source.DESCRIPTION, sizes, _step(describe, step), unit)


_LONG = "x" * 40
_IN_ONE: dict[str, Callable[[int], str]] = {
    "unknown attributes": lambda index: f"a=x-{index}:{_LONG}",
    "candidates": lambda index: f"a=candidate:{index} 1 udp 1 10.0.0.1 {1 + index} typ host",
    "rtcp-fb": lambda index: "a=rtcp-fb:96 nack pli",
    "rtpmap": lambda index: f"a=rtpmap:{index % 128} H264/90000",
    "fmtp": lambda index: f"a=fmtp:96 a{index}=1;b=2",
    "ssrc": lambda index: f"a=ssrc:{index} msid:stream track{index}",
    "ssrc-group": lambda index: f"a=ssrc-group:FID {2 * index} {2 * index + 1}",
    "extmap": lambda index: f"a=extmap:{1 + index % 255} urn:x:{index}",
    "msid": lambda index: f"a=msid:stream{index} track",
    "rid": lambda index: f"a=rid:r{index} send",
    "malformed": lambda index: "a=rtpmap:x",
    "bandwidth": lambda index: "b=AS:100",
    "fingerprints": lambda index: _FINGERPRINT.rstrip(),
    "ice-options": lambda index: f"a=ice-options:{' '.join(f'o{index}x{n}' for n in range(9))}",
}
_ALL: tuple[tuple[str, int, Callable[[int], _Exchange]], ...] = (
    ("sections, rtcp-fb", _SECTIONS, _many_sections(_IN_ONE["rtcp-fb"], 70)),
    ("sections, extmap", _SECTIONS, _many_sections(_IN_ONE["extmap"], 70)),
    ("sections, ssrc", _SECTIONS, _many_sections(_IN_ONE["ssrc"], 70)),
    ("sections, fmtp", _SECTIONS, _many_sections(_IN_ONE["fmtp"], 70)),
    ("sections", _SECTIONS, _many_sections(_IN_ONE["fmtp"], 0)),
    ("sections, session lines", _SECTIONS, _session_lines(_IN_ONE["candidates"])),
    ("sections, fingerprints", _SECTIONS, _session_lines(_IN_ONE["fingerprints"])),
    ("data sections", _SECTIONS, _data_sections),
    ("sections of all payload types", _OPTIONS.maximum_formats // len(_PAYLOAD_TYPES), _codecs),
)
CASES = tuple(
    itertools.chain(
        *(
            # What is in one section and cannot be answered costs nothing later.
            _description(name, _LINES, _one_section(line), "lines", ["apply_remote"])
            for name, line in _IN_ONE.items()
        ),
        *(_description(name, largest, describe, "sections") for name, largest, describe in _ALL),
        _description("layers", 9000, _simulcast, "layers"),
        (
            Case("identity assertion", Source.DESCRIPTION, doubling(1 << 16), _assertion, "characters"),
            Case(
                "identity contents", Source.DESCRIPTION, doubling(MAX_FINGERPRINTS), _contents, "fingerprints"
            ),
        ),
    )
)
