"""Demultiplexing: the media section and the stream of each SSRC (RFC 9143 section 9.2)."""
