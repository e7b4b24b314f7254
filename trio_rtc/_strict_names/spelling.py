"""The one rule by which W3C's names become Python's.

Interfaces and dictionaries keep their names. Members go from camelCase to snake_case by one regular
expression. Events, which W3C writes without any mark between the words, get their words split by one table;
the attribute that holds a handler (``onicecandidate``) is ``on_`` and the event's Python name
(``on_ice_candidate``).

The API takes its event names from here, a test checks every member of the WebIDL against it, and the
documentation's page of names is printed by it, so that the three cannot disagree.
"""

import keyword
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# A word starts at a capital after a small letter or digit (sdpMid), and at the last capital of a run of
# capitals that is followed by a small letter (sdpMLineIndex). A run at the end is one word (toJSON).
_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

EVENT_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # RTCPeerConnection
        "connectionstatechange": "connection_state_change",
        "datachannel": "data_channel",
        "icecandidate": "ice_candidate",
        "icecandidateerror": "ice_candidate_error",
        "iceconnectionstatechange": "ice_connection_state_change",
        "icegatheringstatechange": "ice_gathering_state_change",
        "negotiationneeded": "negotiation_needed",
        "signalingstatechange": "signaling_state_change",
        "track": "track",
        # RTCPeerConnection, obsolete since streams gave way to tracks
        "addstream": "add_stream",
        "removestream": "remove_stream",
        # RTCDataChannel
        "bufferedamountlow": "buffered_amount_low",
        "close": "close",
        "closing": "closing",
        "error": "error",
        "message": "message",
        "open": "open",
        # MediaStream, MediaStreamTrack
        "addtrack": "add_track",
        "removetrack": "remove_track",
        "ended": "ended",
        "mute": "mute",
        "isolationchange": "isolation_change",
        "unmute": "unmute",
        # RTCDTMFSender
        "tonechange": "tone_change",
        # RTCIceTransport, RTCDtlsTransport, RTCSctpTransport
        "gatheringstatechange": "gathering_state_change",
        "selectedcandidatepairchange": "selected_candidate_pair_change",
        "statechange": "state_change",
    }
)
"""W3C's name of an event → its Python name, for every event of every interface of this package."""


def python_name(idl_name: str) -> str:
    """Return the Python name of a WebIDL attribute, operation, dictionary member or event handler.

    ``"sdpMLineIndex"`` → ``"sdp_m_line_index"``, ``"ondatachannel"`` → ``"on_data_channel"``. A name that is a
    keyword of Python gets an underscore at its end, as PEP 8 recommends.
    """
    event = EVENT_NAMES.get(idl_name.removeprefix("on")) if idl_name.startswith("on") else None
    if event is not None:
        return handler_name(event)
    name = _WORD_START.sub("_", idl_name).lower()
    return f"{name}_" if keyword.iskeyword(name) else name


def handler_name(event: str) -> str:
    """Return the attribute that holds the handler of an event, given the event's Python name."""
    return f"on_{event}"
