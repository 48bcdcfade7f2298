"""What of a bulk source is wanted, by its name."""

from __future__ import annotations

import re

from manifests.models import Bulk


def is_included(name: str, bulk: Bulk) -> bool:
    """Whether `include` and `exclude` let a name in; without `include` every name is in that is not excluded."""
    included = not bulk.include or any(re.search(pattern, name) for pattern in bulk.include)
    return included and not is_excluded(name, bulk)


def is_excluded(name: str, bulk: Bulk) -> bool:
    """Whether `exclude` keeps a name out, or, of a folder, all that is in it."""
    return any(re.search(pattern, name) for pattern in bulk.exclude)
