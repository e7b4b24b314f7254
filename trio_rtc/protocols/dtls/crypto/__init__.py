"""Cryptography of the handshake that no version owns: certificates, key exchange, signatures, suites, SRTP profiles."""
