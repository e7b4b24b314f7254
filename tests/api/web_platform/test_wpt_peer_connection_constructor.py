"""The constructor (W3C webrtc section 4.4.1.1)."""

from typing import Any

import pytest

from trio_rtc import RTCConfiguration, RTCPeerConnection


@pytest.mark.parametrize("arguments", [(), (None,), (RTCConfiguration(),)], ids=str)
async def test_the_configuration_is_optional(arguments: tuple[Any, ...]) -> None:
    pc = RTCPeerConnection(*arguments)
    assert pc.get_configuration() == RTCConfiguration()


@pytest.mark.parametrize("configuration", ["", 1, True, [], {"bundlePolicy": "all"}], ids=repr)
async def test_other_types_are_type_errors(configuration: Any) -> None:
    with pytest.raises(TypeError):
        RTCPeerConnection(configuration)


@pytest.mark.parametrize(
    "members",
    [
        {"ice_transport_policy": "none"},
        {"bundle_policy": "all"},
        {"rtcp_mux_policy": "maybe"},
        {"ice_servers": "stun:stun.example.org"},
        {"ice_candidate_pool_size": -1},
        {"ice_candidate_pool_size": 256},
        {"certificates": [None]},
    ],
    ids=str,
)
async def test_invalid_members_are_type_errors(members: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        RTCPeerConnection(RTCConfiguration(**members))


async def test_the_first_states() -> None:
    pc = RTCPeerConnection()
    assert pc.signaling_state == "stable"
    assert pc.ice_gathering_state == "new"
    assert pc.ice_connection_state == "new"
    assert pc.connection_state == "new"
    assert pc.can_trickle_ice_candidates is None
    assert pc.sctp is None
    assert pc.local_description is pc.current_local_description is pc.pending_local_description is None
    assert pc.remote_description is pc.current_remote_description is pc.pending_remote_description is None
    for event in pc.EVENTS:
        assert getattr(pc, f"on_{event}") is None


@pytest.mark.parametrize(
    "name", ["signaling_state", "connection_state", "local_description", "remote_description", "sctp"]
)
async def test_states_and_descriptions_are_read_only(name: str) -> None:
    pc = RTCPeerConnection()
    with pytest.raises(AttributeError):
        setattr(pc, name, None)
