"""Transceivers (W3C webrtc section 5): the table, W3C's objects, their parameters and DTMF."""
