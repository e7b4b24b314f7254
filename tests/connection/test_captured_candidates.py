"""Candidates of real peers: accepted, or ignored and counted without affecting others."""

import logging
from collections.abc import Callable

import pytest

from tests.strategies.peers import description_of, negotiate, open_channel, two_peers
from tests.strategies.scenarios import layer_counters
from trio_rtc import (
    DOMException,
    OperationError,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCSessionDescription,
    Settings,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")

GOOD = "candidate:9 1 udp 2113929471 203.0.113.100 10100 typ host"
TAKEN = {
    "candidate:-2077823418 1 udp 2122260223 192.0.2.30 10005 typ host": "192.0.2.30",
    "candidate:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1 udp 2122260223 192.0.2.30 10005 typ host": "192.0.2.30",
    "candidate:Host_1 1 udp 2122260223 192.0.2.30 10005 typ host": "192.0.2.30",
    "candidate:1 1 udp 2122260223 192.0.2.30 10005 typ host generation": "192.0.2.30",
    "candidate:1 1 udp 2122260223 192.0.2.30 10005 typ host ufrag ": "192.0.2.30",
    "candidate:1 1 udp 2122260223 [2001:db8::1] 10005 typ host": "2001:db8::1",
}
IGNORED = [
    "candidate:1 1 udp 2122260223 cam.example.com 10005 typ host",
    "candidate:738377719 1 tcp 1509957375 192.0.2.126 65389 typ host generation 0",
    "candidate:1 1 ssltcp 2122260223 192.0.2.30 443 typ host",
]
Form = Callable[[str], "RTCIceCandidate | dict[str, object]"]
FORMS: dict[str, Form] = {
    "object": lambda line: RTCIceCandidate(line, "0"),
    "dictionary": lambda line: {"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0},
    "json": lambda line: RTCIceCandidate.from_json({"candidate": line, "sdpMid": "0"}),
    "pion": lambda line: {"candidate": line, "sdpMid": "", "sdpMLineIndex": 0},
    "pion, as an object": lambda line: RTCIceCandidate(line, "", 0),
    "native": lambda line: {"sdp": line, "sdpMid": "0", "sdpMLineIndex": 0},
    "native, from json": lambda line: RTCIceCandidate.from_json(
        {"sdp": line, "sdpMid": "", "sdpMLineIndex": 0}
    ),
}


def remote_addresses(pc: RTCPeerConnection) -> list[str | None]:
    assert pc.sctp is not None
    return [candidate.address for candidate in pc.sctp.transport.ice_transport.get_remote_candidates()]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("line", "address"), TAKEN.items(), ids=TAKEN)
async def test_accepted_candidate_forms(form: Form, line: str, address: str) -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        before = remote_addresses(peers.alice)
        await peers.alice.add_ice_candidate(form(line))
        assert remote_addresses(peers.alice) == [*before, address]
        assert peers.alice.remote_description is not None
        assert f"a={line.strip()}\r\n" in peers.alice.remote_description.sdp
        assert "a=end-of-candidates" not in peers.alice.remote_description.sdp


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("line", IGNORED)
async def test_ignored_candidate_forms(form: Form, line: str, caplog: pytest.LogCaptureFixture) -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        before = remote_addresses(peers.alice)
        with caplog.at_level(logging.DEBUG, "trio_rtc.ice"):
            await peers.alice.add_ice_candidate(form(line))
        assert line in caplog.text
        assert (await layer_counters(peers.alice, "ice"))["candidate-ignored"] == 1
        await peers.alice.add_ice_candidate(form(GOOD))
        assert remote_addresses(peers.alice) == [*before, "203.0.113.100"]


@pytest.mark.parametrize(
    "line", [*IGNORED, "candidate:1 1 udp x 192.0.2.30 10005 typ host", "candidate:", None]
)
async def test_candidates_in_descriptions(line: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Ignored candidates are counted, and all others of the description are used."""
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        lines = [GOOD, *([] if line is None else [line]), *TAKEN]
        answer = description_of(peers.bob)
        sdp = answer.sdp + "".join(f"a={each}\r\n" for each in lines)
        with caplog.at_level(logging.DEBUG, "trio_rtc.ice"):
            await peers.alice.set_remote_description(RTCSessionDescription(answer.type, sdp))
        assert set(remote_addresses(peers.alice)) >= {"203.0.113.100", *TAKEN.values()}
        counters = await layer_counters(peers.alice, "ice")
        assert counters.get("candidate-ignored", 0) == (line is not None)
        assert line is None or f"{line!r}" in caplog.text


async def test_an_empty_mid_without_index_is_an_unknown_section() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        with pytest.raises(OperationError, match=r"mid must be one of .* not ''"):
            await peers.alice.add_ice_candidate({"candidate": GOOD, "sdpMid": ""})


async def test_an_invalid_candidate_line_is_in_the_error() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        with pytest.raises(OperationError, match=r"candidate must begin with 'candidate:', .* not 'garbage'"):
            await peers.alice.add_ice_candidate({"candidate": "garbage", "sdpMid": "0"})


@pytest.mark.parametrize("sdp", ["", None, 5, "nonsense"])
async def test_an_unparsable_native_candidate_is_an_error_and_not_the_end(sdp: object) -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        for candidate in ({"sdp": sdp}, {"sdp": sdp, "sdpMid": "0"}):
            with pytest.raises((TypeError, DOMException)):
                await peers.alice.add_ice_candidate(candidate)
        assert peers.alice.remote_description is not None
        assert "a=end-of-candidates" not in peers.alice.remote_description.sdp


async def test_the_end_of_candidates_with_an_empty_mid() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        await peers.alice.add_ice_candidate({"candidate": "", "sdpMid": "", "sdpMLineIndex": 0})
        assert peers.alice.remote_description is not None
        assert peers.alice.remote_description.sdp.count("a=end-of-candidates\r\n") == 1


REFUSED = [
    *("0.0.0.0 5000", "127.0.0.1 5000", "224.0.0.251 5353", "255.255.255.255 5000", "169.254.169.254 80"),
    *("198.51.100.9 53", "198.51.100.9 0", "10.0.0.9 443", "::ffff:127.0.0.1 5000", "64:ff9b::7f00:1 5000"),
]


@pytest.mark.parametrize("address", REFUSED)
async def test_candidates_at_unusable_addresses_are_counted(
    address: str,
) -> None:
    async with open_channel() as (channel, _, peers):
        await peers.alice.add_ice_candidate(
            RTCIceCandidate(f"candidate:1 1 udp 2122260223 {address} typ host", "0")
        )
        assert (await layer_counters(peers.alice, "ice"))["candidate-refused"] == 1
        assert channel.ready_state == "open"


async def test_a_filter_of_the_application_rejects_remote_candidates() -> None:
    asked: list[tuple[str, int]] = []

    def permit(host: str, port: int) -> bool:
        asked.append((host, port))
        return host != "198.51.100.9"

    async with open_channel(settings=Settings(remote_candidate_filter=permit)) as (_, _, peers):
        await peers.alice.add_ice_candidate(
            RTCIceCandidate("candidate:1 1 udp 2122260223 198.51.100.9 5000 typ host", "0")
        )
        assert (await layer_counters(peers.alice, "ice"))["candidate-refused"] == 1
    assert ("198.51.100.9", 5000) in asked


def test_a_filter_must_be_callable() -> None:
    with pytest.raises(TypeError, match="remote_candidate_filter"):
        Settings(remote_candidate_filter=5)  # type: ignore[arg-type]
