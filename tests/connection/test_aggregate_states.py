"""The states of a peer connection, computed from those of its transports (W3C webrtc sections 4.3.2 to 4.3.4)."""

import pytest

from trio_rtc._connection.aggregate_states import connection_state, gathering_state, ice_connection_state
from trio_rtc.enums import RTCDtlsTransportState as Dtls
from trio_rtc.enums import RTCIceGathererState as Gatherer
from trio_rtc.enums import RTCIceTransportState as Ice


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "new"),
        ([Gatherer.NEW, Gatherer.COMPLETE], "new"),
        ([Gatherer.COMPLETE, Gatherer.GATHERING], "gathering"),
        ([Gatherer.COMPLETE, Gatherer.COMPLETE], "complete"),
    ],
)
def test_gathering_state(states: list[Gatherer], expected: str) -> None:
    assert gathering_state(states) == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "new"),
        ([Ice.NEW, Ice.CLOSED], "new"),
        ([Ice.NEW, Ice.CONNECTED], "checking"),
        ([Ice.CHECKING, Ice.COMPLETED], "checking"),
        ([Ice.CONNECTED, Ice.COMPLETED], "connected"),
        ([Ice.COMPLETED, Ice.CLOSED], "completed"),
        ([Ice.CHECKING, Ice.DISCONNECTED], "disconnected"),
        ([Ice.DISCONNECTED, Ice.FAILED], "failed"),
    ],
)
def test_ice_connection_state(states: list[Ice], expected: str) -> None:
    assert ice_connection_state(states) == expected


@pytest.mark.parametrize(
    ("ice", "dtls", "expected"),
    [
        ([], [], "new"),
        ([Ice.CLOSED], [Dtls.CLOSED], "new"),
        ([Ice.CHECKING], [Dtls.NEW], "connecting"),
        ([Ice.CONNECTED], [Dtls.NEW], "connecting"),
        ([Ice.CONNECTED], [Dtls.CONNECTING], "connecting"),
        ([Ice.CONNECTED], [Dtls.CONNECTED], "connected"),
        ([Ice.CONNECTED, Ice.CLOSED], [Dtls.CONNECTED, Dtls.CLOSED], "connected"),
        ([Ice.DISCONNECTED], [Dtls.CONNECTING], "disconnected"),
        ([Ice.DISCONNECTED], [Dtls.FAILED], "failed"),
        ([Ice.FAILED], [Dtls.CONNECTED], "failed"),
    ],
)
def test_connection_state(ice: list[Ice], dtls: list[Dtls], expected: str) -> None:
    assert connection_state(ice, dtls) == expected
