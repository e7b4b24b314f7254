"""An ICE generation: credentials, remote candidates and check list, which a restart replaces (RFC 8445 section 9)."""

import random
import re

from trio_rtc.protocols._contract import Address

from .check_list import CheckList
from .options import IceOptions
from .remote_candidates import EarlyCheck, RemoteCandidates
from .state import CheckedPair, IceParameters

ICE_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_USERNAME_FRAGMENT_LENGTH = 8  # 48 bits; RFC 8445 section 5.3: at least 24
_PASSWORD_LENGTH = 24  # 144 bits; RFC 8445 section 5.3: at least 128

_ICE_TEXT = re.compile(f"[{re.escape(ICE_CHARACTERS)}]*")


def check_credentials(username_fragment: str, password: str) -> None:
    """Check credentials that the application supplies (RFC 8839 section 5.4). The message omits the password.

    Raises:
        ValueError: They are too short, too long, or have other characters than letters, digits, ``+`` and ``/``.
    """
    for name, text, minimum in (("username fragment", username_fragment, 4), ("password", password, 22)):
        if not minimum <= len(text) <= 256 or _ICE_TEXT.fullmatch(text) is None:
            raise ValueError(
                f"ICE {name} must have {minimum} to 256 letters, digits, '+' and '/', "
                f"not {len(text)} characters{'' if name == 'password' else f', {text!r:.100}'}"
            )


class Generation:
    """State between two ICE restarts.

    Attributes:
        checking_since: Start of the time until checking ends; ``None`` before there is a pair or end-of-candidates.
        nominating: Pair whose nomination is in progress (controlling).
    """

    def __init__(self, options: IceOptions, rng: random.Random, local: IceParameters | None = None) -> None:
        self.local = local or IceParameters(
            _choose_characters(rng, _USERNAME_FRAGMENT_LENGTH), _choose_characters(rng, _PASSWORD_LENGTH)
        )
        self.remote: IceParameters | None = None
        self.remote_candidates = RemoteCandidates(options.max_remote_candidates, options.max_peer_reflexive)
        self.check_list = CheckList(options.max_pairs)
        self.checking_since: float | None = None
        self.nominating: CheckedPair | None = None
        self._max_early_checks = options.max_early_checks
        self._early_checks: dict[tuple[Address, Address], EarlyCheck] = {}

    def store_early_check(self, check: EarlyCheck) -> None:
        """Store a check until the peer's parameters are known; above the limit the oldest is dropped."""
        key = (check.base, check.remote)
        known = self._early_checks.pop(key, None)
        if known is not None and known.use_candidate and not check.use_candidate:
            check = known
        self._early_checks[key] = check
        if len(self._early_checks) > self._max_early_checks:
            del self._early_checks[next(iter(self._early_checks))]

    def pop_early_checks(self) -> list[EarlyCheck]:
        """Remove and return the stored checks in order of arrival."""
        checks = list(self._early_checks.values())
        self._early_checks.clear()
        return checks


def _choose_characters(rng: random.Random, length: int) -> str:
    return "".join(rng.choice(ICE_CHARACTERS) for _ in range(length))
