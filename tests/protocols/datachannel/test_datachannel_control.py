"""Data channels: stream identifiers, opening, closing, and hostile peers."""

import pytest

from tests.strategies.line_count import count_lines
from trio_rtc.errors import OperationError
from trio_rtc.protocols.datachannel import (
    AllChannelsClosed,
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelControl,
    ChannelOpened,
    ChannelParameters,
    ControlMessage,
    DataChannelOptions,
    StreamIdAssigned,
    StreamResetRequested,
)
from trio_rtc.protocols.datachannel.messages import encode_ack, encode_open

CHAT = ChannelParameters(label="chat")
OPEN = encode_open(CHAT)


def connected(*, is_client: bool = True, options: DataChannelOptions | None = None) -> ChannelControl:
    control = ChannelControl(options)
    control.set_role(is_dtls_client=is_client)
    control.association_established(65535)
    return control


def deliver(source: ChannelControl, target: ChannelControl) -> list[object]:
    target.receive(source.datagrams_to_send(0), 0)
    return list(target.events())


@pytest.mark.parametrize(("is_client", "ids"), [(True, [0, 2, 4]), (False, [1, 3, 5])])
def test_the_dtls_role_determines_the_ids(is_client: bool, ids: list[int]) -> None:
    control = ChannelControl()
    keys = [control.create_channel(CHAT) for _ in range(2)]
    assert list(control.events()) == []
    control.set_role(is_dtls_client=is_client)
    keys.append(control.create_channel(CHAT))
    assert control.events() == [StreamIdAssigned(key, number) for key, number in zip(keys, ids, strict=True)]


def test_open_announces_itself_at_the_peer_and_is_acknowledged() -> None:
    alice, bob = connected(is_client=True), connected(is_client=False)
    key = alice.create_channel(CHAT)
    assert ChannelOpened(key) in alice.events()
    assert alice.must_send_ordered(key)
    (announced,) = deliver(alice, bob)
    assert announced == ChannelAnnounced(1, 0, CHAT)
    assert deliver(bob, alice) == []
    assert not alice.must_send_ordered(key)
    assert not bob.must_send_ordered(1)


def test_negotiated_channel_sends_nothing() -> None:
    control = connected()
    key = control.create_channel(CHAT, negotiated=True, stream_id=7)
    assert control.events() == [ChannelOpened(key)]
    assert control.datagrams_to_send(0) == []
    assert not control.must_send_ordered(key)


def close_and_reset(control: ChannelControl, key: int, stream_id: int) -> None:
    control.close_channel(key)
    control.outgoing_streams_reset((stream_id,))
    control.incoming_streams_reset((stream_id,))


def assigned_ids(control: ChannelControl) -> list[int]:
    return [event.stream_id for event in control.events() if isinstance(event, StreamIdAssigned)]


@pytest.mark.parametrize("is_client", [True, False])
def test_ids_of_closed_channels_are_used_last_the_oldest_first(is_client: bool) -> None:
    control = ChannelControl()
    control.set_role(is_dtls_client=is_client)
    control.association_established(8)
    parity = 0 if is_client else 1
    keys = [control.create_channel(CHAT) for _ in range(3)]
    assert assigned_ids(control) == [parity, parity + 2, parity + 4]
    close_and_reset(control, keys[1], parity + 2)
    close_and_reset(control, keys[0], parity)
    for _ in range(3):
        control.create_channel(CHAT)
    assert assigned_ids(control) == [parity + 6, parity + 2, parity]
    with pytest.raises(OperationError, match="no data channel id is free"):
        control.create_channel(CHAT)


def test_the_id_of_a_closed_negotiated_channel_is_used_last_too() -> None:
    """The peer may still be resetting the stream, although it is above all assigned ones."""
    control = connected()
    control.association_established(8)
    close_and_reset(control, control.create_channel(CHAT, negotiated=True, stream_id=2), 2)
    for _ in range(4):
        control.create_channel(CHAT)
    assert assigned_ids(control) == [0, 4, 6, 2]


def test_a_released_id_that_a_negotiated_channel_uses_is_not_assigned() -> None:
    control = connected()
    control.association_established(4)
    close_and_reset(control, control.create_channel(CHAT), 0)
    negotiated = control.create_channel(CHAT, negotiated=True, stream_id=0)
    control.create_channel(CHAT)
    assert assigned_ids(control) == [0, 2]
    with pytest.raises(OperationError, match="no data channel id is free"):
        control.create_channel(CHAT)
    close_and_reset(control, negotiated, 0)
    control.create_channel(CHAT)
    assert assigned_ids(control) == [0]


def test_ids_that_the_peer_tried_to_open_can_be_used_later() -> None:
    control = connected(is_client=True)
    control.association_established(4)
    control.receive([ControlMessage(0, OPEN), ControlMessage(2, OPEN)], 0)
    with pytest.raises(OperationError, match="no data channel id is free"):
        control.create_channel(CHAT)
    control.outgoing_streams_reset((2, 0))
    control.create_channel(CHAT)
    control.create_channel(CHAT)
    assert assigned_ids(control) == [2, 0]


def test_closing_resets_both_sides_and_frees_the_id() -> None:
    alice, bob = connected(is_client=True), connected(is_client=False)
    key = alice.create_channel(CHAT)
    deliver(alice, bob)
    deliver(bob, alice)
    alice.close_channel(key)
    alice.close_channel(key)
    assert alice.events()[-1] == StreamResetRequested((0,))
    bob.incoming_streams_reset((0,))
    assert bob.events() == [ChannelClosing(1), StreamResetRequested((0,))]
    bob.outgoing_streams_reset((0,))
    assert bob.events() == [ChannelClosed(1)]
    alice.outgoing_streams_reset((0,))
    assert alice.events() == []
    alice.incoming_streams_reset((0,))
    assert alice.events() == [ChannelClosed(key)]
    again = alice.create_channel(CHAT, negotiated=True, stream_id=0)
    assert alice.events() == [ChannelOpened(again)]


def test_the_peer_uses_an_id_again_before_its_response_to_our_reset() -> None:
    bob = connected(is_client=False)
    bob.receive([ControlMessage(0, OPEN)], 0)
    bob.incoming_streams_reset((0,))
    bob.events()
    bob.receive([ControlMessage(0, OPEN)], 0)
    assert bob.events() == [ChannelClosed(1), ChannelAnnounced(2, 0, CHAT)]
    bob.outgoing_streams_reset((0,))
    assert bob.events() == []


def test_both_sides_close_at_once() -> None:
    control = connected()
    key = control.create_channel(CHAT)
    control.close_channel(key)
    control.incoming_streams_reset((0,))
    control.events()
    control.outgoing_streams_reset((0,))
    assert control.events() == [ChannelClosed(key)]


def test_channel_that_never_connected_just_closes() -> None:
    control = ChannelControl()
    key = control.create_channel(CHAT)
    control.close_channel(key)
    assert control.events() == [ChannelClosed(key)]


def test_ids_in_use_or_too_high_are_refused() -> None:
    control = ChannelControl()
    control.association_established(10)
    control.create_channel(CHAT, negotiated=True, stream_id=3)
    for stream_id in (3, 10):
        with pytest.raises(OperationError):
            control.create_channel(CHAT, negotiated=True, stream_id=stream_id)


def test_all_ids_in_use() -> None:
    control = ChannelControl()
    control.set_role(is_dtls_client=True)
    control.association_established(4)
    control.create_channel(CHAT)
    control.create_channel(CHAT)
    with pytest.raises(OperationError, match="no data channel id is free"):
        control.create_channel(CHAT)
    # Those of the peer are not all in use.
    control.create_channel(CHAT, negotiated=True, stream_id=3)


def test_a_channel_without_an_id_waits_for_the_role_whatever_ids_are_in_use() -> None:
    """Without the role it is unknown whether an id is free."""
    control = ChannelControl()
    control.association_established(2)
    control.create_channel(CHAT, negotiated=True, stream_id=0)
    key = control.create_channel(CHAT)
    control.set_role(is_dtls_client=False)
    assert StreamIdAssigned(key, 1) in control.events()


def test_another_role_replaces_the_ids_of_channels_that_are_not_open() -> None:
    """Another DTLS association may begin before the first one has opened its channels."""
    control = ChannelControl()
    control.create_channel(CHAT, negotiated=True, stream_id=0)
    key = control.create_channel(CHAT)
    control.set_role(is_dtls_client=True)
    control.set_role(is_dtls_client=False)
    assert [each for each in control.events() if isinstance(each, StreamIdAssigned)] == [
        StreamIdAssigned(key, 2),
        StreamIdAssigned(key, 1),
    ]
    control.association_established(4)
    control.set_role(is_dtls_client=True)
    assert control.stream_id(key) == 1


def test_channel_waiting_for_an_id_that_the_association_does_not_have() -> None:
    control = ChannelControl()
    keys = [control.create_channel(CHAT) for _ in range(2)]
    control.set_role(is_dtls_client=True)
    control.association_established(1)
    assert ChannelOpened(keys[0]) in (events := control.events())
    assert ChannelClosed(keys[1], "the association has no stream 2, the peer supports 1") in events


@pytest.mark.parametrize(
    ("stream_id", "data"),
    [
        (0, OPEN),  # ours to open
        (1, b""),
        (1, b"\x01"),
        (1, OPEN + b"x"),
        (1, b"\x03" + bytes(2**18)),
    ],
)
def test_an_invalid_message_resets_the_stream_once(stream_id: int, data: bytes) -> None:
    control = connected(is_client=True)
    control.receive([ControlMessage(stream_id, data)] * 2, 0)
    assert control.events() == [StreamResetRequested((stream_id,))]
    assert sum(control.dropped.values()) == 2


def test_open_on_a_stream_in_use_has_no_effect() -> None:
    control = connected(is_client=True)
    control.receive([ControlMessage(1, OPEN), ControlMessage(1, OPEN)], 0)
    assert control.events() == [ChannelAnnounced(1, 1, CHAT)]
    assert control.dropped.total() == 1


def test_the_table_is_bounded() -> None:
    control = connected(options=DataChannelOptions(max_channels=2))
    control.receive([ControlMessage(stream_id, OPEN) for stream_id in (1, 3, 5)], 0)
    announced = [event for event in control.events() if isinstance(event, ChannelAnnounced)]
    assert len(announced) == 2
    with pytest.raises(OperationError):
        control.create_channel(CHAT)


def test_labels_are_bounded_together() -> None:
    """Each may have 65,535 bytes, and there may be thousands."""
    control = connected(options=DataChannelOptions(max_announced_size=1 << 20))
    long = encode_open(ChannelParameters(label="l" * 65_535, protocol="p" * 65_535))
    control.receive([ControlMessage(stream_id, long) for stream_id in range(1, 199, 2)], 0)
    announced = [event for event in control.events() if isinstance(event, ChannelAnnounced)]
    assert len(announced) == 1
    assert control.create_channel(ChannelParameters(label="ours"))
    control.events()
    control.incoming_streams_reset([1])
    control.outgoing_streams_reset([1])
    assert control.events()[-1] == ChannelClosed(announced[0].key)
    control.receive([ControlMessage(199, long)], 0)
    assert isinstance(control.events()[0], ChannelAnnounced), "closed channels are not counted"


def test_a_peer_that_never_answers_resets_cannot_reuse_a_stream_for_ever() -> None:
    """Each time, another DATA_CHANNEL_ACK would be queued after the reset without a response."""
    control = connected(options=DataChannelOptions(max_early_reuses=3))
    for _ in range(50):
        control.receive([ControlMessage(1, OPEN)], 0)
        control.incoming_streams_reset([1])
    assert len(control.datagrams_to_send(0)) == 4
    assert len(control.channel_keys()) == 1
    control.outgoing_streams_reset([1])
    control.receive([ControlMessage(1, OPEN)], 0)
    assert isinstance(control.events()[-1], ChannelAnnounced)


def test_a_response_to_our_reset_allows_a_stream_to_be_reused_early_again() -> None:
    control = connected(options=DataChannelOptions(max_early_reuses=1))
    for _ in range(20):
        control.receive([ControlMessage(1, OPEN)], 0)
        control.incoming_streams_reset([1])
        control.receive([ControlMessage(1, OPEN)], 0)
        control.outgoing_streams_reset([1])
        control.incoming_streams_reset([1])
        control.outgoing_streams_reset([1])
        assert control.channel_keys() == []
    assert len(control.datagrams_to_send(0)) == 40


def test_a_reset_of_all_streams_closes_every_channel() -> None:
    control = connected()
    control.receive([ControlMessage(1, OPEN), ControlMessage(3, OPEN)], 0)
    control.events()
    control.incoming_streams_reset([])
    assert control.events() == [
        ChannelClosing(1),
        StreamResetRequested((1,)),
        ChannelClosing(2),
        StreamResetRequested((3,)),
    ]


def with_channels_of_the_peer(count: int) -> ChannelControl:
    control = connected(is_client=False)
    openings = [
        ControlMessage(2 * number, encode_open(ChannelParameters(label=str(number))))
        for number in range(count)
    ]
    control.receive(openings, 0.0)
    control.events()
    return control


def reset_streams(control: ChannelControl) -> list[int]:
    """Return the streams whose reset is asked for now."""
    return [
        stream_id
        for event in control.events()
        if isinstance(event, StreamResetRequested)
        for stream_id in event.stream_ids
    ]


def test_a_reset_of_thousands_of_streams_is_handled_in_steps() -> None:
    control = with_channels_of_the_peer(3000)
    control.incoming_streams_reset(())
    asked = reset_streams(control)
    assert 0 < len(asked) <= 32
    while control.has_unhandled_resets:
        control.resume_resets()
        step = reset_streams(control)
        assert 0 < len(step) <= 32
        asked += step
    assert sorted(asked) == list(range(0, 6000, 2))
    control.outgoing_streams_reset(asked)
    assert len(control.channel_keys()) >= 3000 - 32
    while control.has_unhandled_resets:
        control.resume_resets()
    assert control.channel_keys() == []


def test_the_first_step_of_a_reset_costs_the_same_with_any_number_of_channels() -> None:
    def work(count: int) -> int:
        control = with_channels_of_the_peer(count)
        return count_lines(lambda: control.incoming_streams_reset(()))

    assert work(2000) == work(100)


def test_a_stream_that_is_opened_again_while_its_reset_waits() -> None:
    control = with_channels_of_the_peer(200)
    control.incoming_streams_reset(())
    control.events()
    # Its reset has not been handled yet, and the peer may assume that our response is in flight.
    control.receive([ControlMessage(398, encode_open(ChannelParameters(label="again")))], 0.0)
    events = control.events()
    assert [event.parameters.label for event in events if isinstance(event, ChannelAnnounced)] == ["again"]
    assert StreamResetRequested((398,)) in events
    while control.has_unhandled_resets:
        control.resume_resets()
    assert 398 not in reset_streams(control)
    assert control.dropped == {}


def test_pending_resets_end_with_the_association() -> None:
    control = with_channels_of_the_peer(200)
    control.incoming_streams_reset(())
    control.lower_closed(0.0)
    assert not control.has_unhandled_resets
    (closed,) = (event for event in control.events() if isinstance(event, AllChannelsClosed))
    assert closed.keys == tuple(range(1, 201))


def test_unexpected_acknowledgements_are_counted() -> None:
    control = connected()
    control.receive([ControlMessage(9, encode_ack())], 0)
    assert control.dropped["unexpected DATA_CHANNEL_ACK"] == 1


def test_the_end_of_the_association_closes_every_channel() -> None:
    control = connected()
    keys = [control.create_channel(CHAT), control.create_channel(CHAT)]
    control.events()
    control.lower_closed(0)
    control.close(0)
    assert control.events() == [AllChannelsClosed(None, tuple(keys))]
    assert control.closed
    assert control.datagrams_to_send(0) == []


def test_a_channel_opens_when_the_role_is_known_after_the_association() -> None:
    control = ChannelControl()
    key = control.create_channel(CHAT)
    control.association_established(65535)
    assert control.datagrams_to_send(0) == []
    control.set_role(is_dtls_client=True)
    assert list(control.events()) == [StreamIdAssigned(key, 0), ChannelOpened(key)]
    assert control.datagrams_to_send(0) == [ControlMessage(0, OPEN)]


def test_an_association_that_has_ended_has_no_channels() -> None:
    control = connected()
    keys = tuple(control.create_channel(CHAT) for _ in range(3))
    control.events()
    control.lower_closed(0)
    control.lower_closed(0)
    assert list(control.events()) == [AllChannelsClosed(None, keys)]
    assert control._channels == control._by_stream == {}
    assert control.datagrams_to_send(0) == []
    late = control.create_channel(CHAT)
    assert [type(event) for event in control.events()] == [ChannelClosed]
    assert late not in keys
    assert control._channels == {}


@pytest.mark.parametrize(("stream", "is_theirs"), [(0, False), (1, True), (2, False), (3, True)])
def test_a_peer_opens_streams_of_its_own_parity_only(stream: int, is_theirs: bool) -> None:
    control = connected(is_client=True)
    control.receive([ControlMessage(stream, OPEN)], 0)
    announced = [event for event in control.events() if isinstance(event, ChannelAnnounced)]
    assert len(announced) == is_theirs
    early = ChannelControl()
    early.association_established(65535)
    early.receive([ControlMessage(stream, OPEN)], 0)
    assert any(isinstance(event, ChannelAnnounced) for event in early.events())


@pytest.mark.parametrize("streams", [65535, 65536])
def test_65535_is_no_stream(streams: int) -> None:
    """RFC 8832 section 6, whatever the association has."""
    control = ChannelControl()
    for _ in range(2):
        with pytest.raises(OperationError, match="65535 is in use or too high"):
            control.create_channel(CHAT, negotiated=True, stream_id=65535)
        control.set_role(is_dtls_client=True)
        control.association_established(streams)
    control.receive([ControlMessage(65535, OPEN)], 0)
    assert control.dropped == {"DATA_CHANNEL_OPEN beyond the limits": 1}
    assert control.events() == []
    key = control.create_channel(CHAT, negotiated=True, stream_id=65534)
    assert control.events() == [ChannelOpened(key)]


def test_channels_from_before_the_association_have_its_streams() -> None:
    control = ChannelControl()
    last, beyond = (control.create_channel(CHAT, negotiated=True, stream_id=number) for number in (9, 10))
    control.association_established(10)
    assert control.events() == [
        ChannelOpened(last),
        ChannelClosed(beyond, "the association has no stream 10, the peer supports 10"),
    ]
    with pytest.raises(OperationError):
        control.create_channel(CHAT, negotiated=True, stream_id=10)
    control.receive([ControlMessage(10, OPEN), ControlMessage(8, OPEN)], 0)
    assert control.events() == [ChannelAnnounced(3, 8, CHAT)]


def announced_labels(control: ChannelControl, labels: list[str], first: int = 1) -> list[str]:
    """Open channels of the peer on every second stream; return the labels of those that are announced."""
    openings = [encode_open(ChannelParameters(label, "prot")) for label in labels]
    messages = [ControlMessage(first + 2 * number, data) for number, data in enumerate(openings)]
    control.receive(messages, 0)
    return [event.parameters.label for event in control.events() if isinstance(event, ChannelAnnounced)]


def test_memory_of_announced_channels() -> None:
    """4 KiB each, and four bytes for each character of label and protocol."""
    labels = ["a", "b" * 100, "ü" * 1000]
    size = sum(4096 + 4 * (len(label) + 4) for label in labels)
    control = connected(options=DataChannelOptions(max_announced_size=size - 1))
    assert announced_labels(control, labels) == labels[:2]
    control = connected(options=DataChannelOptions(max_announced_size=size))
    assert announced_labels(control, labels) == labels
    assert announced_labels(control, [""], first=7) == []
    # Closed channels are no longer charged.
    control.incoming_streams_reset([1])
    control.outgoing_streams_reset([1])
    assert announced_labels(control, ["aa", "a"], first=9) == ["a"]
    assert control.dropped == {"DATA_CHANNEL_OPEN beyond the limits": 2}


def test_channels_of_both_sides_are_bounded_together() -> None:
    control = connected(options=DataChannelOptions(max_channels=3))
    control.create_channel(CHAT)
    control.create_channel(CHAT, negotiated=True, stream_id=100)
    assert announced_labels(control, ["third", "fourth"]) == ["third"]
    with pytest.raises(OperationError, match="data channels already, the maximum"):
        control.create_channel(CHAT)
    control.close_channel(1)
    control.outgoing_streams_reset([0])
    control.incoming_streams_reset([0])
    assert control.create_channel(CHAT) == 4


@pytest.mark.parametrize("size", [512, 513])
def test_the_largest_control_message(size: int) -> None:
    control = connected(options=DataChannelOptions(max_control_message_size=512))
    data = encode_open(ChannelParameters("l" * (size - 12)))
    control.receive([ControlMessage(1, data)], 0)
    assert [type(event) for event in control.events()] == [
        ChannelAnnounced if size == 512 else StreamResetRequested
    ]
    assert control.dropped == ({} if size == 512 else {"DCEP message of invalid length": 1})


def test_an_acknowledgement_is_one_byte_and_comes_once() -> None:
    control = connected()
    key = control.create_channel(CHAT)
    control.receive([ControlMessage(0, encode_ack() + b"\0")], 0)
    assert control.must_send_ordered(key)
    assert control.dropped == {"unknown DCEP message type": 1}
    for _ in range(2):
        control.receive([ControlMessage(0, encode_ack())], 0)
        assert not control.must_send_ordered(key)
    assert control.dropped["unexpected DATA_CHANNEL_ACK"] == 1


def test_resets_are_handled_by_32() -> None:
    control = with_channels_of_the_peer(100)
    for asked in (32, 32, 32, 4):
        if asked == 32 and not control.has_unhandled_resets:
            control.incoming_streams_reset(range(0, 200, 2))
        else:
            assert control.has_unhandled_resets
            control.resume_resets()
        assert len(reset_streams(control)) == asked
    assert not control.has_unhandled_resets
    control.resume_resets()
    assert control.events() == []
    # While some wait, later ones are queued after them.
    control.outgoing_streams_reset(range(0, 198, 2))
    assert len(control.channel_keys()) == 68
    control.outgoing_streams_reset([198])
    for left in (36, 4, 0):
        assert control.has_unhandled_resets
        control.resume_resets()
        assert len(control.channel_keys()) == left
    assert not control.has_unhandled_resets


def test_the_reset_of_exactly_32_streams_is_handled_at_once() -> None:
    control = with_channels_of_the_peer(33)
    control.incoming_streams_reset(range(0, 64, 2))
    assert not control.has_unhandled_resets
    assert len(reset_streams(control)) == 32
    control.outgoing_streams_reset(range(0, 64, 2))
    assert control.channel_keys() == [33]


def test_a_channel_opened_by_the_peer_before_the_association_is_announced() -> None:
    """Such a channel is open once, and ends without a reset, for which an association is needed."""
    control = ChannelControl()
    control.set_role(is_dtls_client=True)
    control.receive([ControlMessage(1, OPEN), ControlMessage(3, b"no DCEP"), ControlMessage(5, OPEN)], 0)
    assert control.events() == [ChannelAnnounced(1, 1, CHAT), ChannelAnnounced(2, 5, CHAT)]
    control.close_channel(1)
    assert control.events() == [ChannelClosed(1)]
    assert control.datagrams_to_send(0) == [ControlMessage(1, encode_ack()), ControlMessage(5, encode_ack())]
    for _ in range(2):
        control.association_established(65535)
        assert control.events() == []
        assert control.datagrams_to_send(0) == []


def test_properties_of_a_channel() -> None:
    control = ChannelControl()
    key, unknown = control.create_channel(CHAT), 99
    assert (control.stream_id(key), control.stream_id(unknown)) == (None, None)
    assert (control.must_send_ordered(key), control.must_send_ordered(unknown)) == (True, False)
    control.set_role(is_dtls_client=False)
    assert control.stream_id(key) == 1
    control.close_channel(unknown)
    assert control.events() == [StreamIdAssigned(key, 1)]


@pytest.mark.parametrize("ending", ["close", "lower_closed"])
def test_both_ends_discard_pending_work(ending: str) -> None:
    control = with_channels_of_the_peer(200)
    keys = tuple(control.channel_keys())
    for key in keys:
        control.close_channel(key)
    control.outgoing_streams_reset(range(0, 400, 2))
    assert control.has_unhandled_resets
    control.events()
    getattr(control, ending)(0)
    assert control.events() == [AllChannelsClosed(None, keys)]
    assert not control.has_unhandled_resets
    assert control.channel_keys() == control.datagrams_to_send(0) == []
    control.receive([ControlMessage(0, OPEN), ControlMessage(0, b"")], 0)
    control.incoming_streams_reset(())
    control.set_role(is_dtls_client=True)
    assert control.events() == []
    assert control.dropped == {}


def test_an_id_that_was_used_twice_is_released_twice() -> None:
    control = connected()
    control.association_established(4)
    first, second = control.create_channel(CHAT), control.create_channel(CHAT)
    close_and_reset(control, first, 0)
    close_and_reset(control, second, 2)
    close_and_reset(control, control.create_channel(CHAT), 0)
    for _ in range(2):
        control.create_channel(CHAT)
    assert assigned_ids(control) == [0, 2, 0, 2, 0], "the one that was released the longest ago is next"


def test_ids_from_before_the_role_are_assigned_by_their_owner_only() -> None:
    control = ChannelControl()
    for stream_id in (3, 2, 1, 0, 8, 9):
        control.close_channel(control.create_channel(CHAT, negotiated=True, stream_id=stream_id))
    control.set_role(is_dtls_client=True)
    control.association_established(4)
    for _ in range(2):
        control.create_channel(CHAT)
    assert assigned_ids(control) == [2, 0]
    with pytest.raises(OperationError, match="no data channel id is free"):
        control.create_channel(CHAT)


def test_a_released_id_whose_reset_is_in_flight_is_not_assigned() -> None:
    control = connected()
    control.association_established(2)
    close_and_reset(control, control.create_channel(CHAT), 0)
    control.receive([ControlMessage(0, OPEN)], 0)
    with pytest.raises(OperationError, match="no data channel id is free"):
        control.create_channel(CHAT)
    control.outgoing_streams_reset([0])
    control.create_channel(CHAT)
    assert assigned_ids(control) == [0, 0]


def test_channels_that_get_no_id_when_the_role_is_known_close() -> None:
    control = ChannelControl()
    keys = [control.create_channel(CHAT) for _ in range(3)]
    control.association_established(3)
    control.set_role(is_dtls_client=True)
    assert control.events() == [
        *(StreamIdAssigned(keys[0], 0), ChannelOpened(keys[0])),
        *(StreamIdAssigned(keys[1], 2), ChannelOpened(keys[1])),
        ChannelClosed(keys[2], "no data channel id is free"),
    ]
    assert [control.stream_id(key) for key in keys] == [0, 2, None]


def test_invalid_messages_on_a_stream_in_use_have_no_effect() -> None:
    control = connected()
    control.receive([ControlMessage(1, OPEN), ControlMessage(1, b"no DCEP")], 0)
    assert control.events() == [ChannelAnnounced(1, 1, CHAT)]
    assert control.dropped == {"unknown DCEP message type": 1}


def test_a_stream_that_is_opened_again_while_both_its_resets_wait() -> None:
    control = with_channels_of_the_peer(200)
    for key in control.channel_keys():
        control.close_channel(key)
    control.events()
    streams = range(0, 400, 2)
    control.outgoing_streams_reset(streams)
    control.incoming_streams_reset(streams)
    control.receive([ControlMessage(398, encode_open(ChannelParameters(label="again")))], 0)
    assert control.events() == [
        ChannelClosed(200),
        ChannelAnnounced(201, 398, ChannelParameters(label="again")),
    ]
    # The resets of the channel before are none of the new one's.
    control.close_channel(201)
    while control.has_unhandled_resets:
        control.resume_resets()
    control.incoming_streams_reset([398])
    assert control.channel_keys() == [201]
    control.outgoing_streams_reset([398])
    assert control.channel_keys() == []
    assert control.dropped == {}


def test_each_answer_to_a_reset_allows_as_many_early_reuses_again() -> None:
    control = connected(options=DataChannelOptions(max_early_reuses=2))

    def reuses() -> int:
        control.receive([ControlMessage(1, OPEN)], 0)
        for count in range(10):
            control.incoming_streams_reset([1])
            control.events()
            control.receive([ControlMessage(1, OPEN)], 0)
            if not any(isinstance(event, ChannelAnnounced) for event in control.events()):
                return count
        raise AssertionError

    assert reuses() == 2
    control.outgoing_streams_reset([1])
    control.receive([ControlMessage(1, OPEN)], 0)
    control.incoming_streams_reset([1])
    control.receive([ControlMessage(1, OPEN)], 0)
    # The answer to the reset of the channel before.
    control.outgoing_streams_reset([1])
    assert reuses() == 2
