"""The budgets that the incoming streams of a session share."""

from .buffer_budget import BufferBudget, oldest
from .options import RtpOptions


class ReceiveBudgets:
    """The budgets of one session.

    Args:
        options: Of the session.

    Attributes:
        early_media: For the first packets of video that nobody wants yet.
    """

    __slots__ = ("early_media",)

    def __init__(self, options: RtpOptions) -> None:
        self.early_media = BufferBudget(options.max_early_media_bytes, oldest)

    def counters(self) -> dict[str, float]:
        """Return what was counted, by names for statistics."""
        return {"early_media_dropped": self.early_media.discarded}
