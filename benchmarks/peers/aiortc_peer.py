"""aiortc's process of a measurement."""

from benchmarks.peers.asyncio_peer import main
from tests.interop.peers.aiortc_peer import AiortcEngine

LEAST_HIGH_WATER = 16 * 1024
"""What it does best with: it sends a packet a message, and more in flight overflow the receiving socket's buffer."""

if __name__ == "__main__":
    main(AiortcEngine(), least_high_water=LEAST_HIGH_WATER)
