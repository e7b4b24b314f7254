"""``create_data_channel`` (W3C webrtc section 6.1)."""

from typing import Any

import pytest

from tests.api.web_platform.peers import channel_between, each_kind, open_between
from tests.strategies.media import ENCODED
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import InvalidStateError, OperationError, RTCConfiguration, RTCDataChannel, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


def test_a_label_is_required() -> None:
    with pytest.raises(TypeError):
        RTCPeerConnection().create_data_channel()  # type: ignore[call-arg]


def test_a_closed_connection_refuses() -> None:
    pc = RTCPeerConnection()
    pc.close()
    assert pc.signaling_state == "closed"
    with pytest.raises(InvalidStateError):
        pc.create_data_channel("chat")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ordered": False, "max_retransmits": 1, "protocol": "custom", "negotiated": True, "id": 3},
        {"ordered": False, "max_packet_life_time": 42},
        {"max_packet_life_time": 0},
        {"max_retransmits": 0},
        {"max_packet_life_time": None, "max_retransmits": None},
        {"negotiated": False},
    ],
    ids=str,
)
def test_the_attributes_of_a_new_channel(options: dict[str, Any]) -> None:
    channel = RTCPeerConnection().create_data_channel("chat", **options)
    assert isinstance(channel, RTCDataChannel)
    expected: dict[str, object] = {
        "label": "chat",
        "ordered": True,
        "max_packet_life_time": None,
        "max_retransmits": None,
        "protocol": "",
        "negotiated": False,
        "id": None,
        "ready_state": "connecting",
        "buffered_amount": 0,
        "buffered_amount_low_threshold": 0,
        "binary_type": "arraybuffer",
    }
    assert {name: getattr(channel, name) for name in expected} == {**expected, **options}


@pytest.mark.parametrize("number", [0, 1, 65534, 65535])
def test_the_id_counts_for_negotiated_channels_only(number: int) -> None:
    pc = RTCPeerConnection()
    assert pc.create_data_channel("chat", id=number).id is None
    if number < 65535:
        assert pc.create_data_channel("chat", negotiated=True, id=number).id == number


@pytest.mark.parametrize("label", ["", "same"])
def test_labels_need_not_be_unique(label: str) -> None:
    pc = RTCPeerConnection()
    one, other = (pc.create_data_channel(label) for _ in range(2))
    assert one is not other
    assert one.label == other.label == label


async def test_ids_are_assigned_with_the_answer() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        negotiated = alice.create_data_channel("negotiated", negotiated=True, id=42)
        early = alice.create_data_channel("chat")
        assert early.id is None
        await negotiate(alice, peers.bob)
        late = alice.create_data_channel("chat")
        assert early.id is not None
        assert late.id is not None
        assert len({early.id, late.id, negotiated.id}) == 3
        assert negotiated.id == 42


@pytest.mark.parametrize("connects", [False, True])
async def test_an_id_in_use_is_refused(connects: bool) -> None:
    async with two_peers() as peers:
        alice = peers.alice
        for number in (42, 43):
            alice.create_data_channel("negotiated", negotiated=True, id=number)
        in_band = alice.create_data_channel("in-band")
        used = [42, 43]
        if connects:
            await negotiate(alice, peers.bob)
            assert in_band.id is not None
            used.append(in_band.id)
        for number in used:
            with pytest.raises(OperationError):
                alice.create_data_channel("again", negotiated=True, id=number)


@each_kind
async def test_a_channel_on_a_connected_connection_begins_connecting(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (_, _, peers):
        assert peers.alice.create_data_channel("late").ready_state == "connecting"


@each_kind
@pytest.mark.parametrize("policy", ["balanced", "max-bundle"])
async def test_a_channel_behind_audio_and_video(negotiated: bool, policy: str) -> None:
    configuration = RTCConfiguration(bundle_policy=policy)
    async with two_peers(configuration=configuration, settings=ENCODED) as peers:
        peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        mine, theirs = await open_between(peers, negotiated=negotiated)
        await mine.send("hello")
        assert await theirs.receive() == "hello"
