"""libwebrtc's process of a measurement, by the package ``wrtc``."""

from benchmarks.peers.asyncio_peer import main
from tests.interop.peers.wrtc_peer import WrtcEngine

LEAST_HIGH_WATER = 1024 * 1024
"""What it does best with."""

if __name__ == "__main__":
    main(WrtcEngine(), least_high_water=LEAST_HIGH_WATER)
