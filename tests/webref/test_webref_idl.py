"""The package and the repository's WebIDL files have what W3C's own WebIDL declares, except what is listed."""

import os
from pathlib import Path

from tests.api.w3c_conformance import differing_arguments, differing_defaults, exists, values_of
from tests.api.w3c_coverage import (
    ADDED,
    DIFFERING_ARGUMENTS,
    DIFFERING_DEFAULTS,
    LEFT_OUT,
    MAPPINGS,
    OWN_TEXT,
    Status,
    definitions,
    enumerations,
    is_left_out,
    members,
)
from tests.api.webidl import declarations

SPECIFICATIONS = (
    "webrtc",
    "webrtc-stats",
    "webrtc-identity",
    "webrtc-priority",
    "webrtc-svc",
    "webrtc-ice",
    "webrtc-encoded-transform",
    "mst-content-hint",
    "mediacapture-streams",
    "mediacapture-extensions",
)
FOLDER = Path(os.environ["TRIO_RTC_WEBREF"])
TEXT = "\n".join((FOLDER / f"{name}.idl").read_text(encoding="utf-8") for name in SPECIFICATIONS)
DECLARED, OWN = declarations(TEXT), declarations(OWN_TEXT)


def keys(declared: set[tuple[str, str, str]], table: dict[str, str]) -> set[str]:
    """Return the keys that a table needs for some declarations, which are those of definitions or of members."""
    paths = {f"{definition}.{member}": definition for definition, member, _ in declared}
    return {path if path in table else definition for path, definition in paths.items()}


def test_each_member_exists_under_its_python_name() -> None:
    found = [
        member
        for definition in definitions(TEXT).values()
        if definition.name not in MAPPINGS
        for member in members(definition)
        if not is_left_out(definition.name, member.idl_name)
    ]
    assert len(found) > 550
    assert [member for member in found if exists(member) != (member.status is Status.PRESENT)] == []


def test_each_argument_and_default_agrees() -> None:
    assert differing_arguments(TEXT) == {
        name for name in DIFFERING_ARGUMENTS if not name.startswith("EventTarget.")
    }
    assert differing_defaults(TEXT) == {
        name for name in DIFFERING_DEFAULTS if name.split(".")[0] not in ADDED
    }


def test_each_enumeration_has_all_values() -> None:
    found = {name: values for name, values in enumerations(TEXT).items() if name not in LEFT_OUT}
    assert len(found) > 25
    for name, values in found.items():
        assert set(values_of(name)) == set(values), name


def test_own_files_lack_only_what_is_listed_as_left_out() -> None:
    assert keys(DECLARED - OWN, LEFT_OUT) == set(LEFT_OUT)


def test_own_files_add_only_what_is_listed() -> None:
    assert keys(OWN - DECLARED, ADDED) == set(ADDED)
