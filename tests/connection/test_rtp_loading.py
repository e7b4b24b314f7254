"""The modules of RTP are loaded with the first description that has audio or video."""

import subprocess
import sys

import pytest

# By trio.run, because trio_rtc.testing imports RTP itself.
PROGRAM = """
import sys, trio
from trio_rtc import RTCPeerConnection

turns, before = 0, set()

async def count():
    global turns
    while True:
        await trio.lowlevel.checkpoint()
        turns += 1

async def main():
    global before
    async with RTCPeerConnection() as pc, trio.open_nursery() as nursery:
        {use}
        offer = await pc.create_offer()
        before = set(sys.modules)
        nursery.start_soon(count)
        await pc.set_local_description(offer)
        nursery.cancel_scope.cancel()

trio.run(main)
import trio_rtc.protocols.rtp
loaded = len([name for name in set(sys.modules) - before if name.startswith("trio_rtc")])
after = set(sys.modules)
trio_rtc.protocols.rtp.RtpSession
print(loaded, len(set(sys.modules) - after), turns)
"""


def run(use: str) -> tuple[int, int, int]:
    """Return the modules loaded by the first description, those loaded later, and the turns of another task."""
    command = [sys.executable, "-c", PROGRAM.format(use=use)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    loaded, later, turns = map(int, done.stdout.split())
    return loaded, later, turns


@pytest.mark.parametrize("use", ["pc.add_transceiver('video')", "pc.add_transceiver('audio')"])
def test_modules_of_rtp_are_loaded_step_by_step_with_the_first_description(use: str) -> None:
    loaded, later, turns = run(use)
    assert loaded > 40
    assert later == 0
    assert turns >= 10


def test_connection_without_media_loads_no_modules_of_rtp() -> None:
    loaded, later, _ = run("pc.create_data_channel('chat')")
    assert loaded < 5
    assert later > 40
