import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_rtc.enums import RTCIceCandidateType, RTCIceProtocol, RTCIceTcpCandidateType
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import Candidate, IceRole, UnusableCandidate, compute_foundation, compute_priority
from trio_rtc.protocols.ice.candidate import is_link_local
from trio_rtc.protocols.ice.check_list import compute_pair_priority

CHROMIUM = [
    "candidate:1097641270 1 udp 2122265343 fd77::2 34622 typ host generation 0 network-id 2",
    "candidate:1713996737 1 udp 2122194687 10.77.0.2 42733 typ host generation 0 network-id 1 network-cost 50",
    "candidate:1153219735 1 tcp 1518214911 10.77.0.2 9 typ host tcptype active generation 0 network-id 1",
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 46154 generation 0 "
    "ufrag EEtu network-cost 999",
    "candidate:3885250869 1 udp 2122260223 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 54596 typ host generation 0",
]
FIREFOX = [
    "candidate:0 1 UDP 2122187007 10.77.0.2 33621 typ host",
    "candidate:0 2 UDP 2122187006 10.77.0.2 34504 typ host",
    "candidate:1 1 UDP 2122252543 fd77::2 33759 typ host",
    "candidate:2 1 TCP 2105458943 10.77.0.2 9 typ host tcptype active",
]


@pytest.mark.parametrize("line", CHROMIUM + FIREFOX)
@pytest.mark.parametrize("prefix", ["", "a="])
def test_browser_candidates_are_parsed_and_encoded(line: str, prefix: str) -> None:
    candidate = Candidate.parse(prefix + line)
    assert Candidate.parse(candidate.to_sdp()) == candidate
    assert candidate.to_sdp().split()[3:6] == line.split()[3:6]


def test_every_field() -> None:
    candidate = Candidate.parse(CHROMIUM[3])
    assert candidate == Candidate(
        foundation="842163049",
        component=1,
        protocol=RTCIceProtocol.UDP,
        priority=1677729535,
        address="203.0.113.7",
        port=46154,
        type=RTCIceCandidateType.SRFLX,
        related_address="10.0.0.17",
        related_port=46154,
        username_fragment="EEtu",
        extensions=(("generation", "0"), ("network-cost", "999")),
    )
    assert candidate.transport_address == Address("203.0.113.7", 46154)
    assert not candidate.is_name


def test_the_prefix_may_be_missing() -> None:
    assert Candidate.parse("0 1 UDP 2122187007 10.77.0.2 33621 typ host") == Candidate.parse(FIREFOX[0])


def test_names_and_tcp() -> None:
    assert Candidate.parse(CHROMIUM[4]).is_name
    assert Candidate.parse(CHROMIUM[2]).tcp_type is RTCIceTcpCandidateType.ACTIVE


def test_hosts_are_canonical() -> None:
    line = "candidate:1 1 udp 1 2001:DB8:0:0::1 1 typ host"
    assert Candidate.parse(line).address == "2001:db8::1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "candidate:1 1 udp 1 10.0.0.1 1 typ",
        "candidate:1 1 udp 1 10.0.0.1 1 host host",
        "candidate:1 0 udp 1 10.0.0.1 1 typ host",
        "candidate:1 257 udp 1 10.0.0.1 1 typ host",
        "candidate:1 1 udp 4294967296 10.0.0.1 1 typ host",
        "candidate:1 1 udp -1 10.0.0.1 1 typ host",
        "candidate:1 1 udp ٣ 10.0.0.1 1 typ host",
        "candidate:1 1 udp 1 10.0.0.256 1 typ host",
        "candidate:1 1 udp 1 10.0.0.1 65536 typ host",
        "candidate:1 1 udp 1 10.0.0.1 1 typ teleport",
        "candidate:1 1 udp 1 10.0.0.1 1 typ srflx raddr 10.0.0.2 rport x",
        "candidate:1 1 tcp 1 10.0.0.1 1 typ host tcptype sideways",
        "candidate:1 1 udp 1 10.0.0.1 1 typ host " + "x y " * 500,
        "candidate:\u00e9 1 udp 1 10.0.0.1 1 typ host",
        "candidate:1 1 udp 1 [fd00::1 1 typ host",
        "candidate:1 1 udp 1 fd00::1] 1 typ host",
        "candidate:1 1 udp 1 [10.0.0.1] 1 typ host",
    ],
)
def test_malformed_candidates_raise(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        Candidate.parse(text)
    assert type(caught.value) is ProtocolError


@pytest.mark.parametrize(
    "text",
    [
        "candidate:1 1 sctp 1 10.0.0.1 1 typ host",
        "candidate:1 1 ssltcp 1 10.0.0.1 443 typ host",
        "candidate:1 1 tcp 1 10.0.0.1 1 typ host",
        "candidate:1 1 udp 1 example.org 1 typ host",
        "candidate:1 1 udp 1 cam 1 typ host",
    ],
)
def test_well_formed_candidates_of_unsupported_kinds_are_unusable(text: str) -> None:
    with pytest.raises(UnusableCandidate):
        Candidate.parse(text)


def test_a_candidate_has_at_most_1024_characters() -> None:
    line = "candidate:1 1 udp 1 10.0.0.1 1 typ host x ".ljust(1024, "y")
    assert Candidate.parse(line).extensions == (("x", line.split()[-1]),)
    with pytest.raises(ProtocolError, match="of 1025 characters"):
        Candidate.parse(line + "y")


@pytest.mark.parametrize("foundation", ["-2077823418", "a" * 40, "Host_1", "not-a-foundation"])
def test_any_token_is_accepted_as_foundation(foundation: str) -> None:
    candidate = Candidate.parse(f"candidate:{foundation} 1 udp 1 10.0.0.1 1 typ host")
    assert candidate.foundation == foundation
    assert Candidate.parse(candidate.to_sdp()) == candidate


@pytest.mark.parametrize("name", ["generation", "ufrag ", "raddr", "tcptype"])
def test_a_last_attribute_without_value_is_ignored(name: str) -> None:
    plain = "candidate:1 1 udp 1 10.0.0.1 1 typ host network-id 2"
    assert Candidate.parse(f"{plain} {name}") == Candidate.parse(plain)


def test_an_ipv6_address_may_have_brackets() -> None:
    assert Candidate.parse("candidate:1 1 udp 1 [2001:db8::1] 1 typ host").address == "2001:db8::1"
    with pytest.raises(ProtocolError):
        Candidate.parse("candidate:1 1 udp 1 [10.0.0.1] 1 typ host")


WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)
CANDIDATES = st.builds(
    Candidate,
    foundation=st.from_regex(r"[A-Za-z0-9+/]{1,32}", fullmatch=True),
    component=st.integers(1, 256),
    protocol=st.just(RTCIceProtocol.UDP),
    priority=st.integers(0, 2**32 - 1),
    address=st.ip_addresses().map(str) | st.uuids().map(lambda uuid: f"{uuid}.local"),
    port=st.integers(0, 65535),
    type=st.sampled_from(RTCIceCandidateType),
    related_address=st.none() | st.ip_addresses().map(str),
    related_port=st.none() | st.integers(0, 65535),
    username_fragment=st.none() | st.from_regex(r"[A-Za-z0-9+/]{4,16}", fullmatch=True),
    extensions=st.lists(
        st.tuples(
            WORDS.filter(lambda word: word.lower() not in {"raddr", "rport", "tcptype", "ufrag"}), WORDS
        ),
        max_size=4,
    ).map(tuple),
)


@given(CANDIDATES)
def test_candidates_round_trip(candidate: Candidate) -> None:
    assert Candidate.parse(candidate.to_sdp()) == candidate


@given(st.text(max_size=150) | st.lists(WORDS, min_size=6, max_size=12).map(" ".join))
@example("candidate:1 1 udp 1 ::1%eth0 1 typ host")
def test_arbitrary_text_raises_only_protocol_errors(text: str) -> None:
    check_parser(text)


@given(st.sampled_from(CHROMIUM + FIREFOX), st.data())
def test_mutated_candidates_raise_only_protocol_errors(line: str, data: st.DataObject) -> None:
    characters = list(line)
    for _ in range(data.draw(st.integers(1, 5))):
        characters[data.draw(st.integers(0, len(characters) - 1))] = data.draw(st.characters())
    check_parser("".join(characters))


def check_parser(text: str) -> None:
    try:
        candidate = Candidate.parse(text)
    except ProtocolError:
        return
    assert Candidate.parse(candidate.to_sdp()) == candidate


def test_priorities_follow_rfc_8445() -> None:
    assert compute_priority(RTCIceCandidateType.HOST, 65535) == 2130706431
    assert compute_priority(RTCIceCandidateType.SRFLX, 65535) == 1694498815
    assert compute_priority(RTCIceCandidateType.PRFLX, 65535) == 1862270975
    assert compute_priority(RTCIceCandidateType.RELAY, 65535) == 16777215


def test_foundations_are_equal_for_equal_type_base_and_server_only() -> None:
    host, srflx = RTCIceCandidateType.HOST, RTCIceCandidateType.SRFLX
    assert compute_foundation(host, "10.0.0.1") == compute_foundation(host, "10.0.0.1")
    foundations = {
        compute_foundation(host, "10.0.0.1"),
        compute_foundation(host, "10.0.0.2"),
        compute_foundation(srflx, "10.0.0.1", "192.0.2.1"),
        compute_foundation(srflx, "10.0.0.1", "192.0.2.2"),
    }
    assert len(foundations) == 4


LINE = "candidate:1 {component} udp {priority} {address} {port} typ host"
FIELDS = {"component": "1", "priority": "5", "address": "10.0.0.1", "port": "7"}


@pytest.mark.parametrize(
    ("field", "value", "is_good"),
    [
        *(("component", "0", False), ("component", "1", True), ("component", "256", True)),
        *(("component", "257", False), ("priority", "0", True), ("priority", "4294967295", True)),
        *(("priority", "4294967296", False), ("port", "0", True), ("port", "65535", True)),
        *(("port", "65536", False), ("port", "-1", False), ("port", "+1", False), ("port", "1_0", False)),
    ],
)
def test_limits_of_numbers(field: str, value: str, is_good: bool) -> None:
    line = LINE.format(**{**FIELDS, field: value})
    if is_good:
        assert str(getattr(Candidate.parse(line), field)) == value
    else:
        with pytest.raises(ProtocolError, match=field):
            Candidate.parse(line)


@pytest.mark.parametrize("port", ["0", "65535", "65536"])
def test_limits_of_a_related_port(port: str) -> None:
    line = f"{LINE.format(**FIELDS)} raddr 10.0.0.2 rport {port}"
    if port == "65536":
        with pytest.raises(ProtocolError, match="rport"):
            Candidate.parse(line)
    else:
        assert Candidate.parse(line).related_port == int(port)


@pytest.mark.parametrize(("size", "is_good"), [(254, True), (255, True), (256, False)])
@pytest.mark.parametrize("suffix", [".local", ".org"])
def test_a_name_has_at_most_255_characters(suffix: str, size: int, is_good: bool) -> None:
    name = ".".join(["x" * 50] * 4) + "." + "x" * (size - len(suffix) - 204) + suffix
    line = LINE.format(**{**FIELDS, "address": name})
    if is_good and suffix == ".local":
        assert Candidate.parse(line).address == name
    else:
        with pytest.raises(ProtocolError) as raised:
            Candidate.parse(line)
        assert isinstance(raised.value, UnusableCandidate) is is_good


def test_a_name_is_a_token() -> None:
    with pytest.raises(ProtocolError):
        Candidate.parse(LINE.format(**{**FIELDS, "address": 'a"\x7f.local'}))


@pytest.mark.parametrize(
    ("kind", "preference"), [("host", 126), ("prflx", 110), ("srflx", 100), ("relay", 0)]
)
def test_priorities_of_each_type(kind: str, preference: int) -> None:
    """RFC 8445 section 5.1.2: 2^24 type preference + 2^8 local preference + 256 - component."""
    kinds = RTCIceCandidateType(kind)
    assert compute_priority(kinds, 65535) == (preference << 24) + (65535 << 8) + 255
    assert compute_priority(kinds, 0, 256) == preference << 24


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        *(("fe7f::1", False), ("fe80::1", True), ("FE80::1", True), ("fe90::1", True), ("febf::1", True)),
        *(("fec0::1", False), ("fd00::1", False), ("169.254.0.1", False), ("fe80.example", False)),
    ],
)
def test_link_local_addresses(host: str, is_local: bool) -> None:
    assert is_link_local(host) is is_local


@pytest.mark.parametrize(
    ("controlling", "controlled", "priority"),
    [(5, 3, (3 << 32) + 11), (3, 5, (3 << 32) + 10), (4, 4, (4 << 32) + 8), (0, 1, 2), (1, 0, 3)],
)
def test_priorities_of_pairs(controlling: int, controlled: int, priority: int) -> None:
    """RFC 8445 section 6.1.2.3."""
    assert compute_pair_priority(IceRole.CONTROLLING, controlling, controlled) == priority
    assert compute_pair_priority(IceRole.CONTROLLED, controlled, controlling) == priority
