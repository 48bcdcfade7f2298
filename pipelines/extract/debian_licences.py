"""Licences in `debian/copyright` files, machine-readable (DEP 5) or not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.extract.licences import Stated, licence_of_text

_FORMAT = re.compile(rb"\A\s*Format(?:-Specification)?:", re.IGNORECASE)
_MANUALS = re.compile(
    r"(?:^|/)(?:docs?|man\d?|manuals?|documentation)(?:/|\*|$)|\.[1-8*]\w{0,4}$|\.(?:md|rst|html|texi|xml|pod|adoc)$"
)
_FAMILY = re.compile(r"((?:A|L)?GPL|GFDL|GFDL-NIV)-?v?(\d(?:\.\d)?)(?:\.0)?(\+|-or-later)?", re.IGNORECASE)
_NAMES = {
    "expat": "MIT",
    "mit/x11": "MIT",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-4-clause": "BSD-4-Clause",
    "apache-2": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl",
    "openssh": "SSH-OpenSSH",
    "psf-2": "PSF-2.0",
    "zlib": "Zlib",
    "public-domain": "LicenseRef-public-domain",
}
_JOIN = re.compile(r"\s*,?\s+(and|or)\s+", re.IGNORECASE)


def licence_of_package(text: bytes, package: str) -> Stated:
    """The licence of a package's manuals: of its files in general, and of files whose patterns are those of manuals."""
    where = f"debian/copyright of {package}"
    if not _FORMAT.match(text):
        return Stated(licence_of_text(text), where)
    found: list[str] = []
    for patterns, licence in _files(text.decode("utf-8", "replace")):
        is_packaging = all(each.startswith("debian/") for each in patterns)
        if not is_packaging and ("*" in patterns or any(_MANUALS.search(each) for each in patterns)):
            found.append(_expression(licence))
    several = len(set(found)) > 1
    parts = [f"({each})" if several and " " in each else each for each in dict.fromkeys(found)]
    return Stated(" AND ".join(parts), where)


def _files(text: str) -> Iterator[tuple[list[str], str]]:
    """The patterns of each paragraph of files, and the first line of its licence."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        patterns = re.search(r"^Files:[ \t]*((?:.*\n(?:[ \t]+.*\n)*)|.*$)", paragraph, re.MULTILINE)
        licence = re.search(r"^Licen[sc]e:[ \t]*(.*)$", paragraph, re.MULTILINE)
        if patterns and licence:
            yield patterns[1].split(), licence[1].strip()


def _expression(stated: str) -> str:
    """An SPDX expression of Debian's short names, of which it has own ones."""
    parts = _JOIN.split(stated)
    return " ".join(part.upper() if index % 2 else _spdx(part.strip()) for index, part in enumerate(parts))


def _spdx(name: str) -> str:
    if (known := _NAMES.get(name.lower())) is not None:
        return known
    family = _FAMILY.fullmatch(name)
    if family is None:
        return name
    version = family[2] if "." in family[2] else f"{family[2]}.0"
    kind, _, niv = family[1].upper().partition("-")
    return f"{kind}-{version}{'-no-invariants' if niv else ''}-{'or-later' if family[3] else 'only'}"
