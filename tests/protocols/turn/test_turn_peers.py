"""The tables of permissions and channels."""

import math

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.turn import TurnOptions
from trio_rtc.protocols.turn.peers import (
    ChannelTable,
    InstalledPermission,
    PermissionTable,
    RefusedPermission,
    RequestedPermission,
)

PEER, OTHER = Address("192.0.2.1", 5000), Address("192.0.2.2", 5000)


def test_a_permission_is_requested_then_installed_then_removed_if_unused() -> None:
    table = PermissionTable(TurnOptions())
    assert table.find(PEER.host, 0) is None
    permission = table.add(PEER.host)
    assert isinstance(permission, RequestedPermission)
    permission.queue.append((PEER, b"1"))
    assert table.next_refresh() == math.inf
    assert table.install(PEER.host, 0) == [(PEER, b"1")]
    assert isinstance(table.find(PEER.host, 0), InstalledPermission)
    assert table.next_refresh() == 240
    assert table.pop_due(239, ()) == ()
    assert table.pop_due(240, ()) == (PEER.host,)
    assert table.pop_due(480, ()) == ()
    assert table.find(PEER.host, 480) is None


def test_a_channel_keeps_the_permission_of_its_host() -> None:
    table = PermissionTable(TurnOptions())
    table.add(PEER.host)
    table.install(PEER.host, 0)
    for time in range(240, 2400, 240):
        assert table.pop_due(time, {PEER.host}) == (PEER.host,)


def test_a_refused_permission_is_requested_again_later() -> None:
    table = PermissionTable(TurnOptions(refusal_time=10))
    permission = table.add(PEER.host)
    assert permission is not None
    permission.queue += [(PEER, b"1"), (PEER, b"2")]
    assert table.refuse(PEER.host, 0) == 2
    assert isinstance(table.find(PEER.host, 9), RefusedPermission)
    assert table.find(PEER.host, 10) is None


def test_a_confirmation_of_a_removed_permission_is_ignored() -> None:
    table = PermissionTable(TurnOptions())
    assert table.install(PEER.host, 0) == []
    table.retry(PEER.host, 5)
    assert not table.is_installed(PEER.host)


def test_channel_numbers_are_used_once() -> None:
    table = ChannelTable(TurnOptions(max_channels=1))
    numbers = []
    for turn in range(3):
        channel = table.add(PEER)
        assert channel is not None
        numbers.append(channel.number)
        assert table.add(OTHER) is None
        table.bind(channel.number, turn * 2000)
        assert table.find_peer(channel.number) == PEER
        assert table.used_hosts() == {PEER.host}
        assert table.pop_due(turn * 2000 + 540) == [channel]
        table.bind(channel.number, turn * 2000 + 540)
        assert table.pop_due(turn * 2000 + 1080) == []
        assert table.find_peer(channel.number) is None
    assert numbers == [0x4000, 0x4001, 0x4002]


def test_all_channel_numbers_can_be_exhausted() -> None:
    table = ChannelTable(TurnOptions(max_channels=5000))
    peers = [Address("192.0.2.1", port) for port in range(1, 4100)]
    channels = [table.add(peer) for peer in peers]
    assert channels[4095] is not None
    assert channels[4095].number == 0x4FFF
    assert channels[4096:] == [None] * 3


def test_a_channel_that_the_server_refuses_is_tried_again_after_its_lifetime() -> None:
    table = ChannelTable(TurnOptions())
    channel = table.add(PEER)
    assert channel is not None
    table.fail(channel.number, 0)
    assert not channel.bound
    assert table.pop_due(540) == []
    assert table.find(PEER) is None
    table.fail(0x4999, 0)
    table.bind(0x4999, 0)
    assert table.next_refresh() == math.inf
