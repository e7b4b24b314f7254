"""The table of the web-platform-tests' files names existing modules, and each module here stands in it."""

import pytest

from tests.api.web_platform.coverage import FOLDER, LEFT_OUT, TESTED, TESTS, own_module


@pytest.mark.parametrize("file", TESTED)
def test_the_modules_of_a_file_exist(file: str) -> None:
    assert TESTED[file]
    assert [module for module in TESTED[file] if not (TESTS / module).is_file()] == []


def test_every_module_of_this_folder_is_the_own_one_of_a_file() -> None:
    modules = {path.relative_to(TESTS).as_posix() for path in (TESTS / FOLDER).glob("test_wpt_*.py")}
    stems = {own_module(file).removesuffix(".py") for file in TESTED}
    without_file = [each for each in modules if not any(stem.startswith(each[:-3]) for stem in stems)]
    assert without_file == []
    assert modules == {module for listed in TESTED.values() for module in listed if module.startswith(FOLDER)}


def test_a_file_is_listed_once_and_in_order() -> None:
    assert not TESTED.keys() & LEFT_OUT.keys()
    assert list(TESTED) == sorted(TESTED)
    assert list(LEFT_OUT) == sorted(LEFT_OUT)


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("RTCDataChannel-binaryType.window.js", "data_channel_binary_type"),
        ("RTCPeerConnection-restartIce.https.html", "peer_connection_restart_ice"),
        ("RTCDTMFSender-insertDTMF.https.html", "dtmf_sender_insert_dtmf"),
        ("RTCPeerConnectionIceEvent-constructor.html", "peer_connection_ice_event_constructor"),
        ("legacy/RTCRtpSender-x.html", "legacy_rtp_sender_x"),
    ],
)
def test_the_name_of_an_own_module(file: str, module: str) -> None:
    assert own_module(file) == f"{FOLDER}/test_wpt_{module}.py"
