"""Payload formats by name."""

from random import Random

import pytest

from tests.strategies.rtp_payloads import load_sample
from trio_rtc.protocols.rtp.payload import (
    depacketizer,
    descriptor_rewriter,
    layer_reader,
    packetizer,
    payload_duration,
)
from trio_rtc.protocols.rtp.payload.h264 import H264Packetizer
from trio_rtc.protocols.rtp.payload.vp8 import Vp8Depacketizer, Vp8Packetizer

KNOWN = (
    "opus",
    "PCMU",
    "PCMA",
    "G722",
    "CN",
    "telephone-event",
    "VP8",
    "VP9",
    "H264",
    "H265",
    "AV1",
)


@pytest.mark.parametrize("name", [*KNOWN, *map(str.lower, KNOWN), *map(str.upper, KNOWN)])
def test_known_codecs(name: str) -> None:
    assert packetizer(name, {}, Random(1)) is not None
    assert depacketizer(name, {}) is not None


@pytest.mark.parametrize("name", ["", "rtx", "red", "ulpfec", "L16", "VP10"])
def test_unknown_codecs(name: str) -> None:
    assert packetizer(name, {}, Random(1)) is None
    assert depacketizer(name, {}) is None
    assert layer_reader(name) is None
    assert descriptor_rewriter(name) is None


def test_each_stream_has_its_own_state() -> None:
    rng = Random(1)
    first, second = packetizer("vp8", {}, rng), packetizer("vp8", {}, rng)
    assert isinstance(first, Vp8Packetizer)
    assert first is not second
    assert isinstance(depacketizer("vp8", {}), Vp8Depacketizer)


@pytest.mark.parametrize(
    ("parameters", "known"),
    [
        ({}, True),
        ({"packetization-mode": "0"}, True),
        ({"packetization-mode": "1"}, True),
        ({"packetization-mode": "2"}, False),
        ({"packetization-mode": "x"}, False),
    ],
)
def test_packetization_modes(parameters: dict[str, str], known: bool) -> None:
    assert isinstance(packetizer("H264", parameters, Random(1)), H264Packetizer) is known
    assert (depacketizer("H264", parameters) is not None) is known


@pytest.mark.parametrize("value", ["", ",", "!!", "Z0LADA==,", "é"])
def test_malformed_parameter_sets_are_ignored(value: str) -> None:
    assert depacketizer("H264", {"sprop-parameter-sets": value}) is not None


@pytest.mark.parametrize(
    ("name", "reads", "rewrites"),
    [
        ("VP8", True, True),
        ("vp9", True, True),
        ("H264", True, False),
        ("AV1", True, False),
        ("H265", False, False),
        ("opus", False, False),
    ],
)
def test_functions_for_forwarding_servers(name: str, reads: bool, rewrites: bool) -> None:
    assert (layer_reader(name) is not None) is reads
    assert (descriptor_rewriter(name) is not None) is rewrites


def test_durations_by_name() -> None:
    assert [payload_duration("OPUS", payload) for _, payload in load_sample("libopus")] == [960] * 5
    # 20 ms: 160 samples of G.711 in as many bytes; 320 samples of G.722 in 160 bytes, but a clock rate of 8000.
    assert [payload_duration(codec, bytes(160)) for codec in ("PCMU", "pcma", "G722")] == [160] * 3
    assert payload_duration("VP8", bytes(160)) is None
