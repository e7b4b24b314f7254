"""RTCConfiguration, RTCIceServer, setting them on a connection, and Settings."""

from collections.abc import Callable
from typing import Any, Literal

import attrs
import pytest

from tests.strategies.peers import open_channel
from tests.strategies.scenarios import messages_pass
from trio_rtc import (
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    RTCConfiguration,
    RTCError,
    RTCIceServer,
    RTCPeerConnection,
    RTCTransportStats,
    SdpOptions,
    SessionOptions,
    Settings,
    SyntaxError,
)
from trio_rtc.protocols.sctp import SctpOptions

DAY = 86400_000


def test_defaults() -> None:
    configuration = RTCPeerConnection().get_configuration()
    assert configuration == RTCConfiguration()
    assert configuration.ice_servers == ()
    assert configuration.certificates == ()
    assert configuration.ice_transport_policy == "all"
    assert configuration.bundle_policy == "balanced"
    assert configuration.rtcp_mux_policy == "require"
    assert configuration.ice_candidate_pool_size == 0


@pytest.mark.parametrize(
    "members",
    [
        {"ice_transport_policy": "some"},
        {"bundle_policy": "bogus"},
        {"bundle_policy": None},
        {"rtcp_mux_policy": "negotiate"},
        {"ice_candidate_pool_size": -1},
        {"ice_candidate_pool_size": 256},
        {"ice_candidate_pool_size": "1"},
        {"ice_servers": None},
        {"ice_servers": ["stun:stun.example.org"]},
        {"certificates": ["certificate"]},
    ],
    ids=str,
)
def test_members_of_the_wrong_type_or_out_of_range(members: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        RTCConfiguration(**members)


def test_peer_identity_is_a_text() -> None:
    assert RTCConfiguration(peer_identity="bob@example.org").peer_identity == "bob@example.org"
    with pytest.raises(TypeError, match="'peer_identity' must be a str or None"):
        RTCConfiguration(peer_identity=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "urls",
    [
        "stun:stun.example.org",
        "stun:stun.example.org:19302",
        "stun:[2001:db8::1]:3478",
        "stuns:192.0.2.1",
        ("stun:one.example.org", "stun:two.example.org"),
        ["stun:one.example.org"],
    ],
    ids=str,
)
def test_urls_of_servers(urls: str | list[str]) -> None:
    server = RTCIceServer(urls)
    assert server.urls == ((urls,) if isinstance(urls, str) else tuple(urls))


@pytest.mark.parametrize(
    "urls",
    [
        "",
        (),
        "stun",
        "stun:",
        "http://stun.example.org",
        "relay:example.org",
        "stun:stun.example.org?transport=udp",
        "stun://stun.example.org",
        "stun:stun.example.org:70000",
        "stun:user@stun.example.org",
        "turn:turn.example.org?transport=sctp",
        ("stun:stun.example.org", "nonsense"),
    ],
    ids=str,
)
def test_invalid_urls(urls: str | tuple[str, ...]) -> None:
    with pytest.raises(SyntaxError):
        RTCIceServer(urls, "user", "password")


def test_a_url_that_is_not_a_string() -> None:
    with pytest.raises(TypeError):
        RTCIceServer([5])  # type: ignore[list-item]


@pytest.mark.parametrize("url", ["turn:turn.example.org", "turns:turn.example.org?transport=tcp"])
def test_turn_servers_need_credentials(url: str) -> None:
    for members in ({}, {"username": "user"}, {"credential": "password"}):
        with pytest.raises(InvalidAccessError):
            RTCIceServer(url, **members)
    server = RTCIceServer(url, "user", "secret")
    assert "secret" not in repr(server)


async def test_set_configuration() -> None:
    pc = RTCPeerConnection(RTCConfiguration(bundle_policy="max-bundle"))
    new = RTCConfiguration(
        ice_servers=[RTCIceServer("stun:stun.example.org")],
        ice_transport_policy="relay",
        bundle_policy="max-bundle",
        ice_candidate_pool_size=3,
    )
    pc.set_configuration(new)
    assert pc.get_configuration() == new
    with pytest.raises(InvalidModificationError, match="bundle"):
        pc.set_configuration(RTCConfiguration())
    assert pc.get_configuration() == new


async def test_certificates_cannot_change() -> None:
    one, other = [await RTCPeerConnection.generate_certificate() for _ in range(2)]
    pc = RTCPeerConnection(RTCConfiguration(certificates=[one]))
    pc.set_configuration(RTCConfiguration(certificates=[one], ice_transport_policy="relay"))
    # W3C webrtc section 4.4.1.6: the number of certificates must be the same, too; it is 0 by default.
    for certificates in ([other], [one, other], [other, one], []):
        with pytest.raises(InvalidModificationError, match="certificate"):
            pc.set_configuration(RTCConfiguration(certificates=certificates))
    with pytest.raises(InvalidModificationError, match="certificate"):
        RTCPeerConnection().set_configuration(RTCConfiguration(certificates=[one]))


async def test_the_size_of_the_candidate_pool_cannot_change_after_set_local_description() -> None:
    """W3C webrtc section 4.4.1.6: it matters whether the method has been called, not whether it succeeded."""
    async with RTCPeerConnection(settings=Settings(interface_filter=lambda _: False)) as pc:
        await pc.create_offer()
        pc.set_configuration(RTCConfiguration(ice_candidate_pool_size=1))
        await pc.set_local_description()
        with pytest.raises(InvalidModificationError, match="pool"):
            pc.set_configuration(RTCConfiguration(ice_candidate_pool_size=2))
        await pc.set_local_description({"type": "rollback", "sdp": ""})
        with pytest.raises(InvalidModificationError, match="pool"):
            pc.set_configuration(RTCConfiguration())
        pc.set_configuration(RTCConfiguration(ice_candidate_pool_size=1, ice_transport_policy="relay"))


async def test_no_configuration_of_a_closed_connection() -> None:
    pc = RTCPeerConnection()
    before = pc.get_configuration()
    pc.close()
    with pytest.raises(InvalidStateError):
        pc.set_configuration(RTCConfiguration(ice_transport_policy="relay"))
    assert pc.get_configuration() == before


async def test_a_refused_configuration_changes_nothing() -> None:
    one, other = [await RTCPeerConnection.generate_certificate() for _ in range(2)]
    configuration = RTCConfiguration(
        certificates=[one], bundle_policy="max-compat", peer_identity="bob@example.org"
    )
    pc = RTCPeerConnection(configuration)
    valid: dict[str, Any] = {
        "ice_servers": [RTCIceServer("stun:stun.example.org")],
        "ice_transport_policy": "relay",
    }
    refused: list[dict[str, Any]] = [
        {"certificates": [other]},
        {"bundle_policy": "balanced"},
        {"peer_identity": "eve@example.org"},
    ]
    for changed in refused:
        with pytest.raises(InvalidModificationError):
            pc.set_configuration(attrs.evolve(configuration, **valid, **changed))
        assert pc.get_configuration() == configuration


# -- settings ----


@pytest.mark.parametrize(("answer_setup", "role"), [("active", "client"), ("passive", "server")])
@pytest.mark.usefixtures("autojump_clock")
async def test_the_dtls_role_of_the_answerer(answer_setup: Literal["active", "passive"], role: str) -> None:
    settings = Settings(session=SessionOptions(answer_setup=answer_setup))
    async with open_channel(settings=settings) as (mine, theirs, peers):
        assert peers.bob.local_description is not None
        assert f"a=setup:{answer_setup}\r\n" in peers.bob.local_description.sdp
        await messages_pass(mine, theirs)
        transport = (await peers.bob.get_stats())["transport"]
        assert isinstance(transport, RTCTransportStats)
        assert transport.dtls_role == role
        # RFC 8832 section 6: the DTLS client opens channels with even identifiers.
        assert mine.id == (0 if role == "server" else 1)


async def test_the_bounds_of_descriptions() -> None:
    settings = Settings(session=SessionOptions(sdp=SdpOptions(maximum_lines=10)))
    offer = await RTCPeerConnection().create_offer()
    assert offer is not None
    async with RTCPeerConnection(settings=settings) as pc:
        with pytest.raises(RTCError, match="more than 10 lines"):
            await pc.set_remote_description({"type": "offer", "sdp": offer.sdp + "a=x\r\n" * 10})


@pytest.mark.parametrize(
    "make",
    [
        lambda: SessionOptions(answer_setup="actpass"),  # type: ignore[arg-type]
        lambda: SessionOptions(maximum_candidates=-1),
        lambda: SdpOptions(maximum_sections=0),
        lambda: SdpOptions(maximum_lines=0),
        lambda: Settings(port_range=(2, 1)),
        lambda: Settings(close_timeout=-1),
        lambda: Settings(send_high_water_mark=1001, sctp=SctpOptions(send_buffer_size=1000)),
    ],
)
def test_settings_out_of_range(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must be|is \("):
        make()


def test_senders_may_wait_at_a_full_buffer() -> None:
    settings = Settings(send_high_water_mark=1000, sctp=SctpOptions(send_buffer_size=1000))
    assert settings.send_high_water_mark == 1000


def test_settings_of_the_wrong_type() -> None:
    with pytest.raises(TypeError):
        Settings(session="active")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        SessionOptions(sdp=10)  # type: ignore[arg-type]
