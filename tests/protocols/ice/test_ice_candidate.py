import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_rtc.enums import RTCIceCandidateType, RTCIceProtocol, RTCIceTcpCandidateType
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import Candidate, UnusableCandidate, compute_foundation, compute_priority

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
def test_browsers_candidates_parse_and_survive(line: str, prefix: str) -> None:
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


@pytest.mark.parametrize("foundation", ["-2077823418", "a" * 40, "Host_1", "not-a-foundation"])
def test_any_token_is_a_foundation(foundation: str) -> None:
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
def test_candidates_survive(candidate: Candidate) -> None:
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


def test_foundations_are_equal_for_equal_origins_only() -> None:
    host, srflx = RTCIceCandidateType.HOST, RTCIceCandidateType.SRFLX
    assert compute_foundation(host, "10.0.0.1") == compute_foundation(host, "10.0.0.1")
    foundations = {
        compute_foundation(host, "10.0.0.1"),
        compute_foundation(host, "10.0.0.2"),
        compute_foundation(srflx, "10.0.0.1", "192.0.2.1"),
        compute_foundation(srflx, "10.0.0.1", "192.0.2.2"),
    }
    assert len(foundations) == 4
