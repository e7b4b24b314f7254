"""The error of the SDP parser."""

from trio_rtc.errors import ProtocolError


class SdpSyntaxError(ProtocolError):
    """A text is not a valid session description.

    Attributes:
        line_number: The malformed line, counted from 1.
        line: The text of that line, truncated to 200 characters.
        reason: The violated rule.
    """

    def __init__(self, line_number: int, line: str, reason: str) -> None:
        shown = line if len(line) <= 200 else line[:200] + "…"
        super().__init__(f"line {line_number}: {reason}: {shown!r}")
        self.line_number = line_number
        self.line = shown
        self.reason = reason
