"""Local ICE credentials that the application supplies (``Settings.ice_credentials``)."""

from collections.abc import Callable

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.ice import IceParameters, check_credentials
from trio_rtc.transports.rtc_transports import RTCIceParameters


@attrs.define
class IceCredentials:
    """The credentials of the ICE generations of one connection.

    Args:
        supplied: The pair of the first generation, a function that returns one for each, or ``None``.
    """

    _supplied: RTCIceParameters | Callable[[], RTCIceParameters] | None
    _last: RTCIceParameters | None = attrs.field(default=None, init=False)

    def next_generation(self) -> IceParameters | None:
        """Return the credentials of a new generation; ``None`` for random ones.

        Raises:
            TypeError: The application's function has not returned an ``RTCIceParameters``.
            ValueError: It has returned credentials that are malformed, or those of the last generation.
        """
        if callable(self._supplied):
            chosen: RTCIceParameters | None = self._supplied()
            _check(chosen, self._last)
        else:
            # A restart needs other credentials (RFC 8445 section 9) than the pair, which are random.
            chosen, self._supplied = self._supplied, None
        self._last = chosen
        return None if chosen is None else IceParameters(chosen.username_fragment, chosen.password)


def _check(chosen: object, last: RTCIceParameters | None) -> None:
    if not isinstance(chosen, RTCIceParameters):
        raise TypeError(
            f"Settings.ice_credentials must return an RTCIceParameters, not {type(chosen).__name__}"
        )
    check_credentials(chosen.username_fragment, chosen.password)
    # RFC 8839 section 4.4.1.1.1: a restart changes both.
    if last is not None and (
        chosen.username_fragment == last.username_fragment or chosen.password == last.password
    ):
        raise ValueError(
            "Settings.ice_credentials must return another username fragment and another password for each ICE "
            "generation, not one of the last generation again"
        )
