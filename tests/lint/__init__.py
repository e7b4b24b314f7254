"""Checks of language and structure that no published linter makes; ``nox -s lint`` runs them."""
