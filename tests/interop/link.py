"""Commands to a foreign peer of any implementation."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tests.interop.drivers.rpc import JsonObject


class PeerError(Exception):
    """The peer failed a command; the text is its error's."""


class Link(Protocol):
    """A link to a peer; ``peers/program.py`` describes the protocol."""

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Execute a command and return its result.

        Raises:
            PeerError: The peer failed the command.
            PeerGoneError: The peer is gone.
        """

    async def next_events(self) -> Sequence[JsonObject]:
        """Wait for events.

        Raises:
            PeerGoneError: The peer is gone.
        """
