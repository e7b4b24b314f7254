"""Collection of a connection's statistics (W3C webrtc section 8); ``stats`` has W3C's dictionaries."""
