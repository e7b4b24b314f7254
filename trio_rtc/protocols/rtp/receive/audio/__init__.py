"""Receiving audio: the playout buffer and telephone events."""
