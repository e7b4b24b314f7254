"""W3C's perfect negotiation between a peer connection and a channel of JSON objects.

Both sides run the same code and either may want to negotiate at any time. When two offers meet, the impolite
side ignores the one it gets, and the polite side takes its own back (W3C webrtc section 10.7). Candidates trickle in
both directions from the first on.

Two things differ from W3C's example, because here tasks take turns where a browser has one event loop:

* What is told of an event is told later, in a task. An offer that has become needed counts as being made from
  the event on, and is not made any more if meanwhile an offer of the peer has come: applying that one makes the
  peer connection look again whether it still has something to negotiate.
* Descriptions are set and sent under one lock, which sending a candidate takes as well, so that no candidate
  overtakes the description that it belongs to.

Messages of the peer are handled one after the other, so an offer never comes while an answer is being set, and
the example's third flag is not needed.
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

from .membership import Peer
from .messages import JsonObject
from .plain_errors import plain_errors

logger = logging.getLogger("trio_rtc.signaling")


async def negotiate(
    channel: trio.abc.Channel[JsonObject],
    peer_connection: RTCPeerConnection,
    *,
    polite: bool | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Negotiate for a peer connection until it is closed or the channel ends.

    Start it before or after creating data channels, inside the block of the peer connection::

        async with RTCPeerConnection() as pc, trio.open_nursery() as nursery:
            await nursery.start(negotiate, peer, pc)
            channel = pc.create_data_channel("chat")

    The messages are ``{"description": ...}`` and ``{"candidate": ...}`` in W3C's spelling. What the peer sends and
    cannot be applied is logged as a warning and left out, as W3C's example does: the connection stays as it was.

    Args:
        channel: Leads to the peer: a ``Peer`` of a room, or any channel of JSON objects.
        peer_connection: What to negotiate for.
        polite: Whether this side gives way when two offers meet; the other side has to be told the opposite.
            ``None``: as the ``Peer`` says.
        task_status: For ``nursery.start``, which returns once nothing can be missed any more.

    Raises:
        TypeError: ``polite`` is ``None`` and the channel is no ``Peer``.
        RuntimeError: The peer connection is outside of its block.
        trio.BrokenResourceError: The channel broke. The peer connection goes on without it.
    """
    require_trio("signaling.negotiate")
    if polite is None:
        if not isinstance(channel, Peer):
            raise TypeError("say which side is polite: polite=True on one side, polite=False on the other")
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
        self._step = trio.StrictFIFOLock()

    def negotiation_needed(self, event: Event | None = None) -> None:
        """Handle the event: an offer is being made from now on."""
        self._offer_needed = True
        self._wake.set()

    async def run(
        self, candidates: AsyncIterable[RTCPeerConnectionIceEvent], task_status: trio.TaskStatus[None]
    ) -> None:
        with plain_errors():
            async with trio.open_nursery() as nursery:
                with self._until_closed():
                    await self._catch_up()
                nursery.start_soon(self._make_offers)
                nursery.start_soon(self._send_candidates, candidates, nursery.cancel_scope)
                task_status.started()
                await self._receive()
                nursery.cancel_scope.cancel()

    async def _catch_up(self) -> None:
        """Find out what has happened before anyone listened."""
        connection = self._peer_connection
        if connection.signaling_state is RTCSignalingState.HAVE_LOCAL_OFFER:
            await self._send_description()
        elif connection.signaling_state is RTCSignalingState.STABLE and connection.local_description is None:
            # W3C has no way to ask whether negotiation is needed, but an offer that would say something tells.
            offer = await connection.create_offer()
            if "\nm=" in offer.sdp:
                self.negotiation_needed()

    async def _make_offers(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            async with self._step:
                if not self._offer_needed:
                    continue
                self._offer_needed = False
                # If this is not the time, the event comes again as soon as the state is stable.
                if self._peer_connection.signaling_state is RTCSignalingState.STABLE:
                    self._making_offer = True
                    try:
                        await self._describe()
                    finally:
                        self._making_offer = False

    async def _describe(self) -> None:
        """Set the offer or answer that fits the state, and send it. Under the lock."""
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
            async with self._step:
                candidate = None if event.candidate is None else event.candidate.to_json()
                await self._send({"candidate": candidate})
        # Subscriptions end when the peer connection is closed.
        scope.cancel()

    async def _send(self, message: JsonObject) -> None:
        try:
            await self._channel.send(message)
        except trio.BrokenResourceError as error:
            # Whether that is an orderly end, the receiving side knows.
            logger.debug("could not send: %s", error)

    async def _receive(self) -> None:
        async for message in self._channel:
            try:
                with self._until_closed():
                    await self._handle(message)
            except (DOMException, _BadMessage) as error:
                logger.warning("left out what the peer sent: %s: %s", type(error).__name__, error)

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
        async with self._step:
            if is_offer:
                self._offer_needed = False
            await self._peer_connection.set_remote_description(description)
            if is_offer:
                await self._describe()

    async def _handle_candidate(self, candidate: RTCIceCandidate | None) -> None:
        try:
            await self._peer_connection.add_ice_candidate(candidate)
        except DOMException:
            if not self._ignore_offer:
                raise

    @contextmanager
    def _until_closed(self) -> Iterator[None]:
        """Around an operation: that the peer connection was closed meanwhile is no error."""
        try:
            yield
        except (InvalidStateError, trio.ClosedResourceError):
            if self._peer_connection.signaling_state is not RTCSignalingState.CLOSED:
                raise


class _BadMessage(Exception):
    """The peer sent what is no description and no candidate."""
