"""The client's view of a room, fed with the server's messages."""

import json

import pytest
import trio
import trio.testing

from trio_rtc.errors import ProtocolError
from trio_rtc.signaling import ClientOptions, Peer, Room
from trio_rtc.signaling.messages import MemberJoined, MemberLeft, RelayedMessage, Welcome


def make_room(
    *members: str, queue: int = 10, **options: int
) -> tuple[Room, "trio.MemoryReceiveChannel[str]"]:
    outbox, sent = trio.open_memory_channel[str](queue)
    return Room(Welcome("me", members), outbox, ClientOptions(**options)), sent


async def enter_with_peer() -> tuple[Room, Peer, "trio.MemoryReceiveChannel[str]"]:
    room, sent = make_room("a")
    return room, await room.receive(), sent


async def test_earlier_members_are_polite_to_and_later_ones_are_not() -> None:
    room, _ = make_room("a", "b")
    room.handle_message(MemberJoined("c"))
    peers = [await room.receive() for _ in range(3)]
    assert [(peer.id, peer.polite) for peer in peers] == [("a", True), ("b", True), ("c", False)]
    assert list(room.peers) == ["a", "b", "c"]
    assert room.id == "me"
    assert repr(peers[0]) == "<Peer a>"


async def test_a_member_that_left_is_not_received() -> None:
    room, _ = make_room("a", "b")
    room.handle_message(MemberLeft("a"))
    room.handle_message(MemberLeft("unknown"))
    assert (await room.receive()).id == "b"
    assert list(room.peers) == ["b"]


@pytest.mark.usefixtures("autojump_clock")
async def test_receive_waits_for_the_next_member() -> None:
    room, _ = make_room()
    async with trio.open_nursery() as nursery:
        received: list[str] = []

        async def receive() -> None:
            received.append((await room.receive()).id)

        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        assert received == []
        room.handle_message(MemberJoined("late"))
    assert received == ["late"]


async def test_messages_of_a_member_arrive_in_order_before_its_end() -> None:
    room, peer, _ = await enter_with_peer()
    for number in range(3):
        room.handle_message(RelayedMessage("a", {"n": number}))
    room.handle_message(RelayedMessage("unknown", {"n": 9}))
    room.handle_message(MemberLeft("a"))
    room.handle_message(RelayedMessage("a", {"n": 9}))
    assert [value["n"] async for value in peer] == [0, 1, 2]
    with pytest.raises(trio.BrokenResourceError, match="peer has left"):
        await peer.send({})


async def test_sent_objects_go_to_the_member() -> None:
    _, peer, sent = await enter_with_peer()
    await peer.send({"snow": "☃"})
    assert json.loads(sent.receive_nowait()) == {"to": "a", "data": {"snow": "☃"}}


@pytest.mark.parametrize(("value", "error"), [({"a": {1}}, TypeError), ({"a": float("nan")}, ValueError)])
async def test_values_that_json_cannot_represent_are_refused(
    value: dict[str, object], error: type[Exception]
) -> None:
    _, peer, sent = await enter_with_peer()
    with pytest.raises(error):
        await peer.send(value)
    with pytest.raises(trio.WouldBlock):
        sent.receive_nowait()


async def test_a_flood_breaks_only_the_channel_of_its_member() -> None:
    room, _ = make_room("a", "b", queued_messages=2)
    flooding, other = [await room.receive() for _ in range(2)]
    for number in range(5):
        room.handle_message(RelayedMessage("a", {"n": number}))
    room.handle_message(RelayedMessage("b", {"n": 7}))
    assert [await flooding.receive() for _ in range(2)] == [{"n": 0}, {"n": 1}]
    with pytest.raises(trio.BrokenResourceError, match="more messages than queued_messages"):
        await flooding.receive()
    assert await other.receive() == {"n": 7}


@pytest.mark.parametrize("member", ["a", "me too"])
async def test_members_are_bounded_and_join_once(member: str) -> None:
    room, _ = make_room("a", max_peers=1)
    with pytest.raises(ProtocolError, match=f"member '{member}' joined twice or exceeds max_peers"):
        room.handle_message(MemberJoined(member))
    with pytest.raises(ProtocolError, match="joined twice"):
        make_room("a", "a")
    assert list(room.peers) == ["a"]


async def test_a_second_welcome_violates_the_protocol() -> None:
    room, _ = make_room()
    with pytest.raises(ProtocolError, match="second welcome"):
        room.handle_message(Welcome("other", ()))


async def test_a_lost_server_breaks_the_room_and_its_peers_after_what_is_queued() -> None:
    room, peer, _ = await enter_with_peer()
    room.handle_message(RelayedMessage("a", {"n": 1}))
    room.handle_message(MemberJoined("b"))
    room.disconnect("connection lost")
    room.disconnect("something else")
    assert (await room.receive()).id == "b"
    assert await peer.receive() == {"n": 1}
    for use in (room.receive, peer.receive, lambda: peer.send({})):
        with pytest.raises(trio.BrokenResourceError, match="connection lost"):
            await use()


async def test_leaving_closes_the_room_and_its_peers() -> None:
    room, peer, sent = await enter_with_peer()
    await room.aclose()
    room.handle_message(RelayedMessage("a", {"n": 1}))
    for use in (room.receive, peer.receive, lambda: peer.send({})):
        with pytest.raises(trio.ClosedResourceError):
            await use()
    with pytest.raises(trio.EndOfChannel):
        await sent.receive()


async def test_a_closed_peer_stays_in_the_room() -> None:
    room, peer, _ = await enter_with_peer()
    await peer.aclose()
    room.handle_message(RelayedMessage("a", {"n": 1}))
    assert list(room.peers) == ["a"]
    with pytest.raises(trio.ClosedResourceError):
        await peer.send({})
    with pytest.raises(trio.ClosedResourceError):
        await peer.receive()
