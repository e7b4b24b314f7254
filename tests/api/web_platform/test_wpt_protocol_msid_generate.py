"""``a=msid`` lines of our own descriptions (RFC 9429 section 5.2.1)."""

import pytest

from tests.api.web_platform.negotiation import local_track, section
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import MediaStream

pytestmark = pytest.mark.usefixtures("autojump_clock")


def msids(text: str) -> list[str]:
    return [
        line.removeprefix("a=msid:").split()[0] for line in text.splitlines() if line.startswith("a=msid:")
    ]


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("way", ["add_track", "add_transceiver", "set_streams"])
async def test_a_line_for_each_stream(count: int, way: str) -> None:
    async with two_peers() as peers:
        streams = [MediaStream() for _ in range(count)]
        if way == "add_track":
            peers.alice.add_track(local_track(), *streams)
        elif way == "add_transceiver":
            peers.alice.add_transceiver(local_track(), streams=streams)
        else:
            peers.alice.add_track(local_track(), MediaStream()).set_streams(*streams)
        await peers.alice.set_local_description()
        # Without streams there is one line, for the track alone.
        assert msids(section(description_of(peers.alice), 0)) == [stream.id for stream in streams] or (
            not streams and msids(section(description_of(peers.alice), 0)) == ["-"]
        )


@pytest.mark.parametrize(("direction", "lines"), [("sendonly", 1), ("recvonly", 0), ("inactive", 0)])
async def test_only_sections_that_send_have_lines(direction: str, lines: int) -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver(local_track(), direction=direction, streams=[MediaStream()])
        await peers.alice.set_local_description()
        assert len(msids(section(description_of(peers.alice), 0))) == lines


async def test_the_lines_stay_when_the_track_is_replaced() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track(), MediaStream())
        await negotiate(peers.alice, peers.bob)
        before = [line for line in section(description_of(peers.alice), 0).splitlines() if "msid" in line]
        await sender.replace_track(local_track())
        await peers.alice.set_local_description()
        after = [line for line in section(description_of(peers.alice), 0).splitlines() if "msid" in line]
        assert after == before
