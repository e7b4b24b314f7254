"""The protocols as pure cores: no trio, no sockets, no clock, and no source of randomness of their own.

Every core implements :class:`trio_rtc.protocols._contract.Core`. A package has its codec, ``options.py``, ``events.py``
and one core module.
"""
