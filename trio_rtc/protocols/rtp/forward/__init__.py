"""Forwarding packets without decoding: sequence numbers, timestamps and header extensions of another stream."""
