"""``python -m trio_rtc`` is the command ``trio-rtc``; without the extra ``cli`` it says how to install that."""

from trio_rtc.cli import main

if __name__ == "__main__":
    main()
