"""``python -m trio_rtc.cli`` is the command ``trio-rtc``."""

from . import main

if __name__ == "__main__":
    main()
