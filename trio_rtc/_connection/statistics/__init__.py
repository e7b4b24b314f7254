"""Collection of a connection's statistics (W3C webrtc section 8); :mod:`trio_rtc.stats` has the dictionaries."""
