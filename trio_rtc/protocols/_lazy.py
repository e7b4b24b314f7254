"""Names of a package that are imported at their first use (PEP 562)."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, modules: Mapping[str, tuple[str, ...]]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package, which has for each of its ``modules`` the names defined there."""
    module_by_name = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> object:
        if name not in module_by_name:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{module_by_name[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
