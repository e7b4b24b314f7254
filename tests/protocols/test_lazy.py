"""``trio_rtc.protocols._lazy``: names that are imported at their first use."""

import sys
from types import ModuleType

import pytest

from trio_rtc.protocols._lazy import lazy_names


def test_name_is_imported_at_its_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("made_up")
    package.__path__ = []
    package.__getattr__ = lazy_names("made_up", {"inner": ("Name",)})  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "made_up", package)
    with pytest.raises(ModuleNotFoundError, match=r"made_up\.inner"):
        _ = package.Name
    inner = ModuleType("made_up.inner")
    inner.Name = 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_up.inner", inner)
    assert package.Name == 7
    assert vars(package)["Name"] == 7


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'made_up' has no attribute 'Other'$"):
        lazy_names("made_up", {"inner": ("Name",)})("Other")
