"""The ids of channels follow the DTLS role and are unique (W3C webrtc section 6.1, RFC 8832 section 6)."""

from itertools import count

import pytest
import trio

from tests.api.web_platform.peers import channel_between
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize(("answered", "parity"), [("active", 1), ("passive", 0)])
async def test_the_dtls_server_has_odd_ids_and_the_client_even_ones(answered: str, parity: int) -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        first = alice.create_data_channel("first")
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        answer = await bob.create_answer()
        assert first.id is None
        sdp = answer.sdp.replace("a=setup:active", f"a=setup:{answered}")
        await alice.set_remote_description(RTCSessionDescription("answer", sdp))
        ids = [first.id, alice.create_data_channel("second").id, alice.create_data_channel("third").id]
        assert ids == [parity, parity + 2, parity + 4]


async def test_an_id_without_negotiated_is_ignored() -> None:
    async with two_peers() as peers:
        channels = [pc.create_data_channel("chat", id=42) for pc in (peers.alice, peers.bob)]
        assert [channel.id for channel in channels] == [None, None]
        await negotiate(peers.alice, peers.bob)
        assert [channel.id for channel in channels] == [1, 0]


async def test_negotiated_channels_of_the_other_parity_do_not_change_the_rule() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        in_band = [alice.create_data_channel(f"early {number}") for number in range(10)]
        assert {channel.id for channel in in_band} == {None}
        negotiated = [
            (alice.create_data_channel("negotiated", negotiated=True, id=number), number)
            for number in range(0, 20, 2)
        ]
        await negotiate(alice, bob)
        in_band += [alice.create_data_channel(f"late {number}") for number in range(10)]
        taken = {channel.id for channel in in_band} | {number for _, number in negotiated}
        free = (number for number in count(20, 2) if number not in taken)
        negotiated += [
            (alice.create_data_channel("negotiated", negotiated=True, id=number), number)
            for number, _ in zip(free, range(10), strict=False)
        ]
        assert [channel.id for channel in in_band] == list(range(1, 41, 2))
        assert [channel.id for channel, _ in negotiated] == [number for _, number in negotiated]


async def test_an_id_can_be_used_again_after_the_close_event() -> None:
    async with channel_between(negotiated=False) as (mine, theirs, peers):
        number = mine.id
        assert theirs.id == number is not None
        again: list[int | None] = []
        for channel, pc in ((mine, peers.alice), (theirs, peers.bob)):
            channel.on_close = lambda _, pc=pc: again.append(
                pc.create_data_channel("again", negotiated=True, id=number).id
            )
        mine.close()
        await trio.sleep(1)
        assert again == [number, number]
