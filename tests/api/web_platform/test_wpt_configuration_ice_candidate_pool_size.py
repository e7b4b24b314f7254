"""``ice_candidate_pool_size`` (W3C webrtc section 4.2.1)."""

import pytest

from trio_rtc import RTCConfiguration, RTCPeerConnection


@pytest.mark.parametrize("size", [0, 1, 255])
def test_valid_values(size: int) -> None:
    assert RTCPeerConnection().get_configuration().ice_candidate_pool_size == 0
    configuration = RTCConfiguration(ice_candidate_pool_size=size)
    assert RTCPeerConnection(configuration).get_configuration().ice_candidate_pool_size == size
    pc = RTCPeerConnection()
    pc.set_configuration(configuration)
    assert pc.get_configuration().ice_candidate_pool_size == size


@pytest.mark.parametrize("size", [-1, 256])
def test_values_beyond_an_octet(size: int) -> None:
    with pytest.raises(TypeError):
        RTCConfiguration(ice_candidate_pool_size=size)
