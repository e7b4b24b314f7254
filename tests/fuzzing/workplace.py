"""Folders of a run for its corpora, findings and logs, and the forked processes."""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from .target import Target


@attrs.frozen
class Workplace:
    """The folders of a run.

    Attributes:
        root: The parent folder.
    """

    root: Path

    def corpus_folder(self, name: str) -> Path:
        """Return the folder of a target's inputs."""
        return self._folder("corpus", name)

    def corpus(self, target: "Target") -> Path:
        """Return the folder of a target's inputs, with its seeds."""
        folder = self.corpus_folder(target.name)
        for seed in target.seeds():
            (folder / hashlib.sha256(seed).hexdigest()[:40]).write_bytes(seed[: target.max_length])
        return folder

    def findings(self, name: str) -> Path:
        """Return the folder of a target's failing inputs."""
        return self._folder("findings", name)

    def run_forked(self, name: str, start: Callable[[], object]) -> tuple[int, str]:
        """Run a function in a forked process, which need not import anything again.

        Returns:
            The exit status and the output.
        """
        log = self._folder("logs") / f"{name}.log"
        sys.stdout.flush()
        process = os.fork()
        if process == 0:
            with log.open("wb") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            start()
            # libFuzzer writes a finding at an orderly exit, not with os._exit.
            raise SystemExit
        _, status = os.waitpid(process, 0)
        return os.waitstatus_to_exitcode(status), log.read_text(errors="replace")

    def _folder(self, *names: str) -> Path:
        folder = self.root.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
