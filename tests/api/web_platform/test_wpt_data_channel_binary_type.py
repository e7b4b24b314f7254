"""``binary_type`` (W3C webrtc section 6.2)."""

import pytest

from trio_rtc import BinaryType, RTCPeerConnection


@pytest.mark.parametrize("name", ["blob", "arraybuffer"])
def test_valid_values(name: str) -> None:
    channel = RTCPeerConnection().create_data_channel("chat")
    assert channel.binary_type == "arraybuffer"
    channel.binary_type = BinaryType(name)
    assert channel.binary_type == name


@pytest.mark.parametrize("wrong", ["jellyfish", "arraybuffer ", "", None, 5])
def test_invalid_values_change_nothing(wrong: object) -> None:
    channel = RTCPeerConnection().create_data_channel("chat")
    channel.binary_type = BinaryType.BLOB
    with pytest.raises(TypeError):
        channel.binary_type = wrong  # type: ignore[assignment]
    assert channel.binary_type == "blob"
