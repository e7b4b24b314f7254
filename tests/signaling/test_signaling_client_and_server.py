import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from tests.strategies.tls_server import self_signed
from trio_rtc import signaling
from trio_rtc.signaling import ClientOptions, RoomLimits, ServerOptions, SignalingError, SignalingServer


@asynccontextmanager
async def running_server(
    options: ServerOptions | None = None, pages: dict[str, signaling.Page] | None = None
) -> AsyncIterator[tuple[SignalingServer, str]]:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, options=options, pages=pages))
        yield server, f"ws://127.0.0.1:{server.port}/"
        nursery.cancel_scope.cancel()


async def test_members_receive_each_other_once_and_messages_in_order() -> None:
    async with running_server() as (server, url), signaling.connect(url, room="lobby") as first:
        async with signaling.connect(url, room="lobby") as second:
            to_second, to_first = await first.receive(), await second.receive()
            assert (to_second.id, to_first.id) == (second.id, first.id)
            assert (to_second.polite, to_first.polite) == (False, True)
            for number in range(50):
                await to_second.send({"number": number})
                await to_first.send({"number": -number})
            assert [(await to_first.receive())["number"] for _ in range(50)] == list(range(50))
            assert [(await to_second.receive())["number"] for _ in range(50)] == [-n for n in range(50)]
            assert server.occupancy() == {"lobby": (first.id, second.id)}
        with pytest.raises(trio.EndOfChannel):
            await to_second.receive()
        with pytest.raises(trio.BrokenResourceError, match="left"):
            await to_second.send({})
        with pytest.raises(trio.ClosedResourceError):
            await to_first.receive()
        with pytest.raises(trio.ClosedResourceError):
            await to_first.send({})
        with pytest.raises(trio.ClosedResourceError):
            await second.receive()
        assert dict(first.peers) == {}


async def test_messages_sent_before_leaving_arrive_before_the_end() -> None:
    async with running_server() as (_, url), signaling.connect(url, room="r") as first:
        async with signaling.connect(url, room="r") as second:
            to_first = await second.receive()
            peer = await first.receive()
            for number in range(20):
                await to_first.send({"number": number})
        assert [message["number"] async for message in peer] == list(range(20))


async def test_leaving_the_block_leaves_the_room() -> None:
    async with running_server() as (server, url), signaling.connect(url, room="r") as first:
        for _ in range(20):
            async with signaling.connect(url, room="r"):
                peer = await first.receive()
            assert server.occupancy() == {"r": (first.id,)}
            with pytest.raises(trio.EndOfChannel):
                await peer.receive()


async def test_rooms_are_separate() -> None:
    async with (
        running_server() as (_, url),
        signaling.connect(url, room="one & only/é") as first,
        signaling.connect(url, room="other") as second,
        signaling.connect(url + "?token=x", room="one & only/é") as third,
    ):
        assert (await first.receive()).id == third.id
        assert dict(second.peers) == {}


async def test_closed_peer_receives_nothing_and_others_continue() -> None:
    async with (
        running_server() as (_, url),
        signaling.connect(url, room="r") as first,
        signaling.connect(url, room="r") as second,
        signaling.connect(url, room="r") as third,
    ):
        peers = {peer.id: peer for peer in (await first.receive(), await first.receive())}
        await peers[second.id].aclose()
        with pytest.raises(trio.ClosedResourceError):
            await peers[second.id].receive()
        await (await second.receive()).send({"lost": True})
        await (await third.receive()).send({"heard": True})
        assert await peers[third.id].receive() == {"heard": True}


async def test_full_room_raises() -> None:
    async with running_server(ServerOptions(limits=RoomLimits(members=1))) as (_, url):
        async with signaling.connect(url, room="r"):
            with pytest.raises(SignalingError, match=r"room is full \(4503\)"):
                async with signaling.connect(url, room="r"):
                    raise AssertionError("let in")
        async with signaling.connect(url, room="r"):
            pass


async def test_missing_server_room_or_websocket_url_raises() -> None:
    async with running_server() as (server, url):
        port = server.port
        with pytest.raises(SignalingError, match="room must have 1 to 128 characters"):
            async with signaling.connect(url, room=""):
                raise AssertionError("let in")
    with pytest.raises(SignalingError, match=str(port)):
        async with signaling.connect(f"ws://127.0.0.1:{port}/", room="r"):
            raise AssertionError("connected to nothing")
    for bad_url in ("http://127.0.0.1/", "127.0.0.1:80", "ws:"):
        with pytest.raises(ValueError, match="signaling server"):
            async with signaling.connect(bad_url, room="r"):
                raise AssertionError("connected to nothing")


async def test_error_of_the_block_is_not_grouped() -> None:
    async with running_server() as (server, url):
        with pytest.raises(ZeroDivisionError):
            async with signaling.connect(url, room="r"):
                raise ZeroDivisionError
        group = ExceptionGroup("two", [ValueError(), TypeError()])
        with pytest.raises(ExceptionGroup) as caught:
            async with signaling.connect(url, room="r"):
                raise group
        assert caught.value.exceptions == group.exceptions
        with trio.CancelScope() as scope:
            async with signaling.connect(url, room="r"):
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        while server.occupancy():
            await trio.testing.wait_all_tasks_blocked()


async def test_lost_server_breaks_the_room_and_its_peers() -> None:
    async with trio.open_nursery() as nursery:

        async def start(task_status: trio.TaskStatus[tuple[SignalingServer, trio.CancelScope]]) -> None:
            async with trio.open_nursery() as inner:
                server: SignalingServer = await inner.start(signaling.serve)
                task_status.started((server, inner.cancel_scope))

        server, scope = await nursery.start(start)
        url = f"ws://127.0.0.1:{server.port}/"
        async with signaling.connect(url, room="r") as first, signaling.connect(url, room="r"):
            peer = await first.receive()
            scope.cancel()
            with pytest.raises(trio.BrokenResourceError, match="1006"):
                await first.receive()
            with pytest.raises(trio.BrokenResourceError, match="1006"):
                await peer.receive()
            with pytest.raises(trio.BrokenResourceError, match="1006"):
                await peer.send({})


async def test_peer_that_overflows_its_queue_breaks_only_its_own_channel() -> None:
    options = ClientOptions(queued_messages=5)
    async with (
        running_server() as (_, url),
        signaling.connect(url, room="r", options=options) as first,
        signaling.connect(url, room="r") as loud,
        signaling.connect(url, room="r") as quiet,
    ):
        peers = {peer.id: peer for peer in (await first.receive(), await first.receive())}
        to_first = await loud.receive()
        for number in range(10):
            await to_first.send({"number": number})
        await (await quiet.receive()).send({"still": "here"})
        assert await peers[quiet.id].receive() == {"still": "here"}
        assert [(await peers[loud.id].receive())["number"] for _ in range(5)] == list(range(5))
        with pytest.raises(trio.BrokenResourceError, match="more messages than queued_messages"):
            await peers[loud.id].receive()


async def test_cancelling_a_send_never_leaves_half_a_message() -> None:
    async with (
        running_server(ServerOptions(message_rate=1e6, message_burst=1e6)) as (_, url),
        signaling.connect(url, room="r") as first,
        signaling.connect(url, room="r") as second,
    ):
        to_second, to_first = await first.receive(), await second.receive()
        for number in range(30):
            with trio.move_on_after(0.0001):
                await to_first.send({"number": number, "filling": "x" * 30_000})
        await to_first.send({"number": -1})
        numbers = []
        async for message in to_second:
            numbers.append(message["number"])
            if message["number"] == -1:
                break
        assert numbers[:-1] == sorted(numbers[:-1])


async def test_too_big_message_ends_the_connection_with_a_reason() -> None:
    async with (
        running_server(ServerOptions(max_message_size=1000)) as (_, url),
        signaling.connect(url, room="r") as first,
        signaling.connect(url, room="r"),
    ):
        await (await first.receive()).send({"filling": "x" * 1000})
        with pytest.raises(trio.BrokenResourceError, match="maximum message size"):
            await first.receive()


async def test_over_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    certificate, server_context = self_signed(tmp_path_factory.mktemp("tls"))
    client_context = ssl.create_default_context(cadata=certificate)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, ssl_context=server_context))
        url = f"wss://127.0.0.1:{server.port}/"
        async with (
            signaling.connect(url, room="r", ssl_context=client_context) as first,
            signaling.connect(url, room="r", ssl_context=client_context) as second,
        ):
            await (await second.receive()).send({"secret": True})
            assert await (await first.receive()).receive() == {"secret": True}
        nursery.cancel_scope.cancel()
