"""The command ``trio-rtc``. Needs the extra ``cli`` (click and rich)."""

import importlib.util
import sys


def main() -> None:
    """Run the command, or say what is missing."""
    missing = [name for name in ("click", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f'trio-rtc needs {" and ".join(missing)}: python -m pip install "trio-rtc[cli]"')
    from .commands import cli  # noqa: PLC0415 - only now it is known that it can be imported

    cli()
