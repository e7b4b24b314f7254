"""A member's connection on the server, with a scripted WebSocket."""

from collections import deque
from typing import cast

import pytest
import trio
import trio.testing

from trio_rtc.errors import ProtocolError
from trio_rtc.signaling import CloseCode, RoomLimits, ServerOptions
from trio_rtc.signaling.member_session import Dismissal, MemberSession
from trio_rtc.signaling.messages import ClientMessage
from trio_rtc.signaling.server_rooms import Member
from trio_rtc.signaling.websocket import WebSocket, WebSocketClosed, WebSocketViolation


class ScriptedWebSocket:
    """Receives texts or raises exceptions; without any left, it waits."""

    def __init__(self, *received: str | Exception) -> None:
        self.received = deque(received)
        self.sent: list[str] = []
        self.answers_pings = True

    async def receive(self) -> str:
        await trio.lowlevel.checkpoint()
        if not self.received:
            await trio.sleep_forever()
        each = self.received.popleft()
        if isinstance(each, Exception):
            raise each
        return each

    async def send(self, text: str) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(text)

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()
        if not self.answers_pings:
            await trio.sleep_forever()


class Serving:
    """A session and what it relayed."""

    def __init__(
        self, *received: str | Exception, limits: RoomLimits | None = None, **options: float
    ) -> None:
        self.websocket = ScriptedWebSocket(*received)
        self.member = Member("1", "room", limits or RoomLimits())
        self.relayed: list[tuple[float, ClientMessage]] = []
        settings = ServerOptions(**options)  # type: ignore[arg-type]
        self.session = MemberSession(cast(WebSocket, self.websocket), self.member, settings, self._relay)
        self.refuses = False

    def _relay(self, member: Member, message: ClientMessage) -> None:
        assert member is self.member
        if self.refuses:
            raise ProtocolError("cannot be relayed " + "x" * 200)
        self.relayed.append((trio.current_time(), message))


CLOSED = WebSocketClosed(1000, "")


@pytest.mark.usefixtures("autojump_clock")
async def test_received_messages_are_relayed_until_the_client_closes() -> None:
    serving = Serving('{"data":{"n":1}}', '{"data":{"n":2},"to":"7"}', CLOSED, '{"data":{"n":3}}')
    assert await serving.session.run() is None
    assert [message for _, message in serving.relayed] == [
        ClientMessage({"n": 1}),
        ClientMessage({"n": 2}, "7"),
    ]


@pytest.mark.usefixtures("autojump_clock")
async def test_messages_are_read_at_the_allowed_rate() -> None:
    serving = Serving(*['{"data":{}}'] * 8, CLOSED, message_rate=2, message_burst=3)
    begun = trio.current_time()
    await serving.session.run()
    assert [time - begun for time, _ in serving.relayed] == pytest.approx([0, 0, 0, 0, 0.5, 1.0, 1.5, 2.0])


@pytest.mark.parametrize(
    ("received", "code", "reason"),
    [
        ("not JSON", CloseCode.BAD_MESSAGE, "message is not JSON"),
        ("[]", CloseCode.BAD_MESSAGE, "must be a JSON object"),
        (ProtocolError("messages must be text"), CloseCode.BAD_MESSAGE, "messages must be text"),
        (WebSocketViolation(1009, "too big"), 1009, "too big"),
        (WebSocketViolation(1002, "x" * 500), 1002, "x" * 100),
    ],
)
@pytest.mark.usefixtures("autojump_clock")
async def test_a_violation_ends_the_session_with_its_reason(
    received: str | Exception, code: int, reason: str
) -> None:
    dismissal = await Serving('{"data":{}}', received).session.run()
    assert dismissal is not None
    assert dismissal.code == code
    assert reason in dismissal.reason
    assert len(dismissal.reason) <= 100


@pytest.mark.usefixtures("autojump_clock")
async def test_a_message_that_cannot_be_relayed_ends_the_session() -> None:
    serving = Serving('{"data":{}}')
    serving.refuses = True
    dismissal = await serving.session.run()
    assert dismissal is not None
    assert (dismissal.code, len(dismissal.reason)) == (CloseCode.BAD_MESSAGE, 100)


@pytest.mark.usefixtures("autojump_clock")
async def test_queued_messages_are_sent_in_order() -> None:
    serving = Serving()
    serving.member.enqueue("first")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serving.session.run)
        await trio.testing.wait_all_tasks_blocked()
        assert serving.websocket.sent == ["first"]
        for text in ("second", "third"):
            serving.member.enqueue(text)
            serving.session.queue_changed()
        await trio.testing.wait_all_tasks_blocked()
        assert serving.websocket.sent == ["first", "second", "third"]
        nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("autojump_clock")
async def test_an_overflowed_queue_ends_the_session() -> None:
    serving = Serving(limits=RoomLimits(queued_messages=2))
    for text in "abc":
        serving.member.enqueue(text)
    serving.session.queue_changed()
    assert await serving.session.run() == Dismissal(
        CloseCode.TOO_SLOW, "messages were not received quickly enough"
    )


@pytest.mark.usefixtures("autojump_clock")
async def test_an_unanswered_ping_ends_the_session() -> None:
    serving = Serving(ping_interval=20, ping_timeout=5)
    serving.websocket.answers_pings = False
    begun = trio.current_time()
    assert await serving.session.run() == Dismissal(CloseCode.TOO_SLOW, "a ping was not answered")
    assert trio.current_time() - begun == pytest.approx(25)
