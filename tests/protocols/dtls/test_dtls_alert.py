"""The codec of alerts."""

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.alert import Alert


def test_an_unknown_alert_has_a_name() -> None:
    assert Alert(2, 255).name == "alert 255"
    assert Alert(2, 40).name == "handshake_failure"


def test_an_alert_has_a_level_and_a_description() -> None:
    assert Alert.parse(b"\1\x5a") == Alert(1, 90)
    assert Alert(1, 90).encode() == b"\1\x5a"
    for wrong in (b"", b"\1", b"\1\0\1"):
        with pytest.raises(ProtocolError, match=f"alert of {len(wrong)} bytes"):
            Alert.parse(wrong)
