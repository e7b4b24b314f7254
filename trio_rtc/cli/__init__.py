"""The command ``trio-rtc``. Requires the extra ``cli`` (click and rich)."""

import importlib.util
import sys


def main() -> None:
    """Run the command, or exit with a message that names the missing packages."""
    missing = [name for name in ("click", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f'trio-rtc requires {" and ".join(missing)}: python -m pip install "trio-rtc[cli]"')
    from .commands import cli  # noqa: PLC0415 - may be unavailable

    cli()
