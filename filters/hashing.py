"""The hashes of compiled code: FNV-1a over bytes, and SplitMix64's multiplier and finaliser over words."""

from __future__ import annotations

import numpy as np

from filters.compiled import inlined

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@inlined
def mix(value: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64: spreads every input bit over the output."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
