"""Data channels (W3C webrtc section 6): the channel table, ``RTCDataChannel`` and message encoding."""
