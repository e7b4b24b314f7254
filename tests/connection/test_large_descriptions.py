"""Descriptions with many sections and streams are applied in linear time."""

from typing import Any

import pytest
import trio.testing

from tests.strategies.peers import connect, negotiate, two_peers
from trio_rtc import MediaStream
from trio_rtc.protocols.rtp import RtpSession
from trio_rtc.transceivers.transceiver_table import TransceiverTable

pytestmark = pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning")

SECTIONS = 12


async def test_a_description_configures_rtp_once(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured: list[int] = []
    original = RtpSession.set_sections

    def set_sections(session: RtpSession, sending: Any, receiving: Any, now: float) -> None:
        configured.append(len(receiving))
        original(session, sending, receiving, now)

    monkeypatch.setattr(RtpSession, "set_sections", set_sections)
    async with two_peers() as peers:
        for _ in range(SECTIONS):
            peers.alice.add_transceiver("audio")
        await connect(peers.alice, peers.bob)
        first, configured[:] = list(configured), []
        await negotiate(peers.alice, peers.bob)
        # Each side configures RTP once with the answer; a later offer keeps the negotiated state.
        assert first == [SECTIONS] * 2
        assert set(configured) == {SECTIONS}
        assert len(configured) <= 4


async def test_streams_are_not_searched_once_per_stream(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[TransceiverTable] = []
    original = TransceiverTable.remote_streams

    def remote_streams(table: TransceiverTable) -> list[MediaStream]:
        searched.append(table)
        return original.__get__(table)  # type: ignore[no-any-return]

    async with two_peers() as peers:
        streams = [MediaStream() for _ in range(SECTIONS)]
        added: list[str] = []
        removed: list[str] = []
        peers.bob.on_add_stream = lambda event: added.append(event.stream.id)
        peers.bob.on_remove_stream = lambda event: removed.append(event.stream.id)
        monkeypatch.setattr(TransceiverTable, "remote_streams", property(remote_streams))
        # Each stream is named by two sections.
        transceivers = [
            peers.alice.add_transceiver("audio", streams=[streams[number], streams[number - 1]])
            for number in range(SECTIONS)
        ]
        await connect(peers.alice, peers.bob)
        assert sorted(added) == sorted(stream.id for stream in streams)
        transceivers[0].direction = "inactive"
        await negotiate(peers.alice, peers.bob)
        assert removed == []
        transceivers[1].direction = "inactive"
        await negotiate(peers.alice, peers.bob)
        # The only stream named by both is removed with the second section.
        assert removed == [streams[0].id]
        transceivers[0].direction = "sendrecv"
        await negotiate(peers.alice, peers.bob)
        assert added[SECTIONS:] == [streams[0].id]
        assert searched == []
        assert {stream.id for stream in peers.bob.get_remote_streams()} == {stream.id for stream in streams}
