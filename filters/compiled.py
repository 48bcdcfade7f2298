"""Compiled functions: numba's, with a cache that notices when any of them changes.

numba keys its cache by the file of a function alone, but freezes constants of other files into the machine code.
So the cache lies in a directory named after the contents of all files that hold compiled functions or constants:
under `filters/` and `synth/` those that import this one. A constant that a compiled function uses stands in such a
file.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numba
import numba.core.entrypoints
import numba.extending

_njit: Any = numba.njit

F = TypeVar("F", bound=Callable[..., Any])

_ROOT = Path(__file__).resolve().parents[1]


def _sources() -> Iterator[bytes]:
    yield Path(__file__).read_bytes()
    for path in sorted((_ROOT / "pipelines/extract/html").glob("*.py")):
        yield path.read_bytes()
    for folder in ("filters", "synth"):
        for path in sorted((_ROOT / folder).rglob("*.py")):
            content = path.read_bytes()
            if b"from filters.compiled import" in content:
                yield content


def _use_cache() -> None:
    digest = hashlib.sha256()
    for content in _sources():
        digest.update(content)
    for base in (Path(__file__).parent / "__pycache__", Path.home() / ".cache" / "syscorpus"):
        place = base / f"kernels-{digest.hexdigest()[:16]}"
        try:
            if not place.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                for other in base.glob("kernels-*"):
                    if other != place:
                        shutil.rmtree(other, ignore_errors=True)
        except OSError:
            continue
        setattr(numba.config, "CACHE_DIR", str(place))  # noqa: B010 - numba makes its settings when it is imported
        return


_use_cache()
# Else numba's first use imports what other packages add to it: awkward, for half a second of every process.
numba.core.entrypoints._already_initialized = True


def compiled(function: F) -> F:
    """A compiled function that Python calls."""
    kernel: F = _njit(cache=True)(function)
    return kernel


def inner(function: F) -> F:
    """A compiled function that compiled functions call.

    It allocates nothing, so numba's reference counts of its arrays can go: they cost more than the work (pages/s of
    the renderer: 2,100 with them, 8,500 without).
    """
    kernel: F = _njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)(function)
    return kernel


def generated(function: Callable[..., Any]) -> Any:
    """A compiled function that writes its own machine code: for what has no name in Python."""
    return numba.extending.intrinsic(function)


def inlined(function: F) -> F:
    """An inner function whose code takes the place of each call."""
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False, "inline": "always"}
    kernel: F = _njit(cache=True, **options)(function)
    return kernel
