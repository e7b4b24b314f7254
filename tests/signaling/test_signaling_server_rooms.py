import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from trio_rtc.errors import ProtocolError
from trio_rtc.signaling import CloseCode, RoomLimits
from trio_rtc.signaling.messages import (
    ClientMessage,
    MemberJoined,
    MemberLeft,
    RelayedMessage,
    ServerMessage,
    Welcome,
    parse_client_message,
    parse_server_message,
)
from trio_rtc.signaling.server_rooms import Member, Rooms, RoomUnavailable


def dequeue_all(member: Member) -> list[ServerMessage]:
    messages = []
    while (text := member.dequeue()) is not None:
        messages.append(parse_server_message(text))
    return messages


def test_join_sends_a_welcome_and_notifies_the_others() -> None:
    rooms = Rooms(RoomLimits())
    first, touched = rooms.join("a")
    assert touched == [first]
    second, touched = rooms.join("a")
    assert touched == [second, first]
    assert dequeue_all(first) == [Welcome("1", ()), MemberJoined("2")]
    assert dequeue_all(second) == [Welcome("2", ("1",))]


def test_messages_are_relayed_to_all_others_or_one_within_the_room() -> None:
    rooms = Rooms(RoomLimits())
    first, second, third = (rooms.join("a")[0] for _ in range(3))
    stranger, _ = rooms.join("b")
    for member in (first, second, third, stranger):
        dequeue_all(member)
    assert rooms.relay(first, ClientMessage({"n": 1})) == [second, third]
    assert rooms.relay(first, ClientMessage({"n": 2}, third.id)) == [third]
    assert rooms.relay(first, ClientMessage({"n": 3}, stranger.id)) == []
    assert dequeue_all(second) == [RelayedMessage("1", {"n": 1})]
    assert dequeue_all(third) == [RelayedMessage("1", {"n": 1}), RelayedMessage("1", {"n": 2})]
    assert dequeue_all(stranger) == []
    with pytest.raises(ProtocolError, match="must not be the own id"):
        rooms.relay(first, ClientMessage({}, first.id))


def test_empty_room_is_removed_and_ids_are_not_reused() -> None:
    rooms = Rooms(RoomLimits(rooms=1))
    member, _ = rooms.join("a")
    with pytest.raises(RoomUnavailable) as refusal:
        rooms.join("b")
    assert refusal.value.code == CloseCode.FULL
    assert rooms.leave(member) == []
    assert rooms.leave(member) == []
    assert rooms.occupancy() == {}
    assert rooms.join("b")[0].id == "2"


def test_full_room_rejects_without_notifying_its_members() -> None:
    rooms = Rooms(RoomLimits(members=1))
    member, _ = rooms.join("a")
    dequeue_all(member)
    with pytest.raises(RoomUnavailable, match="full"):
        rooms.join("a")
    assert dequeue_all(member) == []


@pytest.mark.parametrize("name", ["", "x" * 129])
def test_room_name_has_a_bounded_length(name: str) -> None:
    with pytest.raises(RoomUnavailable) as refusal:
        Rooms(RoomLimits()).join(name)
    assert refusal.value.code == CloseCode.BAD_ROOM


def test_message_that_grows_beyond_the_limit_is_not_relayed() -> None:
    rooms = Rooms(RoomLimits(relayed_characters=1000))
    first, second = rooms.join("a")[0], rooms.join("a")[0]
    dequeue_all(second)
    message = parse_client_message('{"data": {"n": [' + ",".join(["1e15"] * 100) + "]}}")
    with pytest.raises(ProtocolError, match="characters, more than 1000"):
        rooms.relay(first, message)
    assert dequeue_all(second) == []


@pytest.mark.parametrize("limits", [RoomLimits(queued_messages=3), RoomLimits(queued_characters=120)])
def test_member_that_receives_nothing_overflows(limits: RoomLimits) -> None:
    rooms = Rooms(limits)
    slow, _ = rooms.join("a")
    quick, _ = rooms.join("a")
    assert not slow.overflowed
    for _ in range(3):
        rooms.relay(quick, ClientMessage({"n": 1}))
    assert slow.overflowed
    assert not quick.overflowed


class RoomsMachine(RuleBasedStateMachine):
    """Random joins, messages and leaves against a model: each member receives exactly the expected messages."""

    members = Bundle("members")

    def __init__(self) -> None:
        super().__init__()
        self.limits = RoomLimits(rooms=3, members=3, queued_messages=1000)
        self.rooms = Rooms(self.limits)
        self.model: dict[str, list[str]] = {}
        self.expected: dict[str, list[ServerMessage]] = {}
        self.living: dict[str, Member] = {}

    @rule(target=members, room=st.sampled_from("abcd"))
    def join(self, room: str) -> Member | None:
        full = len(self.model.get(room, ())) >= 3 or (room not in self.model and len(self.model) >= 3)
        try:
            member, _ = self.rooms.join(room)
        except RoomUnavailable:
            assert full
            return None
        assert not full
        for other in self.model.get(room, ()):
            self.expected[other].append(MemberJoined(member.id))
        self.expected[member.id] = [Welcome(member.id, tuple(self.model.get(room, ())))]
        self.model.setdefault(room, []).append(member.id)
        self.living[member.id] = member
        return member

    @rule(member=members, number=st.integers(), data=st.data())
    def relay(self, member: Member | None, number: int, data: st.DataObject) -> None:
        if member is None:
            return
        others = [other for other in self.model[member.room] if other != member.id]
        to = data.draw(st.none() | st.sampled_from([*others, "no one"]))
        receivers = others if to is None else [other for other in others if other == to]
        self.rooms.relay(member, ClientMessage({"n": number}, to))
        for receiver in receivers:
            self.expected[receiver].append(RelayedMessage(member.id, {"n": number}))

    @rule(member=consumes(members))
    def leave(self, member: Member | None) -> None:
        if member is None:
            return
        self.rooms.leave(member)
        self.model[member.room].remove(member.id)
        del self.living[member.id]
        for other in self.model[member.room]:
            self.expected[other].append(MemberLeft(member.id))
        if not self.model[member.room]:
            del self.model[member.room]

    @invariant()
    def members_receive_the_expected_messages(self) -> None:
        assert self.rooms.occupancy() == {room: tuple(ids) for room, ids in self.model.items()}
        for name, member in self.living.items():
            assert dequeue_all(member) == self.expected[name]
            self.expected[name] = []


TestRooms = RoomsMachine.TestCase
TestRooms.settings = settings()
