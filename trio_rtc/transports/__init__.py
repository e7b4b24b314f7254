"""Transports: the trio shells of the protocol cores, with one task each, bounded inboxes, and sockets.

``base`` is the common shell. ``ice``, ``dtls``, ``sctp``, ``rtp`` and ``mdns`` drive the cores of these protocols, and
``udp`` has the sockets. ``port_allocator`` opens the sockets of an ICE transport, ``stack`` connects the layers of one
bundle. This is the only package with tasks and sockets.
"""
