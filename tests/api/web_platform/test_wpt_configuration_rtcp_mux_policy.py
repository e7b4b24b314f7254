"""``rtcp_mux_policy`` (W3C webrtc section 4.2.6)."""

from typing import Any

import pytest

from trio_rtc import NotSupportedError, RTCConfiguration, RTCPeerConnection


def test_require_is_the_default() -> None:
    for configuration in (RTCConfiguration(), RTCConfiguration(rtcp_mux_policy="require")):
        pc = RTCPeerConnection(configuration)
        assert pc.get_configuration().rtcp_mux_policy == "require"
        pc.set_configuration(RTCConfiguration())
        assert pc.get_configuration().rtcp_mux_policy == "require"


@pytest.mark.parametrize("wrong", [None, "invalid"])
def test_invalid_values(wrong: Any) -> None:
    with pytest.raises(TypeError):
        RTCConfiguration(rtcp_mux_policy=wrong)


def test_negotiate_is_not_supported() -> None:
    """W3C lets implementations without RTCP on a port of its own refuse it (section 4.4.1.1)."""
    with pytest.raises((TypeError, NotSupportedError)):
        RTCConfiguration(rtcp_mux_policy="negotiate")
