"""Tests on kernel networks: run with the interoperability tests, since they need root and real time."""

import os

collect_ignore_glob = [] if os.environ.get("TRIO_RTC_INTEROP") == "1" else ["test_*.py"]
