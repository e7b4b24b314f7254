"""``bundle_policy``: its values, and which sections gather (W3C webrtc section 4.2.5, RFC 9429 section 4.1.1)."""

from typing import Any

import pytest
import trio

from tests.strategies.media import ENCODED
from tests.strategies.peers import description_of, two_peers
from trio_rtc import InvalidModificationError, RTCConfiguration, RTCPeerConnection

POLICIES = ["balanced", "max-compat", "max-bundle"]


def test_the_default() -> None:
    assert RTCPeerConnection().get_configuration().bundle_policy == "balanced"


@pytest.mark.parametrize("policy", POLICIES)
def test_it_cannot_be_changed(policy: str) -> None:
    pc = RTCPeerConnection(RTCConfiguration(bundle_policy=policy))
    pc.set_configuration(RTCConfiguration(bundle_policy=policy))
    for other in {*POLICIES} - {policy}:
        with pytest.raises(InvalidModificationError):
            pc.set_configuration(RTCConfiguration(bundle_policy=other))
    assert pc.get_configuration().bundle_policy == policy


@pytest.mark.parametrize("wrong", [None, "invalid", ""])
def test_invalid_values(wrong: Any) -> None:
    with pytest.raises(TypeError):
        RTCConfiguration(bundle_policy=wrong)


@pytest.mark.usefixtures("autojump_clock")
@pytest.mark.parametrize(
    ("policy", "gathers"),
    [
        ("balanced", [True, False, True, True]),
        ("max-compat", [True, True, True, True]),
        ("max-bundle", [True, False, False, False]),
    ],
)
async def test_the_sections_with_candidates(policy: str, gathers: list[bool]) -> None:
    configuration = RTCConfiguration(bundle_policy=policy)
    async with two_peers(configuration=configuration, settings=ENCODED) as peers:
        for kind in ("audio", "audio", "video"):
            peers.alice.add_transceiver(kind)
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await trio.sleep(1)
        _, *sections = description_of(peers.alice).sdp.split("\r\nm=")
        assert ["a=candidate:" in section for section in sections] == gathers
