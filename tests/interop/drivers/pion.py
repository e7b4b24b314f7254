"""Builds the pion peer from Debian's packages, once for each version of its source."""

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "peers" / "pion"
DEBIAN_LIBRARIES = "/usr/share/gocode"


def build_pion() -> Path:
    """Return the path of the program, built into the user's cache unless it is there.

    Raises:
        subprocess.CalledProcessError: It does not compile; the compiler's output is on standard error.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trio_rtc-interop"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256((SOURCE / "main.go").read_bytes()).hexdigest()
    program = folder / f"pion-{digest[:16]}"
    # Concurrent workers build it once.
    with (folder / "pion.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            unfinished = program.with_suffix(".new")
            environment = {
                "GO111MODULE": "off",
                "GOPATH": DEBIAN_LIBRARIES,
                "GOCACHE": str(folder / "go-build"),
            }
            subprocess.run(
                ["go", "build", "-o", unfinished, "."],
                cwd=SOURCE,
                env={**os.environ, **environment},
                check=True,
            )
            unfinished.rename(program)
    return program
