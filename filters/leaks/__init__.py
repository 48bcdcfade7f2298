"""Copies of evaluation sets in documents: which item, what of it, and where."""

from filters.leaks.decide import cut, verdict
from filters.leaks.index import Index
from filters.leaks.model import ItemSet, Leak, LeakLimits

__all__ = ["Index", "ItemSet", "Leak", "LeakLimits", "cut", "verdict"]
