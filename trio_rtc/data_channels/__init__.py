"""Data channels (W3C webrtc section 6): the table, W3C's object, and messages as they are encoded."""
