"""The protocols as pure cores: no trio, no sockets, no clock, no randomness of their own.

Every package here has the same inner shape (``events.py``, ``options.py``, ``state.py``, one core module
and the codec), and every core keeps the contract of :mod:`trio_rtc.protocols._contract`.
"""
