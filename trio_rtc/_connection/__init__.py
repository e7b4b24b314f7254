"""The parts of ``RTCPeerConnection``: scope, negotiation, states and their assembly."""
