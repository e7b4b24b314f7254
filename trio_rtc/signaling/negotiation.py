"""W3C's perfect negotiation between a peer connection and a channel of JSON objects.

Both sides run the same code, and either may start a negotiation at any time. When two offers collide, the impolite side
ignores the received one, and the polite side rolls its own back (W3C webrtc section 10.7). Candidates trickle in both
directions from the beginning.

There are two differences to W3C's example, because tasks run concurrently here where a browser has one event loop:

* An event is handled later, in a task. From the event on, an offer counts as being made. It is not made if an offer of
  the peer arrives meanwhile: applying that one makes the peer connection check again whether negotiation is needed.
* Descriptions are set and sent under a lock, which sending a candidate acquires as well, so that no candidate precedes
  its description.

The peer's messages are handled one after the other, so that no offer arrives while an answer is being set, and the
example's third flag is not needed.
"""

import logging
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager

import trio

from trio_rtc import (
    DOMException,
    Event,
    InvalidStateError,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCPeerConnectionIceEvent,
    RTCSdpType,
    RTCSessionDescription,
    RTCSignalingState,
)
from trio_rtc._environment import require_trio
from trio_rtc._error_filters import ungrouped_errors

from .client_room import Peer
from .messages import JsonObject

logger = logging.getLogger("trio_rtc.signaling")


async def negotiate(
    channel: trio.abc.Channel[JsonObject],
    peer_connection: RTCPeerConnection,
    *,
    polite: bool | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Negotiate for a peer connection until it is closed or the channel ends.

    Start it before or after creating data channels, in the block of the peer connection::

        async with RTCPeerConnection() as pc, trio.open_nursery() as nursery:
            await nursery.start(negotiate, peer, pc)
            channel = pc.create_data_channel("chat")

    The messages are ``{"description": ...}`` and ``{"candidate": ...}`` as in W3C's example. A message of the peer that
    cannot be applied is logged as a warning and ignored, as in W3C's example: the connection remains unchanged.

    Args:
        channel: The channel to the peer: a ``Peer`` of a room, or any channel of JSON objects.
        peer_connection: The peer connection.
        polite: Whether this side yields when two offers collide; the other side must pass the opposite. ``None`` uses
            the ``Peer``'s ``polite``.
        task_status: For ``nursery.start``, which returns when no event can be missed any more.

    Raises:
        TypeError: ``polite`` is ``None`` and the channel is not a ``Peer``.
        RuntimeError: The peer connection is not in its block.
        trio.BrokenResourceError: The channel broke. The peer connection continues without it.
    """
    require_trio("signaling.negotiate")
    if polite is None:
        if not isinstance(channel, Peer):
            raise TypeError(
                "polite must be passed for a channel that is not a Peer:"
                " polite=True on one side, polite=False on the other"
            )
        polite = channel.polite
    negotiator = _Negotiator(channel, peer_connection, polite)
    peer_connection.add_event_listener("negotiation_needed", negotiator.negotiation_needed)
    try:
        async with peer_connection.subscribe("ice_candidate") as candidates:
            await negotiator.run(candidates, task_status)
    finally:
        peer_connection.remove_event_listener("negotiation_needed", negotiator.negotiation_needed)


class _Negotiator:
    def __init__(
        self, channel: trio.abc.Channel[JsonObject], peer_connection: RTCPeerConnection, polite: bool
    ) -> None:
        self._channel = channel
        self._peer_connection = peer_connection
        self._polite = polite
        self._ignore_offer = False
        self._offer_needed = False
        self._making_offer = False
        self._wake = trio.Event()
        self._lock = trio.StrictFIFOLock()

    def negotiation_needed(self, event: Event | None = None) -> None:
        """Handle the event: from now on an offer counts as being made."""
        self._offer_needed = True
        self._wake.set()

    async def run(
        self, candidates: AsyncIterable[RTCPeerConnectionIceEvent], task_status: trio.TaskStatus[None]
    ) -> None:
        with ungrouped_errors():
            async with trio.open_nursery() as nursery:
                with self._until_closed():
                    await self._handle_earlier_changes()
                nursery.start_soon(self._make_offers)
                nursery.start_soon(self._send_candidates, candidates, nursery.cancel_scope)
                task_status.started()
                await self._receive()
                nursery.cancel_scope.cancel()

    async def _handle_earlier_changes(self) -> None:
        connection = self._peer_connection
        if connection.signaling_state is RTCSignalingState.HAVE_LOCAL_OFFER:
            await self._send_description()
        elif connection.signaling_state is RTCSignalingState.STABLE and connection.local_description is None:
            # W3C has no API for the negotiation-needed flag, but an offer with media sections shows that it is set.
            offer = await connection.create_offer()
            if "\nm=" in offer.sdp:
                self.negotiation_needed()

    async def _make_offers(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            async with self._lock:
                if not self._offer_needed:
                    continue
                self._offer_needed = False
                # In another state, the event is fired again as soon as the state is stable.
                if self._peer_connection.signaling_state is RTCSignalingState.STABLE:
                    self._making_offer = True
                    try:
                        await self._set_and_send_description()
                    finally:
                        self._making_offer = False

    async def _set_and_send_description(self) -> None:
        """Set the offer or answer that fits the state, and send it. The caller holds the lock."""
        with self._until_closed():
            await self._peer_connection.set_local_description()
        await self._send_description()

    async def _send_description(self) -> None:
        description = self._peer_connection.local_description
        if description is not None:
            await self._send({"description": description.to_json()})

    async def _send_candidates(
        self, candidates: AsyncIterable[RTCPeerConnectionIceEvent], scope: trio.CancelScope
    ) -> None:
        async for event in candidates:
            async with self._lock:
                candidate = None if event.candidate is None else event.candidate.to_json()
                await self._send({"candidate": candidate})
        # Subscriptions end when the peer connection is closed.
        scope.cancel()

    async def _send(self, message: JsonObject) -> None:
        try:
            await self._channel.send(message)
        except trio.BrokenResourceError as error:
            # The receiving task determines whether this is an orderly end.
            logger.debug("cannot send a signaling message: %s", error)

    async def _receive(self) -> None:
        async for message in self._channel:
            try:
                with self._until_closed():
                    await self._handle(message)
            except (DOMException, _BadMessage) as error:
                logger.warning("ignored a signaling message of the peer: %s: %s", type(error).__name__, error)

    async def _handle(self, message: JsonObject) -> None:
        try:
            description = message.get("description")
            candidate = message.get("candidate")
            parsed_description = None if description is None else RTCSessionDescription.from_json(description)
            parsed_candidate = None if candidate is None else RTCIceCandidate.from_json(candidate)
        except Exception as error:
            raise _BadMessage(error) from None
        if parsed_description is not None:
            await self._handle_description(parsed_description)
        elif "candidate" in message:
            await self._handle_candidate(parsed_candidate)

    async def _handle_description(self, description: RTCSessionDescription) -> None:
        is_offer = description.type is RTCSdpType.OFFER
        ready = self._peer_connection.signaling_state is RTCSignalingState.STABLE
        collision = is_offer and (self._offer_needed or self._making_offer or not ready)
        self._ignore_offer = collision and not self._polite
        if self._ignore_offer:
            return
        async with self._lock:
            await self._peer_connection.set_remote_description(description)
            if is_offer:
                # Until then, as an offer that is refused makes no other one unnecessary.
                self._offer_needed = False
                await self._set_and_send_description()

    async def _handle_candidate(self, candidate: RTCIceCandidate | None) -> None:
        try:
            await self._peer_connection.add_ice_candidate(candidate)
        except DOMException:
            if not self._ignore_offer:
                raise

    @contextmanager
    def _until_closed(self) -> Iterator[None]:
        """Suppress the errors of an operation that are caused by closing the peer connection."""
        try:
            yield
        except (InvalidStateError, trio.ClosedResourceError):
            if self._peer_connection.signaling_state is not RTCSignalingState.CLOSED:
                raise


class _BadMessage(Exception):
    """The peer sent a message that is neither a description nor a candidate."""
