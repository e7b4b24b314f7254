"""Puts the relay into the place of the peers' own candidates."""

import re

_CANDIDATE = re.compile(
    r"a=candidate:\S+ 1 udp \d+ (?P<host>\d+\.\d+\.\d+\.\d+) (?P<port>\d+) typ host.*", re.IGNORECASE
)


def address_of(sdp: str) -> tuple[str, int]:
    """Return the address of the first candidate for UDP over IPv4.

    Raises:
        ValueError: There is none.
    """
    if match := _CANDIDATE.search(sdp):
        return match["host"], int(match["port"])
    raise ValueError("no candidate for UDP over IPv4 in the description")


def through_relay(sdp: str, port: int) -> str:
    """Return a description whose only candidate is a port of the relay, under the host of the first candidate."""
    host, _ = address_of(sdp)
    ours = f"a=candidate:1 1 udp 2130706431 {host} {port} typ host"
    lines: list[str] = []
    for line in sdp.splitlines():
        if _CANDIDATE.match(line) and ours not in _last_section(lines):
            lines.append(ours)
        elif not line.startswith("a=candidate:"):
            lines.append(line)
    return "\r\n".join([*lines, ""])


def _last_section(lines: list[str]) -> list[str]:
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    return lines[starts[-1] :] if starts else lines
