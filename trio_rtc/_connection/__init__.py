"""The parts of a connection behind ``RTCPeerConnection``: scope, negotiation, states and their assembly."""
