"""The handshake of DTLS 1.2: client, server, messages, key schedule and record protection."""
