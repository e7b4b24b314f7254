"""Aggregation of the transports' states to those of the peer connection (W3C webrtc sections 4.3.2 to 4.3.4).

Pure functions over the states of any number of transports.
"""

from collections.abc import Sequence

from trio_rtc.enums import (
    RTCDtlsTransportState,
    RTCIceConnectionState,
    RTCIceGathererState,
    RTCIceGatheringState,
    RTCIceTransportState,
    RTCPeerConnectionState,
)

_Ice = RTCIceTransportState
_Dtls = RTCDtlsTransportState


def gathering_state(states: Sequence[RTCIceGathererState]) -> RTCIceGatheringState:
    """Return the peer connection's gathering state."""
    if any(state is RTCIceGathererState.GATHERING for state in states):
        return RTCIceGatheringState.GATHERING
    if states and all(state is RTCIceGathererState.COMPLETE for state in states):
        return RTCIceGatheringState.COMPLETE
    return RTCIceGatheringState.NEW


def ice_connection_state(states: Sequence[RTCIceTransportState]) -> RTCIceConnectionState:
    """Return the peer connection's ICE state: that of the first condition that is true."""
    present = set(states)
    if _Ice.FAILED in present:
        return RTCIceConnectionState.FAILED
    if _Ice.DISCONNECTED in present:
        return RTCIceConnectionState.DISCONNECTED
    if present <= {_Ice.NEW, _Ice.CLOSED}:
        return RTCIceConnectionState.NEW
    if present & {_Ice.NEW, _Ice.CHECKING}:
        return RTCIceConnectionState.CHECKING
    if present <= {_Ice.COMPLETED, _Ice.CLOSED}:
        return RTCIceConnectionState.COMPLETED
    return RTCIceConnectionState.CONNECTED


def connection_state(
    ice: Sequence[RTCIceTransportState], dtls: Sequence[RTCDtlsTransportState]
) -> RTCPeerConnectionState:
    """Return the peer connection's state: that of the first condition that is true."""
    if _Ice.FAILED in ice or _Dtls.FAILED in dtls:
        return RTCPeerConnectionState.FAILED
    if _Ice.DISCONNECTED in ice:
        return RTCPeerConnectionState.DISCONNECTED
    if set(ice) <= {_Ice.NEW, _Ice.CLOSED} and set(dtls) <= {_Dtls.NEW, _Dtls.CLOSED}:
        return RTCPeerConnectionState.NEW
    if set(ice) & {_Ice.NEW, _Ice.CHECKING} or set(dtls) & {_Dtls.NEW, _Dtls.CONNECTING}:
        return RTCPeerConnectionState.CONNECTING
    return RTCPeerConnectionState.CONNECTED
