"""The demo's chat with pages in memory."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from tests.strategies.scripted_channel import ScriptedChannel, channel_pair
from trio_rtc import ProtocolError
from trio_rtc.cli.demo.chat import MAX_TEXT, Chat

pytestmark = pytest.mark.usefixtures("autojump_clock")


@asynccontextmanager
async def pages(*names: str) -> AsyncIterator[tuple[list[ScriptedChannel], list[tuple[str, str]]]]:
    """Yield the channels of pages that have been greeted, and the messages that the program shows."""
    shown: list[tuple[str, str]] = []
    chat = Chat(lambda name, text: shown.append((name, text)))
    async with trio.open_nursery() as nursery:
        ends = []
        for name in names:
            channel, page = channel_pair()
            nursery.start_soon(chat.serve, channel, name)
            assert f"Hello, {name}" in (await received(page))["text"]
            ends.append(page)
        yield ends, shown
        nursery.cancel_scope.cancel()


async def received(page: ScriptedChannel) -> dict[str, str]:
    with trio.fail_after(1):
        message: dict[str, str] = json.loads(await page.receive())
    return message


async def say(page: ScriptedChannel, text: object) -> None:
    await page.send(json.dumps({"text": text}))


async def test_a_text_goes_to_all_other_pages_and_is_answered() -> None:
    async with pages("one", "two", "three") as ((one, two, three), shown):
        await say(one, "Hi!")
        for page in (two, three):
            assert await received(page) == {"from": "one", "text": "Hi!"}
        assert await received(one) == {
            "from": "trio",
            "text": "3 characters, received by 2 other pages: HI!",
        }
        assert shown == [("one", "Hi!")]


@pytest.mark.parametrize(
    ("names", "text"),
    [(("a",), "no other page"), (("a", "b"), "1 other page"), (("a", "b", "c"), "2 other pages")],
)
async def test_the_answer_has_the_number_of_receivers(names: tuple[str, ...], text: str) -> None:
    async with pages(*names) as (ends, _):
        await say(ends[0], "x")
        assert (await received(ends[0]))["text"] == f"1 characters, received by {text}: X"


async def test_a_page_that_has_left_receives_nothing() -> None:
    async with pages("one", "two") as ((one, two), _):
        two.close()
        await trio.testing.wait_all_tasks_blocked()
        await say(one, "x")
        assert "no other page" in (await received(one))["text"]


async def test_a_page_that_ends_while_it_is_sent_to_affects_no_other() -> None:
    async with pages("one", "two", "three") as ((one, two, three), _):
        two.close()
        await say(one, "x")
        assert await received(three) == {"from": "one", "text": "x"}


@pytest.mark.parametrize("text", ["", "x" * (MAX_TEXT + 1), 5, None, ["x"]])
async def test_other_values_than_a_short_text_violate_the_protocol(text: object) -> None:
    shown: list[str] = []
    chat = Chat(lambda name, text: shown.append(text))
    channel, page = channel_pair()
    await say(page, text)
    with pytest.raises(ProtocolError, match=f"string of 1 to {MAX_TEXT} characters"):
        await chat.serve(channel, "one")
    assert shown == []


@pytest.mark.parametrize("message", ["not JSON", "[]", b"\xff"])
async def test_messages_that_are_no_objects_violate_the_protocol(message: str | bytes) -> None:
    channel, page = channel_pair()
    await page.send(message)
    with pytest.raises(ProtocolError):
        await Chat(lambda name, text: None).serve(channel, "one")


async def test_the_longest_text_is_relayed_unchanged() -> None:
    async with pages("one", "two") as ((one, two), shown):
        await say(one, "ä" * MAX_TEXT)
        assert (await received(two))["text"] == "ä" * MAX_TEXT
        assert shown == [("one", "ä" * MAX_TEXT)]
