"""The pair that data is sent on."""

import attrs

from .consent import Consent
from .generation import Generation
from .state import CheckedPair


@attrs.frozen(eq=False)
class Selection:
    """The selected pair, whose generation may be the one before a restart.

    Attributes:
        pair: The pair.
        generation: Whose credentials its consent checks have.
        consent: Its freshness.
    """

    pair: CheckedPair
    generation: Generation
    consent: Consent
