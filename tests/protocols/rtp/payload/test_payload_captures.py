"""Payloads captured from Chromium and Firefox."""

import attrs
import pytest

from tests.strategies.rtp_payloads import (
    CAPTURES,
    load_capture,
    load_captured_frames,
    make_depacketizer,
    make_frame,
    make_packetizer,
)
from trio_rtc.protocols.rtp.payload import DTMF_EVENTS, LayerIds, descriptor_rewriter, layer_reader
from trio_rtc.protocols.rtp.payload._nal import join_annex_b, split_annex_b
from trio_rtc.protocols.rtp.payload.telephone_event import parse_events
from trio_rtc.protocols.rtp.payload.vp8 import Vp8Descriptor
from trio_rtc.protocols.rtp.payload.vp9_descriptor import Vp9Descriptor

VIDEO = {name: codec for name, codec in CAPTURES.items() if codec in ("VP8", "VP9", "H264", "AV1")}
LARGE = {"chromium-vp8-short-descriptor", "chromium-vp9-l2t3-key", "chromium-av1-l2t2"}


def size_of(name: str) -> tuple[int, int]:
    if name == "chromium-vp8-l1t3":
        return 320, 180
    return (480, 270) if name in LARGE else (160, 120)


def as_byte_stream(codec: str, payload: bytes) -> bytes:
    return join_annex_b(split_annex_b(payload)) if codec == "H264" else payload


def read(codec: str, payload: bytes) -> LayerIds:
    reader = layer_reader(codec)
    assert reader is not None
    return reader(payload)


@pytest.mark.parametrize("name", VIDEO)
def test_video_of_browsers(name: str) -> None:
    depacketizer = make_depacketizer(VIDEO[name])
    for index, payloads in enumerate(load_captured_frames(name)):
        frame = depacketizer.assemble(payloads)
        assert frame.keyframe == (index == 0)
        assert depacketizer.starts_frame(payloads[0])
        assert depacketizer.is_keyframe_start(payloads[0]) == (index == 0)
        assert (frame.width, frame.height) == (size_of(name) if index == 0 else (None, None))


@pytest.mark.parametrize("name", VIDEO)
def test_video_of_browsers_is_repacketized_unchanged(name: str) -> None:
    codec = VIDEO[name]
    receiving, sending, receiving_again = (
        make_depacketizer(codec),
        make_packetizer(codec),
        make_depacketizer(codec),
    )
    for payloads in load_captured_frames(name):
        frame = receiving.assemble(payloads)
        sent = sending.packetize(
            make_frame(
                frame.payload,
                codec,
                keyframe=frame.keyframe,
                spatial_id=frame.spatial_id,
                temporal_id=frame.temporal_id,
            ),
            300,
        )
        # Chromium's SPS ends with a zero byte, which is not part of the NAL unit in a byte stream.
        again = receiving_again.assemble(sent)
        assert attrs.evolve(again, payload=b"") == attrs.evolve(frame, payload=b"")
        assert again.payload == as_byte_stream(codec, frame.payload)


@pytest.mark.parametrize("name", ["chromium-opus", "firefox-opus", "chromium-g722", "chromium-pcmu"])
def test_audio_of_browsers(name: str) -> None:
    depacketizer, packetizer = make_depacketizer(CAPTURES[name]), make_packetizer(CAPTURES[name])
    for packet in load_capture(name):
        frame = depacketizer.assemble([packet.payload])
        assert frame.payload == packet.payload
        assert frame.keyframe
        assert packetizer.packetize(make_frame(frame.payload), 1200) == [packet.payload]


def test_dtmf_digit_of_chromium() -> None:
    events = [parse_events(packet.payload)[0] for packet in load_capture("chromium-dtmf")]
    assert {event.event for event in events} == {DTMF_EVENTS["5"]}
    assert [event.end for event in events] == [True] * len(events)
    assert {event.duration for event in events} == {960}
    assert len({packet.timestamp for packet in load_capture("chromium-dtmf")}) == 1


def test_temporal_layers_of_vp8() -> None:
    frames = [read("VP8", payloads[0]) for payloads in load_captured_frames("chromium-vp8-l1t3")]
    assert [frame.temporal_id for frame in frames] == [0, 2, 1, 2, 0]
    assert [frame.layer_sync for frame in frames] == [True, True, True, False, False]
    assert [frame.tl0_picture_index for frame in frames] == [210, 210, 210, 210, 211]
    assert [frame.picture_id for frame in frames] == list(range(28503, 28508))
    assert {frame.picture_id_bits for frame in frames} == {15}


def test_short_descriptor_of_vp8_has_no_layers() -> None:
    for packet in load_capture("chromium-vp8-short-descriptor"):
        assert Vp8Descriptor.parse(packet.payload).size == 1
        assert read("VP8", packet.payload).picture_id is None


def test_spatial_layers_of_vp9() -> None:
    depacketizer = make_depacketizer("VP9")
    layers = []
    for payloads in load_captured_frames("chromium-vp9-l2t3-key"):
        ids = [read("VP9", payload) for payload in payloads]
        assert {one.temporal_id for one in ids} == {ids[0].temporal_id}
        layers.append([one.spatial_id for one in ids if one.starts_layer_frame])
        assert depacketizer.assemble(payloads).spatial_id == 1
    assert layers == [[0, 1]] * 5
    # Only the keyframe's second layer depends on its first one.
    first, second = [read("VP9", payload) for payload in load_captured_frames("chromium-vp9-l2t3-key")[0]]
    assert (first.inter_layer_dependent, second.inter_layer_dependent) == (False, True)


def test_scalability_structure_of_vp9_keyframes() -> None:
    payload = load_capture("chromium-vp9-l2t3-key")[0].payload
    structure = Vp9Descriptor.parse(payload).structure
    assert structure is not None
    assert structure.sizes == ((240, 135), (480, 270))


def test_layers_of_av1() -> None:
    frames = load_captured_frames("chromium-av1-l2t2")
    ids = [[read("AV1", payload) for payload in payloads] for payloads in frames]
    assert [[one.spatial_id for one in frame] for frame in ids] == [[0, 1]] * 5
    assert [frame[0].temporal_id for frame in ids] == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("name", [name for name, codec in CAPTURES.items() if codec in ("VP8", "VP9")])
def test_only_ids_are_rewritten(name: str) -> None:
    codec = CAPTURES[name]
    rewrite = descriptor_rewriter(codec)
    assert rewrite is not None
    for packet in load_capture(name):
        before = read(codec, packet.payload)
        changed = rewrite(packet.payload, picture_id=0x7ABC, tl0=77)
        after = read(codec, changed)
        assert len(changed) == len(packet.payload)
        if before.picture_id is not None:
            assert after.picture_id == (0x7ABC if before.picture_id_bits == 15 else 0x3C)
        if before.tl0_picture_index is not None:
            assert after.tl0_picture_index == 77
        assert rewrite(changed, picture_id=before.picture_id, tl0=before.tl0_picture_index) == packet.payload
