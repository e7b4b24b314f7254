"""All targets by name."""

from .cores import CORES
from .parsers import PARSERS
from .target import Target

TARGETS: dict[str, Target] = {target.name: target for target in (*PARSERS, *CORES)}
