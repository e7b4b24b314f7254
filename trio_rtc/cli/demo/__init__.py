"""``trio-rtc demo``: two processes connect and are measured, then browsers may connect to the same peer.

``run`` has the sequence. ``measure`` is the measuring side of a connection and ``services`` the other side, the same
for the second process (``second_peer``) and for a browser. ``display`` is the terminal output; ``pages`` and ``page/``
are the browser's page.
"""
