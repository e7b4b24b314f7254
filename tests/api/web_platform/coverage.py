"""The files of the web-platform-tests' folder ``webrtc``, and which modules here check the same behaviour.

A module of a file's own is in this folder, and its name is made from the file's (``own_module``).
"""

import re
from collections.abc import Mapping
from pathlib import Path

TESTS = Path(__file__).parents[2]
FOLDER = "api/web_platform"

TESTED: Mapping[str, tuple[str, ...]] = {
    "RTCDataChannel-GC.html": ("api/web_platform/test_wpt_data_channel_gc.py",),
    "RTCDataChannel-binaryType.window.js": ("api/web_platform/test_wpt_data_channel_binary_type.py",),
    "RTCDataChannel-bufferedAmount.html": (
        "api/web_platform/test_wpt_data_channel_buffered_amount.py",
        "data_channels/test_data_channel.py",
    ),
    "RTCDataChannel-close.html": (
        "api/web_platform/test_wpt_data_channel_close.py",
        "data_channels/test_channel_table.py",
    ),
    "RTCDataChannel-iceRestart.html": ("api/web_platform/test_wpt_data_channel_ice_restart.py",),
    "RTCDataChannel-id.html": (
        "api/web_platform/test_wpt_data_channel_id.py",
        "data_channels/test_channel_table.py",
    ),
    "RTCDataChannel-send-blob-order.html": ("api/web_platform/test_wpt_data_channel_send.py",),
    "RTCDataChannel-send-close-array-buffer-negotiated.window.js": (
        "api/web_platform/test_wpt_data_channel_send_close.py",
    ),
    "RTCDataChannel-send-close-array-buffer.window.js": (
        "api/web_platform/test_wpt_data_channel_send_close.py",
    ),
    "RTCDataChannel-send-close-string-negotiated.window.js": (
        "api/web_platform/test_wpt_data_channel_send_close.py",
    ),
    "RTCDataChannel-send-close-string.window.js": ("api/web_platform/test_wpt_data_channel_send_close.py",),
    "RTCDataChannel-send.html": (
        "api/web_platform/test_wpt_data_channel_send.py",
        "data_channels/test_message_encoding.py",
    ),
    "RTCDataChannelEvent-constructor.html": ("api/web_platform/test_wpt_data_channel_event_constructor.py",),
    "RTCDataChannelInit-maxPacketLifeTime-enforce-range.html": ("data_channels/test_channel_init.py",),
    "RTCDataChannelInit-maxRetransmits-enforce-range.html": ("data_channels/test_channel_init.py",),
    "RTCPeerConnection-createDataChannel.html": (
        "api/web_platform/test_wpt_peer_connection_create_data_channel.py",
        "data_channels/test_channel_init.py",
    ),
    "RTCPeerConnection-ondatachannel.html": ("api/web_platform/test_wpt_peer_connection_ondatachannel.py",),
}
"""The modules below ``tests`` that check a file's behaviour, the module of its own first."""

_NO_BLOB = "Python has no Blob: binary messages are bytes"
_NO_CLONE = "browsers only: structured clones for postMessage and IndexedDB"
_NO_WORKER = "browsers only: workers"

LEFT_OUT: Mapping[str, str] = {
    "RTCCertificate-postMessage.html": _NO_CLONE,
    "RTCDataChannel-send-close-blob-negotiated.window.js": _NO_BLOB,
    "RTCDataChannel-send-close-blob.window.js": _NO_BLOB,
    "RTCDataChannel-worker-GC.html": _NO_WORKER,
}
"""The files of which nothing applies, and the reason."""


def own_module(file: str) -> str:
    """Return the path of a file's own module: its name without the first ``RTC``, in snake_case."""
    words = re.sub(r"(\.https)?(\.window\.js|\.html)$", "", file).removeprefix("RTC").replace("-", "_")
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words)
    snake = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).lower()
    return f"{FOLDER}/test_wpt_{snake}.py"
