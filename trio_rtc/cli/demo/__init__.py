"""``trio-rtc demo``: two processes connect and are measured, then a browser may connect to the same peer.

``run`` is what happens in order. ``measure`` is the measuring side of a connection and ``services`` the other side,
which is the same for the second process (``second_peer``) and for a browser. ``display`` is the terminal, and ``pages``
with ``page/`` what the browser gets.
"""
