"""What the parser raises."""

from trio_rtc.errors import ProtocolError


class SdpSyntaxError(ProtocolError):
    """A text is not a session description.

    Attributes:
        line_number: The offending line, counted from 1.
        line: That line as it stands in the text, shortened when it is very long.
        reason: What is wrong with it.
    """

    def __init__(self, line_number: int, line: str, reason: str) -> None:
        shown = line if len(line) <= 200 else line[:200] + "…"
        super().__init__(f"line {line_number}: {reason}: {shown!r}")
        self.line_number = line_number
        self.line = shown
        self.reason = reason
