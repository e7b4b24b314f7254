"""Calls of trio_rtc, libwebrtc (``wrtc``), aiortc and Chromium over bad networks, all through one relay.

One row is a sender, a receiver and a network; one end is always Chromium::

    python -m benchmarks.calls --only trio_rtc/chromium/loss10
    python -m benchmarks.calls --only chromium/trio_rtc/loss2 --only chromium/wrtc/loss2 --rounds 3

A row takes 15 to 20 seconds (``step`` 40, ``bulk`` 30), and about half of that with ``--seconds 6``. ``*`` stands for
any name in ``--only``. Chromium has to be installed. As root, everything is in a private network namespace.

The audio is a tone, the video a textured scene that is the same to the byte for every sender. Codecs and everything
else are what the two peers agree on by default.
"""
