"""Comparison with W3C's own WebIDL: run by ``nox -s webidl``, which fetches it, or by pytest with its folder.

The folder is that of the npm package ``@webref/idl``, in ``TRIO_RTC_WEBREF`` of the environment.
"""

import os

collect_ignore_glob = [] if "TRIO_RTC_WEBREF" in os.environ else ["test_*.py"]
