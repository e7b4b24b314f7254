"""``ice_transport_policy`` (W3C webrtc section 4.2.4)."""

from typing import Any

import pytest

from trio_rtc import RTCConfiguration, RTCPeerConnection


def test_the_default() -> None:
    assert RTCPeerConnection().get_configuration().ice_transport_policy == "all"


@pytest.mark.parametrize("first", ["all", "relay"])
@pytest.mark.parametrize("second", ["all", "relay"])
def test_it_can_be_changed(first: str, second: str) -> None:
    pc = RTCPeerConnection(RTCConfiguration(ice_transport_policy=first))
    assert pc.get_configuration().ice_transport_policy == first
    pc.set_configuration(RTCConfiguration(ice_transport_policy=second))
    assert pc.get_configuration().ice_transport_policy == second
    pc.set_configuration(RTCConfiguration())
    assert pc.get_configuration().ice_transport_policy == "all"


@pytest.mark.parametrize("wrong", ["invalid", "none", None])
def test_invalid_values(wrong: Any) -> None:
    with pytest.raises(TypeError):
        RTCConfiguration(ice_transport_policy=wrong)


def test_the_name_of_an_old_draft_is_unknown() -> None:
    with pytest.raises(TypeError):
        RTCConfiguration(ice_transports="relay")  # type: ignore[call-arg]
