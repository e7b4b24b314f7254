"""The record layer (RFC 6347 section 4.1): codec, protection, epochs and replay windows.

It knows no handshake: keys come in as :class:`.epochs.EpochKeys`, whichever version has derived them. Acknowledgements
of records (RFC 9147 section 7) and the unified header of DTLS 1.3 belong here.
"""
