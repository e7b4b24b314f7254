"""WebRTC for trio: the W3C RTCPeerConnection under structured concurrency."""
