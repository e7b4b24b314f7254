"""WebRTC for trio: W3C's RTCPeerConnection under structured concurrency.

Every public name is here; ``trio_rtc.signaling`` and ``trio_rtc.testing`` are imported by themselves. The names are
loaded when the first of them is used (PEP 562), so that ``import trio_rtc.protocols.sctp`` costs SCTP only.
"""

import gc as _gc
from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ._public import *  # noqa: F403
    from ._public import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        """Return a submodule or a public name; all public names are attributes of this module from then on."""
        if not name.startswith("__") and _find_spec(f"{__name__}.{name}") is not None:
            return _import_module(f"{__name__}.{name}")
        if not name.startswith("__") or name == "__all__":
            public = _load_public_names()
            names = {each: getattr(public, each) for each in public.__all__}
            globals().update(names, __all__=["__version__", *names])
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def _load_public_names() -> _ModuleType:
        was_enabled = _gc.isenabled()
        # Collections take a seventh of the loading time and find nothing: the objects of modules stay.
        _gc.disable()
        try:
            return _import_module(f"{__name__}._public")
        except AttributeError as error:
            # An AttributeError of __getattr__ would hide its cause: "cannot import name".
            raise ImportError(f"cannot load the public names of {__name__}: {error}") from error
        finally:
            if was_enabled:
                _gc.enable()

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})
