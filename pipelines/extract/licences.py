"""The licence of a document, with its evidence, and whether the recipe's policy lets it in.

A licence is stated by the document itself (a header, its page, its row), by the licence file of the repository it
lies in, and by its source's manifest. The one that asks most is in force; of two that ask as much, the nearer one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from license_expression import ExpressionError, get_spdx_licensing

from manifests.load import load_licences
from manifests.models import LicencePolicy
from pipelines.extract.html.metadata.licence import spdx_of_text, spdx_of_value

UNKNOWN = "unknown"
_SPACE = re.compile(r"\s+")
_MARKS = re.compile(r"[*_=#>/\"“”]|(?<=\n)[ \t]*(?:\\\\|;|#)")
_MOST_TEXT = 64 * 1024
_MOST_STATEMENT = 4000  # characters of a file that says under which licence something is, without its text


class Stated(NamedTuple):
    """A licence that somebody stated, as an SPDX expression where it is known, and where."""

    licence: str
    where: str


NOT_STATED = Stated("", "")


def normalised(stated: str) -> str:
    """The SPDX expression of what was stated: an expression, a URL or a name; as it was stated where none fits."""
    text = stated.strip()
    tree = _parse(text)
    if tree is not None and all(key.startswith("LicenseRef-") for key in _licensing().unknown_license_keys(tree)):
        return str(tree)
    return spdx_of_value(text) or (str(tree) if tree is not None else text)


def class_of(licence: str) -> str:
    """The class of an expression: of `A AND B` the one that asks more, of `A OR B` the one that asks less."""
    tree = _parse(licence)
    return UNKNOWN if tree is None else _class_of_tree(tree)


def _class_of_tree(tree: Any) -> str:
    if not _is_branch(tree):
        return _class_of_one(str(tree))
    classes = [_class_of_tree(branch) for branch in tree.args]
    return (min if tree.operator.strip() == "OR" else max)(classes, key=_order().index)


def allowed(licence: str | None, policy: LicencePolicy) -> bool:
    """Whether a policy lets documents of a licence in; none is one that nobody knows."""
    tree = _parse(licence) if licence else None
    return UNKNOWN in policy.train if tree is None else _allows(tree, policy)


def needs_attribution(licence: str | None) -> bool:
    """Whether a document must be attributed: unless every licence of its expression asks for nothing."""
    terms = load_licences().classes
    found = [_class_of_one(key) for key in _keys(licence)] if licence else [UNKNOWN]
    return any(each not in terms or terms[each].attribution for each in found)


def choose(stated: Sequence[Stated]) -> Stated:
    """The licence in force of those stated, the nearest first; its evidence names those that it overrides."""
    known = [each._replace(licence=normalised(each.licence)) for each in stated if each.licence.strip()]
    if not known:
        return NOT_STATED
    order = _order()
    # A licence that nobody knows says nothing against one that is known.
    strictness = [-1 if class_of(each.licence) == UNKNOWN else order.index(class_of(each.licence)) for each in known]
    chosen = known[strictness.index(max(strictness))]
    others = [f"{each.where}: {each.licence}" for each in known if each.licence != chosen.licence]
    return Stated(chosen.licence, f"{chosen.where} (not {'; '.join(others)})" if others else chosen.where)


# ---------------------------------------------------------------- licence files


def is_licence_file(path: str) -> bool:
    """Whether a file of a repository holds its licence."""
    name = PurePosixPath(path).name.upper()
    return any(name.startswith(begin) for begin in load_licences().files) and not name.endswith((".PY", ".GO", ".JS"))


def licence_of_text(text: bytes) -> str:
    """SPDX expression of the licence whose text this is, or which it names; empty if we know none."""
    head = text[:_MOST_TEXT].decode("utf-8", "replace")
    folded = _SPACE.sub(" ", _MARKS.sub(" ", head.lower()))
    for each in load_licences().texts:
        if all(_SPACE.sub(" ", _MARKS.sub(" ", phrase)) in folded for phrase in each.phrases):
            return each.licence
    return spdx_of_text(head[:_MOST_STATEMENT])


class Repository:
    """The licences of a repository: of a file counts the nearest directory above it that has licence files."""

    def __init__(self, files: Iterable[tuple[str, bytes]]) -> None:
        self._of: dict[str, list[tuple[str, str]]] = {}
        for path, body in files:
            licence = licence_of_text(body)
            if licence:
                self._of.setdefault(str(PurePosixPath(path).parent), []).append((licence, path))

    def licence_of(self, path: str) -> Stated:
        """All licences of the nearest directory, for nothing says which file is under which."""
        for directory in PurePosixPath(path).parents:
            found = sorted(set(self._of.get(str(directory), [])), key=lambda each: each[1])
            if found:
                licences = list(dict.fromkeys(licence for licence, _ in found))
                return Stated(" AND ".join(licences), ", ".join(path for _, path in found))
        return NOT_STATED


# ---------------------------------------------------------------- expressions


@cache
def _licensing() -> Any:
    return get_spdx_licensing()


@lru_cache(maxsize=4096)
def _parse(expression: str) -> Any:
    """The tree of an SPDX expression, None where it is none; identifiers need not be known."""
    try:
        return _licensing().parse(expression)
    except (ExpressionError, AttributeError, TypeError):
        return None


def _order() -> list[str]:
    return [*load_licences().classes, UNKNOWN]


@lru_cache(maxsize=4096)
def _class_of_one(key: str) -> str:
    base = key.split(" WITH ")[0]
    for name, terms in load_licences().classes.items():
        if any(fnmatchcase(base, pattern) for pattern in terms.patterns):
            return name
    return UNKNOWN


def _is_branch(tree: Any) -> bool:
    return getattr(tree, "operator", "").strip() in ("AND", "OR")


def _keys(expression: str) -> list[str]:
    tree = _parse(expression)
    return [] if tree is None else [str(each) for each in _leaves(tree)]


def _leaves(tree: Any) -> list[Any]:
    return [leaf for branch in tree.args for leaf in _leaves(branch)] if _is_branch(tree) else [tree]


def _allows(tree: Any, policy: LicencePolicy) -> bool:
    if _is_branch(tree):
        each = [_allows(branch, policy) for branch in tree.args]
        return any(each) if tree.operator.strip() == "OR" else all(each)
    key = str(tree)
    return key not in policy.deny and (key in policy.allow or _class_of_one(key) in policy.train)
