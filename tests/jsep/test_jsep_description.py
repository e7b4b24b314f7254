"""Descriptions with candidates, and the local ends of transports."""

from collections.abc import Callable

import attrs
import pytest

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import local_media
from trio_rtc.enums import RTCSdpType
from trio_rtc.jsep import Description
from trio_rtc.jsep.candidates import add_candidate, append_candidate
from trio_rtc.protocols.sdp import MediaDescription, parse

CANDIDATE = "candidate:1 1 udp 2122194687 192.0.2.1 1111 typ host"


@pytest.mark.parametrize("add", [append_candidate, add_candidate])
def test_text_and_tree_agree(add: Callable[[MediaDescription, str], MediaDescription]) -> None:
    text = REAL_OFFERS["chromium-offer-av"]
    description = Description(RTCSdpType.OFFER, text, parse(text))
    changed = description.with_candidates(1, add(description.parsed.media[1], CANDIDATE))
    assert parse(changed.sdp) == changed.parsed
    assert f"a={CANDIDATE}" in changed.sdp.splitlines()
    assert description.sdp == text


def test_an_unchanged_section_is_the_same_description() -> None:
    text = REAL_OFFERS["chromium-offer-av"]
    description = Description(RTCSdpType.OFFER, text, parse(text))
    assert description.with_candidates(0, description.parsed.media[0]) is description


def test_the_text_of_a_peer_is_kept() -> None:
    text = REAL_OFFERS["chromium-offer-dc"].replace("a=mid:0\n", "a=mid: 0 \n")
    description = Description(RTCSdpType.OFFER, text, parse(text))
    changed = description.with_candidates(0, append_candidate(description.parsed.media[0], CANDIDATE))
    assert changed.sdp == f"{text}a={CANDIDATE}\n"
    assert parse(changed.sdp) == changed.parsed


def test_the_first_transport_has_the_members_of_the_local_media() -> None:
    local = attrs.evolve(local_media("gen1"), candidates=(CANDIDATE,))
    further = attrs.evolve(local.transport(0), username_fragment="gen2")
    local = attrs.evolve(local, further={2: further})
    assert [local.has_transport(number) for number in range(3)] == [True, False, True]
    assert (local.transport(0).username_fragment, local.transport(0).candidates) == ("gen1", (CANDIDATE,))
    assert local.transport(2) is further
