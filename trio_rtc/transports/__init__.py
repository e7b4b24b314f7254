"""The trio side: one task per transport, bounded channels between them, sockets at the bottom.

``base`` is the shape that all share; ``udp``, ``ice``, ``dtls`` and ``sctp`` add what their events mean;
``stack`` joins them to one bundle's transport. This is the only package with tasks, channels and sockets.
"""
