"""Closing a channel or its connection (W3C webrtc section 6.2, closing procedure)."""

import pytest
import trio

from tests.api.web_platform.peers import channel_between, each_kind
from trio_rtc import RTCDataChannel
from trio_rtc.event_target import AnyEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")


def record(channel: RTCDataChannel) -> list[str]:
    """Return a list of a channel's events of closing, each with the state in which it is fired."""
    log: list[str] = []

    def append(event: AnyEvent) -> None:
        log.append(f"{event.type} {channel.ready_state}")

    for event in ("closing", "close", "error"):
        channel.add_event_listener(event, append)
    return log


@each_kind
async def test_the_peers_end_fires_closing_and_close(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        log, peers_log = record(mine), record(theirs)
        mine.close()
        assert mine.ready_state == "closing"
        await trio.sleep(1)
        assert log == ["close closed"]
        assert peers_log == ["closing closing", "close closed"]


@each_kind
async def test_channels_are_opened_and_closed_one_after_another(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (_, _, peers):
        for number in range(1, 11):
            label = f"channel {number}"
            if negotiated:
                mine, theirs = (
                    pc.create_data_channel(label, negotiated=True, id=number)
                    for pc in (peers.alice, peers.bob)
                )
            else:
                async with peers.bob.subscribe("data_channel") as announced:
                    mine = peers.alice.create_data_channel(label)
                    theirs = (await announced.receive()).channel
            assert theirs.label == label
            await mine.opened()
            await theirs.opened()
            await mine.send(label)
            await theirs.send(await theirs.receive())
            assert await mine.receive() == label
            await mine.aclose()
            await trio.sleep(1)
            assert (mine.ready_state, theirs.ready_state) == ("closed", "closed")


@each_kind
async def test_closing_the_connection_later_fires_nothing_on_closed_channels(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, peers):
        logs = record(mine), record(theirs)
        await mine.aclose()
        await trio.sleep(1)
        before = [list(log) for log in logs]
        peers.alice.close()
        await trio.sleep(1)
        assert list(logs) == before
