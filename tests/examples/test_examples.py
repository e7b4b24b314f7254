"""The examples, run as a reader would run them: each as a process of its own."""

import contextlib
import hashlib
import json
import random
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import pytest
import trio

import trio_rtc
from tests.strategies.running_examples import EXAMPLES, exits_with_zero, fetch, free_port, running
from trio_rtc import signaling


async def test_chat() -> None:
    port = free_port()
    async with running("chat.py", "--port", port) as first:
        await first.line("waiting")
        async with running("chat.py", "--port", port) as second:
            for side in (first, second):
                await side.line("connected")
            await first.type("Hello, can you hear me?")
            assert await second.line("Hello") == "1: Hello, can you hear me?"
            await second.type("ja, natürlich")
            assert await first.line("ja") == "2: ja, natürlich"
            await second.type_bytes(b"no text: \xff, and a command: \x1b]0;owned\x07")
            assert await first.line("no text") == "2: no text: \ufffd, and a command: \ufffd]0;owned\ufffd"
            await second.end_of_input()
            await first.line("the other side has left")
            await second.line("goodbye")
            for side in (first, second):
                await exits_with_zero(side)


async def test_chat_goes_on_until_the_side_with_the_server_leaves() -> None:
    port = free_port()
    async with running("chat.py", "--port", port) as first:
        await first.line("waiting")
        async with running("chat.py", "--port", port) as second:
            for side in (first, second):
                await side.line("connected")
            await first.end_of_input()
            await first.line("goodbye")
            await second.line("the other side has left")
            for side in (first, second):
                await exits_with_zero(side)


@pytest.mark.parametrize("actions", [("receive", "send"), ("send", "receive")])
@pytest.mark.parametrize("size", [0, 1_000_003])
async def test_file_transfer(size: int, actions: tuple[str, str], tmp_path: Path) -> None:
    """The first program runs the signaling server."""
    source, inbox = tmp_path / "some file.bin", tmp_path / "inbox"
    inbox.mkdir()
    content = random.Random(size).randbytes(size)
    source.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    paths, outcomes = {"send": source, "receive": inbox}, {"send": "arrived whole", "receive": "received"}
    port = free_port()
    async with running("file_transfer.py", actions[0], paths[actions[0]], "--port", port) as first:
        await first.line("waiting")
        async with running("file_transfer.py", actions[1], paths[actions[1]], "--port", port) as second:
            for side, action in zip((first, second), actions, strict=True):
                assert digest in await side.line(outcomes[action])
            for side in (first, second):
                await exits_with_zero(side)
    assert [file.name for file in inbox.iterdir()] == ["some file.bin"]
    assert (inbox / "some file.bin").read_bytes() == content


@pytest.mark.parametrize(
    "said",
    [
        ['{"name": "../../evil", "size": 3}', b"more than three", '{"sha256": ""}'],
        ['{"name": "..", "size": 1e999}', b"x", "{"],
        ["[]", b"x", "[]"],
        [b"\xff", "{}"],
        ['{"name": "\\u0000", "size": -1}', "[" * 60_000],
    ],
)
async def test_a_hostile_sender_leaves_no_file(said: list[str | bytes], tmp_path: Path) -> None:
    inbox = tmp_path / "deep" / "inbox"
    inbox.mkdir(parents=True)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(signaling.serve)
        url = f"ws://127.0.0.1:{server.port}/"
        async with (
            signaling.connect(url, room="files") as room,
            running("file_transfer.py", "receive", inbox, "--server", url) as receiver,
            trio_rtc.RTCPeerConnection() as pc,
        ):
            channel = pc.create_data_channel("file", negotiated=True, id=0)
            await nursery.start(signaling.negotiate, await room.receive(), pc)
            await channel.opened()
            for message in said:
                await channel.send(message)
            assert await channel.receive() == '{"ok": false}'
            await receiver.line("the checksum is wrong")
            await exits_with_zero(receiver)
        nursery.cancel_scope.cancel()
    assert [path.name for path in await trio.Path(tmp_path).rglob("*")] == ["deep", "inbox"]


async def test_a_channel_as_a_stream_under_h11() -> None:
    async with running("h11_over_channel.py") as example:
        assert await example.line("") == "200 You asked for /weather, over a data channel."
        assert await example.line("") == "200 You asked for /news?today, over a data channel."
        await exits_with_zero(example)


async def test_browser_page() -> None:
    """The page's part is played by a peer of ours here, and by browsers in the interop tests."""
    async with running("browser_page.py", "--port", 0) as example:
        address = (await example.line("open http")).split()[-1]
        response = await trio.to_thread.run_sync(partial(fetch, address))
        assert response == (EXAMPLES / "browser_page.html").read_bytes()
        async with (
            signaling.connect(address.replace("http", "ws"), room="browsers") as room,
            trio_rtc.RTCPeerConnection() as pc,
            trio.open_nursery() as nursery,
            pc.subscribe("data_channel") as channels,
        ):
            await nursery.start(signaling.negotiate, await room.receive(), pc)
            channel = (await channels.receive()).channel
            assert await channel.receive() == "Hello, browser!"
            await channel.send("echo?")
            assert await channel.receive() == "ECHO?"
            nursery.cancel_scope.cancel()
        await example.line("left")


def post(address: str, body: bytes) -> tuple[int, bytes]:
    """Post to a server, and return the status and the body of the response."""
    request = urllib.request.Request(address, data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


async def test_offer_and_answer_in_one_http_request() -> None:
    """Two clients; the page's part is played by a peer of ours here."""
    async with running("http_offer.py", "--port", 0) as example:
        address = (await example.line("open http")).split()[-1]
        response = await trio.to_thread.run_sync(partial(fetch, address))
        assert response == (EXAMPLES / "http_offer.html").read_bytes()
        for text in ("first", "second"):
            async with trio_rtc.RTCPeerConnection() as pc:
                channel = pc.create_data_channel("chat")
                await pc.set_local_description()
                await pc.gathering_complete()
                assert pc.local_description is not None
                offer = json.dumps(pc.local_description.to_json()).encode()
                status, answer = await trio.to_thread.run_sync(post, f"{address}offer", offer)
                assert status == 200
                await pc.set_remote_description(json.loads(answer))
                await channel.opened()
                await channel.send(text)
                assert await channel.receive() == text.upper()


async def test_bodies_that_are_no_offers_are_refused() -> None:
    async with running("http_offer.py", "--port", 0) as example:
        address = (await example.line("open http")).split()[-1]
        for body in (b"", b"{", b"[]", b'"offer"', b"{}", b'{"type": "offer", "sdp": "v=1"}', b"[" * 100_000):
            status, _ = await trio.to_thread.run_sync(post, f"{address}offer", body)
            assert status == 400


async def test_requests_that_are_too_large_or_malformed_do_not_end_the_server() -> None:
    async with running("http_offer.py", "--port", 0) as example:
        address = (await example.line("open http")).split()[-1]
        host, port = address.removeprefix("http://").rstrip("/").split(":")
        for request in (b"\0" * 100, b"POST /offer HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"):
            async with await trio.open_tcp_stream(host, int(port)) as stream:
                await stream.send_all(request)
                await stream.send_eof()
                assert b"200" not in await stream.receive_some()
        large = b"POST /offer HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(large + bytes(3_000_000))
        assert await trio.to_thread.run_sync(fetch, address) == (EXAMPLES / "http_offer.html").read_bytes()
