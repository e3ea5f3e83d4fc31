"""Great Expectations, imported late and without what none of its checks here ever uses."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_FOR_DISTRIBUTIONS_ALONE = ("altair", "scipy.stats")
"""What it imports to test and draw distributions: a quarter of its import, and 70 MB."""


class _UponUse(ModuleType):
    """Stands in for a module, and imports it when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


def import_library() -> None:
    """Import Great Expectations, which takes some 4 s in a fresh process."""
    # Read while it is imported: no events to its makers.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with _upon_use(*_FOR_DISTRIBUTIONS_ALONE):
        importlib.import_module("great_expectations")


@contextmanager
def _upon_use(*names: str) -> Iterator[None]:
    """Whatever imports one of these modules meanwhile gets it when it uses it."""
    names = tuple(name for name in names if name not in sys.modules)
    sys.modules.update({name: _UponUse(name) for name in names})
    try:
        yield
    finally:
        for name in names:
            if isinstance(sys.modules.get(name), _UponUse):
                del sys.modules[name]
