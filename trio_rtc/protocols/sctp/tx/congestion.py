"""The interface of congestion controllers (compare quinn's ``Controller``).

The transmitter detects loss and acknowledgements, and keeps the controller informed; the controller answers with a
congestion window and, if it paces, with a rate. :mod:`.congestion_reno` is the default; CUBIC or BBR fit behind the
same interface, and ``SctpOptions.congestion_controller`` selects one.

All sizes are bytes of DATA chunks with their headers, all times are seconds. A controller is called once for a burst
of packets and once for a SACK, never for a single packet of a burst: all packets of a burst leave at the same time.
ECN is not implemented, so loss and timeouts are the only signals of congestion.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol


class DeliverySample(NamedTuple):
    """What the newest chunk that a SACK has newly acknowledged tells of the path.

    Attributes:
        sent_at: When it was sent.
        round_trip: Time since then, the delay of the peer's acknowledgement included.
        application_limited: Whether the application limited the burst that it was sent in.
    """

    sent_at: float
    round_trip: float
    application_limited: bool


class CongestionController(Protocol):
    """A congestion controller of one association.

    It has one implementation here and is the seam for others, which applications can supply.

    Attributes:
        congestion_window: How many bytes may be in flight.
        measures_delivery: Whether the controller measures round trips or the delivery rate. Only then is ``on_sent``
            called, and do acknowledgements have a sample: the default pays nothing for them. Constant.
        pacing_rate: Bytes a second at which packets leave, evenly; ``None`` for no pacing. Greater than zero.
    """

    congestion_window: int
    measures_delivery: bool
    pacing_rate: float | None

    def on_sent(self, size: int, flight: int, application_limited: bool, now: float) -> None:
        """Record a burst of ``size`` bytes, retransmissions included, after which ``flight`` bytes are in flight.

        It was ``application_limited`` if neither the window nor pacing held data back: there was no more to send.
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
            flight_before: Bytes in flight before the SACK.
            cumulative_advanced: Whether the cumulative TSN has advanced.
            in_recovery: Whether the association is in fast recovery (RFC 9260 section 7.2.4).
            smoothed_round_trip: SRTT (section 6.3.1); ``None`` before the first measurement.
            sample: ``None`` without ``measures_delivery``, and if the newest chunk was retransmitted or fills a hole in
                the sequence of TSNs: then the time of sending is ambiguous (Karn's algorithm).
            now: The time.
        """

    def on_lost(self, size: int, begins_recovery: bool, now: float) -> None:
        """Update the window after missing reports have marked ``size`` bytes as lost.

        ``begins_recovery`` is set for the first loss of each fast recovery, and for no other.
        """

    def on_timeout(self, size: int, expirations: int, now: float) -> None:
        """Update the window after T3-rtx has expired and marked all ``size`` bytes in flight as lost.

        ``expirations`` counts timeouts in a row, with nothing acknowledged in between. Probes of a closed window of
        the peer are not reported.
        """

    def on_idle(self, periods: int) -> None:
        """Update the window after nothing was sent for ``periods`` retransmission timeouts."""


CongestionControllerFactory = Callable[[int, int, int], CongestionController]
"""Makes a controller from the packet size, the initial and the maximum window, all in bytes."""
