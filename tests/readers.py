"""The readers of other projects that the tests of the exporters read with; tests/readers.lock brings them."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import pytest

_UNUSED_BY_MDS = (
    "snappy",
    "torchvision",
    "torchvision.datasets",
    "torchvision.transforms",
    "torchvision.transforms.functional",
    "transformers",
    "transformers.feature_extraction_utils",
    "transformers.models",
    "transformers.models.auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.tokenization_utils_base",
    "zstd",
)
"""What MosaicML's streaming imports for compressed files, and for data sets of pictures and tokenizers of its own."""


class _StandIn(ModuleType):
    """A module any name of which is an empty class."""

    __path__ = ()  # a package, to the import system

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def reader(name: str) -> ModuleType:
    """The module of that name; where it is missing, or is torch without the libraries of its GPU, the test is skipped."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        pytest.skip(f"{name} cannot be imported: {error}", allow_module_level=True)


def mds() -> ModuleType:
    """MosaicML's streaming, without the packages that only its other data sets use; the test is skipped like `reader`'s."""
    reader("torch")
    absent = {name: _StandIn(name) for name in _UNUSED_BY_MDS if name not in sys.modules}
    sys.modules.update(absent)
    try:
        return reader("streaming")
    finally:
        for name in absent:
            del sys.modules[name]
