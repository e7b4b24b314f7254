"""The interface of congestion controllers (compare quinn's ``Controller``).

The transmitter detects acknowledgements, loss and timeouts, and notifies the controller; the controller provides a
congestion window and, if it paces, a pacing rate. :mod:`.congestion_reno` is the default. The interface is sufficient
for CUBIC and BBR, whose draws come from the association's generator; ``SctpOptions.congestion_controller`` selects a
controller.

All sizes are bytes of DATA chunks with their headers, all times are seconds. A controller is called once for a burst
of packets and once for a SACK, never for a single packet of a burst: all packets of a burst leave at the same time.
ECN is not implemented, so loss and timeouts are the only signals of congestion.

For one SACK, ``on_lost`` is called before ``on_acknowledged``. The bytes of abandoned messages (RFC 3758) leave the
flight without a call of their own; of those that a SACK with losses has abandoned, ``on_lost`` counts the size. A
controller that needs the bytes in flight uses the values that it is given, rather than a sum of its own.
"""

import random
from collections.abc import Callable
from typing import NamedTuple, Protocol


class DeliverySample(NamedTuple):
    """A sample of the path from the newest chunk that a SACK has newly acknowledged.

    Attributes:
        sent_at: When the chunk was sent.
        round_trip: Time since then, the delay of the peer's acknowledgement included.
        application_limited: Whether its burst was limited by the application.
    """

    sent_at: float
    round_trip: float
    application_limited: bool


class CongestionController(Protocol):
    """A congestion controller of one association.

    This package has one implementer; applications may provide others, and the tests have one that paces
    (``tests/protocols/sctp/test_sctp_pacing.py``).

    Attributes:
        congestion_window: Bytes that may be in flight.
        measures_delivery: Whether the controller measures round trips or the delivery rate. Only then is ``on_sent``
            called, and do acknowledgements have a sample: the default pays nothing for them. Constant.
        pacing_rate: Bytes a second at which packets leave, evenly; ``None`` for no pacing. Greater than zero.
    """

    congestion_window: int
    measures_delivery: bool
    pacing_rate: float | None

    def on_sent(self, size: int, flight: int, application_limited: bool, now: float) -> None:
        """Record a burst of ``size`` bytes, retransmissions included, after which ``flight`` bytes are in flight.

        It is ``application_limited`` if no more data was queued and the window was not full: the smaller one of
        ``congestion_window`` and, while media is sent on the path, the window of :mod:`.path_share`. The peer's
        receive window (a_rwnd) does not count.
        """

    def on_acknowledged(
        self,
        size: int,
        *,
        flight_before: int,
        cumulative_advanced: bool,
        in_recovery: bool,
        smoothed_round_trip: float | None,
        sample: DeliverySample | None,
        now: float,
    ) -> None:
        """Update the window after a SACK that has newly acknowledged something.

        Args:
            size: Bytes newly acknowledged, by the cumulative TSN and by gap blocks.
            flight_before: Bytes in flight before the SACK, and before the losses that it has shown.
            cumulative_advanced: Whether the cumulative TSN has advanced.
            in_recovery: Whether the association is in fast recovery (RFC 9260 section 7.2.4).
            smoothed_round_trip: SRTT (section 6.3.1); ``None`` before the first measurement.
            sample: ``None`` without ``measures_delivery``, and if the newest chunk was retransmitted or fills a hole in
                the sequence of TSNs: then the time of sending is ambiguous (Karn's algorithm).
            now: The time.
        """

    def on_lost(self, size: int, begins_recovery: bool, now: float) -> None:
        """Update the window after miss indications have marked ``size`` bytes as lost.

        ``begins_recovery`` is set for the first loss of each fast recovery, and for no other.
        """

    def on_timeout(self, size: int, expirations: int, now: float) -> None:
        """Update the window after T3-rtx has expired and all ``size`` bytes in flight are lost.

        ``expirations`` counts consecutive timeouts, with nothing acknowledged in between. Lost zero window probes are
        not reported.
        """

    def on_idle(self, periods: int) -> None:
        """Update the window after an idle time of ``periods`` RTOs."""


CongestionControllerFactory = Callable[[int, int, int, random.Random], CongestionController]
"""Makes a controller from the packet size, the initial and the maximum window, all in bytes, and the association's
generator: a controller has no other randomness."""
