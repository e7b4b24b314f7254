"""Mutants that behave like the program: no test can notice them, so they are left out, each for its reason."""

EQUIVALENT: dict[tuple[str, str], str] = {}
"""File and description, as the list of survivors has them → why nothing changes."""
