"""Measurements of trio_rtc beside aiortc and libwebrtc: ``python -m benchmarks``, or ``nox -s bench``."""
