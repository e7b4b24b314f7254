"""A configuration is applied as a whole or not at all (W3C webrtc section 4.4.1.6)."""

import pytest

from trio_rtc import InvalidModificationError, RTCConfiguration, RTCIceServer, RTCPeerConnection, SyntaxError


def test_an_invalid_server_changes_nothing() -> None:
    pc = RTCPeerConnection()
    with pytest.raises(SyntaxError):
        pc.set_configuration(RTCConfiguration(ice_transport_policy="relay", ice_servers=[RTCIceServer("")]))
    assert pc.get_configuration().ice_transport_policy == "all"


def test_a_member_that_cannot_change_leaves_the_others() -> None:
    pc = RTCPeerConnection()
    with pytest.raises(InvalidModificationError):
        pc.set_configuration(RTCConfiguration(ice_transport_policy="relay", bundle_policy="max-bundle"))
    assert pc.get_configuration() == RTCConfiguration()
