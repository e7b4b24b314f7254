"""W3C's perfect negotiation in its published form (webrtc section 10.7), between our peer and a page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import attrs
import trio

from tests.interop.calling import Call
from tests.interop.drivers.rpc import JsonObject
from trio_rtc import DOMException, RTCPeerConnection

QUIET_SECONDS = 0.7


@attrs.define
class OwnNegotiator:
    """Our side: the impolite one ignores offers that collide with its own."""

    _pc: RTCPeerConnection
    _polite: bool
    _outbox: trio.MemorySendChannel[JsonObject]
    _making_offer: bool = False
    _ignores_offer: bool = False
    _setting_answer: bool = False

    def start(self) -> None:
        """Begin to handle the events of the peer connection."""
        self._pc.on_negotiation_needed = lambda _: self._offer()
        self._pc.on_ice_candidate = lambda event: self._outbox.send_nowait(
            {"candidate": None if event.candidate is None else event.candidate.to_json()}
        )

    async def _offer(self) -> None:
        try:
            self._making_offer = True
            await self._pc.set_local_description()
            self._send_description()
        finally:
            self._making_offer = False

    def _send_description(self) -> None:
        assert self._pc.local_description is not None
        self._outbox.send_nowait({"description": self._pc.local_description.to_json()})

    async def receive(
        self, message: JsonObject, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Handle a message; it has entered the operations chain when the task has started."""
        task_status.started()
        if "description" in message:
            await self._receive_description(message["description"])
            return
        # Those of an offer that was ignored or rolled back fail, also after the next answer.
        with suppress(DOMException):
            await self._pc.add_ice_candidate(message["candidate"])

    async def _receive_description(self, description: JsonObject) -> None:
        is_offer = description["type"] == "offer"
        free = not self._making_offer and (self._pc.signaling_state == "stable" or self._setting_answer)
        self._ignores_offer = not self._polite and is_offer and not free
        if self._ignores_offer:
            return
        self._setting_answer = description["type"] == "answer"
        await self._pc.set_remote_description(description)
        self._setting_answer = False
        if is_offer:
            await self._pc.set_local_description()
            self._send_description()


@attrs.define
class PerfectNegotiation:
    """The signaling between both sides.

    Attributes:
        offers: Number of offers of both sides.
        answers: Number of answers of both sides.
    """

    _call: Call
    _gate: trio.Event
    _last: float
    offers: int = 0
    answers: int = 0

    async def relay_ours(self, inbox: trio.MemoryReceiveChannel[JsonObject]) -> None:
        """Pass our messages to the page."""
        async for message in inbox:
            self._count(message)
            await self._gate.wait()
            await self._call.remote.negotiation.receive(message)

    async def relay_theirs(self, negotiator: OwnNegotiator, nursery: trio.Nursery) -> None:
        """Pass the page's messages to us."""
        while True:
            message = await self._call.remote.next_signal()
            assert "failure" not in message, message["failure"]
            self._count(message)
            await self._gate.wait()
            await nursery.start(negotiator.receive, message)

    def _count(self, message: JsonObject) -> None:
        self._last = trio.current_time()
        kind = message["description"]["type"] if "description" in message else None
        self.offers += kind == "offer"
        self.answers += kind == "answer"

    def hold(self) -> None:
        """Keep all messages until :meth:`release`."""
        self._gate = trio.Event()

    def release(self) -> None:
        """Deliver the messages kept, and all later ones."""
        self._gate.set()

    async def offers_collide(self) -> None:
        """Wait until both sides have an offer of which the other one does not know."""
        while True:
            states = await self._call.remote.negotiation.states()
            if states["signalingState"] == self._call.own.pc.signaling_state == "have-local-offer":
                return
            await trio.sleep(0.02)

    async def quiet(self) -> None:
        """Wait until no message has been sent for some time, and both sides are stable."""
        while True:
            await trio.sleep(QUIET_SECONDS / 2)
            states = await self._call.remote.negotiation.states()
            stable = states["signalingState"] == self._call.own.pc.signaling_state == "stable"
            if stable and trio.current_time() > self._last + QUIET_SECONDS:
                return


@asynccontextmanager
async def negotiating_perfectly(call: Call, *, we_are_polite: bool) -> AsyncIterator[PerfectNegotiation]:
    """Negotiate on both sides until the end of the block."""
    outbox, inbox = trio.open_memory_channel[JsonObject](1000)
    negotiator = OwnNegotiator(call.own.pc, we_are_polite, outbox)
    negotiation = PerfectNegotiation(call, trio.Event(), trio.current_time())
    negotiation.release()
    negotiator.start()
    await call.remote.negotiation.start(polite=not we_are_polite)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(negotiation.relay_ours, inbox)
        nursery.start_soon(negotiation.relay_theirs, negotiator, nursery)
        yield negotiation
        nursery.cancel_scope.cancel()
