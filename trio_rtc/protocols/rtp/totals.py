"""The counters of a session added up over its streams, those that have ended included."""

from collections.abc import Mapping
from typing import Any

import attrs

from .incoming import IncomingStream
from .outgoing import OutgoingStream

Totals = dict[str, float]


def add_to(totals: Totals, more: Mapping[str, float]) -> None:
    """Add numbers to those of the same names."""
    for name, value in more.items():
        totals[name] = totals.get(name, 0) + value


def numbers_of(counters: Any, prefix: str = "") -> Totals:
    """Return the numbers among the fields of an attrs object."""
    return {
        f"{prefix}{field.name}": value
        for field in attrs.fields(type(counters))
        if isinstance(value := getattr(counters, field.name), int | float)
    }


def incoming_totals(stream: IncomingStream) -> Totals:
    """Return what one incoming stream has counted."""
    meters = stream.meters
    return {
        "incoming_packets": stream.statistics.packets,
        "incoming_payload_bytes": stream.statistics.bytes,
        **numbers_of(stream.counters, "incoming_"),
        **numbers_of(stream.repairs, "incoming_fec_"),
        **numbers_of(meters.assembler, "assembler_"),
        **numbers_of(meters.playout, "playout_"),
        "playout_malformed": meters.malformed,
        "frames_emitted": meters.emitted,
        "frames_assembled": meters.assembled,
        "freezes": meters.intervals.freezes,
        "pauses": meters.intervals.pauses,
        **stream.repair_counters(),
    }


def outgoing_totals(stream: OutgoingStream) -> Totals:
    """Return what one outgoing stream has counted."""
    return {**numbers_of(stream.counters, "outgoing_"), **stream.retransmissions.counters()}
