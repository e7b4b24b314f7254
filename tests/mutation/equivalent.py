"""Mutants that behave like the program: no test can notice them, so they are not run, each for its reason."""

_SCTP = "trio_rtc/protocols/sctp"

EQUIVALENT: dict[tuple[str, str], str] = {
    (
        f"{_SCTP}/association.py",
        "Association.handle_timer: block is None or now < block.next_timer()  ->  (block is None)",
    ): "Each part acts only on what is due, so that this return saves time and nothing else.",
    (
        f"{_SCTP}/tx/transmitter.py",
        "Transmitter.__init__: 0.0  ->  (1.0)",
    ): "The time of the timed chunk is read only while there is one, and set with it.",
    (
        "trio_rtc/protocols/ice/checks.py",
        "Requester.__init__: 2  ->  (3)",
    ): "More transactions than the smaller limit are never open: each kind of request is bounded by itself.",
}
"""File and name, as the list of survivors has them → why nothing changes."""
