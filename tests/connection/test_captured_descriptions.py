"""Descriptions of real agents that violate the grammar, in whole connections."""

import pathlib

import pytest

from tests.strategies.peers import two_peers
from trio_rtc import RTCTrackEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")

DATA = pathlib.Path(__file__).parents[1] / "data" / "sdp_field"
OFFERS = {
    path.stem: path.read_bytes().decode() for path in sorted(DATA.glob("*.sdp")) if "answer" not in path.stem
}
NOTHING_IN_COMMON = {"gstreamer_h264_clockrate_minus1"}


@pytest.mark.parametrize("name", OFFERS)
async def test_offers_are_answered(name: str) -> None:
    async with two_peers() as peers:
        pc, tracks = peers.alice, list[RTCTrackEvent]()
        pc.on_track = tracks.append
        await pc.set_remote_description({"type": "offer", "sdp": OFFERS[name]})
        await pc.set_local_description()
        assert pc.signaling_state == "stable"
        assert pc.current_remote_description is not None
        assert pc.current_remote_description.sdp == OFFERS[name]
        assert tracks
        assert bool(pc.get_transceivers()) is (name not in NOTHING_IN_COMMON)
        for event in tracks if name not in NOTHING_IN_COMMON else ():
            assert event.streams
            assert event.receiver.get_parameters().codecs
            assert event.transceiver.current_direction == "recvonly"


@pytest.mark.parametrize("name", ["f_h264_main_answer", "f_h264_high_answer", "mediamtx_whep_answer_pion"])
async def test_answers_are_accepted(name: str) -> None:
    answer = (DATA / f"{name}.sdp").read_bytes().decode()
    async with two_peers() as peers:
        pc = peers.alice
        for kind in ("video", "audio")[: answer.count("m=")]:
            pc.add_transceiver(kind, direction="recvonly")
        await pc.set_local_description()
        await pc.set_remote_description({"type": "answer", "sdp": answer})
        assert pc.current_remote_description is not None
        assert pc.current_remote_description.sdp == answer
        for transceiver in pc.get_transceivers():
            assert transceiver.current_direction == "recvonly"
            assert transceiver.receiver.get_parameters().codecs
