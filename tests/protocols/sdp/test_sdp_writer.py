"""Real descriptions are unchanged after parsing and writing."""

import pathlib

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.descriptions import REAL_OFFERS, session_descriptions
from trio_rtc.protocols.sdp import Attribute, SessionDescription, append_attributes, parse, write

DATA = pathlib.Path(__file__).parents[2] / "data" / "sdp"


@pytest.mark.parametrize("name", REAL_OFFERS)
def test_real_offers_are_written_unchanged(name: str) -> None:
    text = REAL_OFFERS[name]
    assert write(parse(text)).splitlines() == text.splitlines()


def test_every_data_file_is_used() -> None:
    assert {path.stem for path in DATA.glob("*.sdp")} == set(REAL_OFFERS)
    assert len(REAL_OFFERS) >= 13


@pytest.mark.parametrize("name", REAL_OFFERS)
def test_writing_is_stable(name: str) -> None:
    description = parse(REAL_OFFERS[name])
    assert parse(write(description)) == description


@given(session_descriptions())
def test_written_descriptions_are_parsed_unchanged(description: SessionDescription) -> None:
    assert parse(write(description)) == description


def test_lines_end_with_crlf() -> None:
    text = write(parse(REAL_OFFERS["firefox-offer-av"]))
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")


@given(st.sampled_from(sorted(REAL_OFFERS)), st.data())
def test_unknown_attributes_keep_their_place(name: str, data: st.DataObject) -> None:
    description = parse(REAL_OFFERS[name])
    index = data.draw(st.integers(0, len(description.media) - 1))
    media = description.media[index]
    place = data.draw(st.integers(0, len(media.attributes)))
    unknown = Attribute("x-unknown", "some: value")
    attributes = (*media.attributes[:place], unknown, *media.attributes[place:])
    changed = attrs.evolve(
        description,
        media=(
            *description.media[:index],
            attrs.evolve(media, attributes=attributes),
            *description.media[index + 1 :],
        ),
    )
    assert parse(write(changed)) == changed


def test_lines_may_end_with_lf_and_blank_lines_may_follow() -> None:
    text = REAL_OFFERS["chromium-offer-dc"].replace("\r\n", "\n")
    assert parse(text + "\n\r\n\n") == parse(text.replace("\n", "\r\n"))


@given(st.sampled_from(sorted(REAL_OFFERS)), st.data())
def test_attributes_are_appended_to_unchanged_text(name: str, data: st.DataObject) -> None:
    text = REAL_OFFERS[name].replace("\r\n", data.draw(st.sampled_from([" \r\n", "\r\n", "\n"])))
    text = data.draw(st.sampled_from([text, text.rstrip("\r\n"), text + "\r\n"]))
    description = parse(text)
    index = data.draw(st.integers(0, len(description.media) - 1))
    added = (Attribute("x-added", "one"), Attribute("x-added"))
    changed = append_attributes(text, index, added)
    section = parse(changed).media[index]
    assert section.attributes[-2:] == added
    assert section.attributes[:-2] == description.media[index].attributes
    kept = [line for line in changed.splitlines(keepends=True) if not line.startswith("a=x-added")]
    assert "".join(kept).rstrip("\r\n") == text.rstrip("\r\n")
