"""The event ``data_channel`` (W3C webrtc section 6.2, announcing a channel as open)."""

from typing import Any

import pytest
import trio

from tests.strategies.peers import connect, two_peers
from trio_rtc import RTCDataChannel, RTCDataChannelEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_is_fired_once_for_an_open_channel() -> None:
    async with two_peers() as peers:
        log: list[str] = []

        def announce(event: RTCDataChannelEvent) -> None:
            assert isinstance(event, RTCDataChannelEvent)
            assert event.target is peers.bob
            assert isinstance(event.channel, RTCDataChannel)
            log.append(f"announced {event.channel.ready_state}")
            event.channel.on_open = lambda _: log.append("open")

        peers.bob.on_data_channel = announce
        peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        await trio.sleep(1)
        assert log == ["announced open", "open"]


@pytest.mark.parametrize("sends", [False, True])
async def test_a_channel_closed_in_its_handler_is_not_opened(sends: bool) -> None:
    async with two_peers() as peers:
        log: list[str] = []
        received: list[str | bytes] = []

        def announce(event: RTCDataChannelEvent) -> None:
            event.channel.on_open = lambda _: log.append("open")
            event.channel.on_close = lambda _: log.append("close")
            if sends:
                event.channel.send_nowait("hello")
            event.channel.close()

        peers.bob.on_data_channel = announce
        mine = peers.alice.create_data_channel("chat")
        mine.on_message = lambda event: received.append(event.data)
        await connect(peers.alice, peers.bob)
        await trio.sleep(1)
        assert log == ["close"]
        assert received == (["hello"] if sends else [])
        assert mine.ready_state == "closed"


async def test_a_channel_closed_after_its_handler_was_opened() -> None:
    async with two_peers() as peers, trio.open_nursery() as nursery:
        log: list[str] = []

        async def close_soon(channel: RTCDataChannel) -> None:
            await trio.sleep(0.001)
            channel.close()

        def announce(event: RTCDataChannelEvent) -> None:
            event.channel.on_open = lambda _: log.append("open")
            event.channel.on_close = lambda _: log.append("close")
            nursery.start_soon(close_soon, event.channel)

        peers.bob.on_data_channel = announce
        peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        await trio.sleep(1)
        assert log == ["open", "close"]


@pytest.mark.parametrize(
    ("label", "options"),
    [
        ("", {}),
        ("chat", {"ordered": False, "max_retransmits": 1, "protocol": "custom"}),
        ("chat", {"ordered": False, "max_retransmits": 0}),
        ("chat", {"ordered": True, "max_retransmits": 65535}),
        ("chat", {"ordered": False, "max_packet_life_time": 0}),
        ("chat", {"ordered": True, "max_packet_life_time": 65535}),
        ("chat", {"priority": "high"}),
        ("ü" * 32767 + "x", {"protocol": "世" * 21845}),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_the_channel_has_the_parameters_of_its_creator(label: str, options: dict[str, Any]) -> None:
    def parameters(channel: RTCDataChannel) -> tuple[object, ...]:
        return (
            channel.label,
            channel.ordered,
            channel.max_packet_life_time,
            channel.max_retransmits,
            channel.protocol,
            channel.negotiated,
            channel.id,
            channel.priority,
        )

    async with two_peers() as peers, peers.bob.subscribe("data_channel") as announced:
        mine = peers.alice.create_data_channel(label, **options)
        await connect(peers.alice, peers.bob)
        theirs = (await announced.receive()).channel
        assert parameters(theirs) == parameters(mine)
        assert (theirs.label, theirs.negotiated) == (label, False)
        for name, value in options.items():
            assert getattr(theirs, name) == value


async def test_negotiated_channels_are_not_announced() -> None:
    async with two_peers() as peers:
        announced: list[object] = []
        peers.bob.on_data_channel = announced.append
        channel = peers.alice.create_data_channel("chat", negotiated=True, id=42)
        await connect(peers.alice, peers.bob)
        await channel.opened()
        await trio.sleep(1)
        assert announced == []
