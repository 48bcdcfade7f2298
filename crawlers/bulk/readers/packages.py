"""Packages of a Debian archive, from a mirror: those that `bulk.include` names, by the index of a suite.

`bulk.fields`: `suite`, `component` and `architecture`, as in sources.list(5), and `files`, what is wanted of a package:
`man`, its manual pages, or `doc`, its documentation. The index must fit the checksum in the suite's Release file, a
package the one in the index.
"""

from __future__ import annotations

import hashlib
import io
import re

from crawlers.bulk.checksums import checksum_in
from crawlers.bulk.deb import Package, read_packages
from crawlers.bulk.http_client import Unavailable
from crawlers.bulk.store import Store
from crawlers.bulk.unpack import FAULTS, unpacked
from manifests.models import Bulk, Source

FIELDS = frozenset(("suite", "component", "architecture", "files"))

_PACKINGS = (".xz", ".gz", "")
_FILES = ("man", "doc")


def bring(source: Source, store: Store) -> None:
    """The packages, each to a file that is called after the source, the package and what is wanted of it."""
    fields = store.bulk.fields
    missing = sorted(FIELDS - fields.keys())
    if missing or fields["files"] not in _FILES:
        raise ValueError(f"bulk.fields needs {missing[0] if missing else 'files, one of ' + ', '.join(_FILES)}")
    root = store.bulk.url.rstrip("/")
    for package in _wanted(_index(store, f"{root}/dists/{fields['suite']}"), store.bulk):
        name = f"{source.id}-{package.name}.{fields['files']}.deb"
        try:
            store.file(f"{root}/{package.path}", name, f"sha256:{package.sha256}")
        except Unavailable:
            continue  # it stands in the index of the source


def _index(store: Store, suite: str) -> list[Package]:
    """The packages of the component and architecture; raises Unavailable."""
    release = store.body(store.index(f"{suite}/Release"))
    place = f"{store.bulk.fields['component']}/binary-{store.bulk.fields['architecture']}/Packages"
    stated = [(each, digest) for each in _PACKINGS if (digest := checksum_in(release, place + each))]
    if not stated:
        raise store.refuse(f"{suite}/{place}", "no_checksum", f"{suite}/Release states none")
    packing, checksum = stated[0]
    record = store.index(f"{suite}/{place}{packing}")
    body = store.body(record)
    algorithm, _, digest = checksum.partition(":")
    found = hashlib.new(algorithm, body, usedforsecurity=False).hexdigest()
    if found != digest:
        raise store.refuse(record.url, "checksum_mismatch", f"{algorithm} is {found}, not {digest}")
    try:
        return list(read_packages(unpacked(io.BytesIO(body))))
    except FAULTS as error:
        raise store.refuse(record.url, "malformed", str(error)) from None


def _wanted(packages: list[Package], bulk: Bulk) -> list[Package]:
    """The packages that include and exclude let in, the first of each name."""
    found: dict[str, Package] = {}
    for package in packages:
        included = not bulk.include or any(re.search(pattern, package.name) for pattern in bulk.include)
        if included and not any(re.search(pattern, package.name) for pattern in bulk.exclude):
            found.setdefault(package.name, package)
    return list(found.values())
