"""How a foreign peer is commanded, whatever it is made of."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tests.interop.drivers.rpc import JsonObject


class PeerError(Exception):
    """The peer refused a command; the text is its error's."""


class Link(Protocol):
    """A way to command a peer; ``peers/program.py`` tells the language."""

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Carry out a command and return its result.

        Raises:
            PeerError: The peer refused.
            PeerGoneError: The peer is gone.
        """

    async def next_events(self) -> Sequence[JsonObject]:
        """Wait for events.

        Raises:
            PeerGoneError: The peer is gone.
        """
