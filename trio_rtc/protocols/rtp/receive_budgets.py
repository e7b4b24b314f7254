"""The budgets that the incoming streams of a session share."""

from .buffer_budget import BufferBudget, SharedLimit, largest, oldest
from .options import RtpOptions


class ReceiveBudgets:
    """The budgets of one session.

    Args:
        options: Of the session.

    Attributes:
        early_media: For the first packets of video that nobody wants yet.
        assembly: For the packets of video whose frame is not complete.
        held: For the frames of video that are complete and wait for the audio.
        fec: For the packets that forward error correction needs to recover others.
    """

    __slots__ = ("assembly", "early_media", "fec", "held")

    def __init__(self, options: RtpOptions) -> None:
        self.early_media = BufferBudget(options.max_early_media_bytes, oldest)
        self.assembly = BufferBudget(options.max_assembly_bytes, largest)
        self.held = SharedLimit(options.max_held_bytes)
        self.fec = BufferBudget(options.max_fec_bytes, largest)

    def counters(self) -> dict[str, float]:
        """Return what was counted, by names for statistics."""
        return {
            "early_media_dropped": self.early_media.discarded,
            "assembly_dropped": self.assembly.discarded,
            "fec_dropped": self.fec.discarded,
        }
