import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from trio_rtc.errors import ProtocolError
from trio_rtc.signaling import CloseCode, RoomLimits
from trio_rtc.signaling.messages import (
    Addressed,
    MemberJoined,
    MemberLeft,
    Relayed,
    ServerMessage,
    Welcome,
    parse_client_message,
    parse_server_message,
)
from trio_rtc.signaling.rate import TokenBucket
from trio_rtc.signaling.rooms import Member, RoomRefused, Rooms


def take_all(member: Member) -> list[ServerMessage]:
    messages = []
    while (text := member.take()) is not None:
        messages.append(parse_server_message(text))
    return messages


def test_a_newcomer_hears_who_is_there_and_the_others_hear_of_the_newcomer() -> None:
    rooms = Rooms(RoomLimits())
    first, touched = rooms.join("a")
    assert touched == [first]
    second, touched = rooms.join("a")
    assert touched == [second, first]
    assert take_all(first) == [Welcome("1", ()), MemberJoined("2")]
    assert take_all(second) == [Welcome("2", ("1",))]


def test_messages_go_to_all_others_or_to_one_and_never_to_another_room() -> None:
    rooms = Rooms(RoomLimits())
    first, second, third = (rooms.join("a")[0] for _ in range(3))
    stranger, _ = rooms.join("b")
    for member in (first, second, third, stranger):
        take_all(member)
    assert rooms.relay(first, Addressed({"n": 1})) == [second, third]
    assert rooms.relay(first, Addressed({"n": 2}, third.id)) == [third]
    assert rooms.relay(first, Addressed({"n": 3}, stranger.id)) == []
    assert take_all(second) == [Relayed("1", {"n": 1})]
    assert take_all(third) == [Relayed("1", {"n": 1}), Relayed("1", {"n": 2})]
    assert take_all(stranger) == []
    with pytest.raises(ProtocolError, match="oneself"):
        rooms.relay(first, Addressed({}, first.id))


def test_an_empty_room_is_forgotten_and_ids_are_not_used_again() -> None:
    rooms = Rooms(RoomLimits(rooms=1))
    member, _ = rooms.join("a")
    with pytest.raises(RoomRefused) as refusal:
        rooms.join("b")
    assert refusal.value.code == CloseCode.FULL
    assert rooms.leave(member) == []
    assert rooms.leave(member) == []
    assert rooms.occupancy() == {}
    assert rooms.join("b")[0].id == "2"


def test_a_full_room_refuses_and_nobody_in_it_hears_of_that() -> None:
    rooms = Rooms(RoomLimits(members=1))
    member, _ = rooms.join("a")
    take_all(member)
    with pytest.raises(RoomRefused, match="full"):
        rooms.join("a")
    assert take_all(member) == []


@pytest.mark.parametrize("name", ["", "x" * 129])
def test_a_room_needs_a_name_of_bounded_length(name: str) -> None:
    with pytest.raises(RoomRefused) as refusal:
        Rooms(RoomLimits()).join(name)
    assert refusal.value.code == CloseCode.BAD_ROOM


def test_a_message_that_grew_on_the_way_is_not_passed_on() -> None:
    rooms = Rooms(RoomLimits(relayed_characters=1000))
    first, second = rooms.join("a")[0], rooms.join("a")[0]
    take_all(second)
    message = parse_client_message('{"data": {"n": [' + ",".join(["1e15"] * 100) + "]}}")
    with pytest.raises(ProtocolError, match="too large"):
        rooms.relay(first, message)
    assert take_all(second) == []


@pytest.mark.parametrize("limits", [RoomLimits(queued_messages=3), RoomLimits(queued_characters=120)])
def test_a_member_that_takes_nothing_overflows(limits: RoomLimits) -> None:
    rooms = Rooms(limits)
    slow, _ = rooms.join("a")
    quick, _ = rooms.join("a")
    assert not slow.overflowed
    for _ in range(3):
        rooms.relay(quick, Addressed({"n": 1}))
    assert slow.overflowed
    assert not quick.overflowed


def test_a_bucket_lets_a_burst_through_and_then_paces() -> None:
    bucket = TokenBucket(rate=10.0, burst=3.0)
    assert [bucket.take(100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(100.0) == pytest.approx(0.1)
    assert bucket.take(100.1) == pytest.approx(0.1)
    assert bucket.take(200.0) == 0.0


class RoomsMachine(RuleBasedStateMachine):
    """Random joins, messages and leaves against a model: each member hears exactly what it should."""

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
        except RoomRefused:
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
        self.rooms.relay(member, Addressed({"n": number}, to))
        for receiver in receivers:
            self.expected[receiver].append(Relayed(member.id, {"n": number}))

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
    def everyone_hears_what_they_should(self) -> None:
        assert self.rooms.occupancy() == {room: tuple(ids) for room, ids in self.model.items()}
        for name, member in self.living.items():
            assert take_all(member) == self.expected[name]
            self.expected[name] = []


TestRooms = RoomsMachine.TestCase
TestRooms.settings = settings()
