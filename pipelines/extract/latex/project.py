"""The documents of a LaTeX project: a paper is one, however many files it was written in."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from pipelines.extract.decode import decode
from pipelines.extract.page import Unreadable

ENDINGS = (".tex", ".ltx", ".latex")
MAX_INPUT_DEPTH = 16
MAX_INPUTS = 2000
MAX_INPUT_CHARACTERS = 64 * 1024 * 1024

_INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}\n]{1,300})\}|\\input[ \t]+([\w./-]{1,300})")
_COMMENT = re.compile(r"(?<!\\)(?:\\\\)*%.*")
_CLASS = re.compile(r"^[^%\n]*\\document(?:class|style)\b", re.MULTILINE)
_BODY = re.compile(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", re.DOTALL)


def documents(files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """The path and the text of each document, in the order of the files.

    files: the LaTeX files of a project, path to content. A file with a document class is a document, with the files
    that it inputs put in; those are no documents of their own. A file that no document inputs stands for itself.
    """
    project = _Project(files)
    mains = [name for name, text in project.texts.items() if is_document(text)]
    inputs = {main: project.inputs_of(main) for main in mains}
    parts = {part for main, its in inputs.items() for part in its if part != main}
    for name in files:
        if name in inputs and not _is_part_of_another(name, inputs):
            yield name, project.flat(name)
        elif name not in parts:
            yield name, project.texts[name]


def is_document(text: str) -> bool:
    """Whether a LaTeX file has a document class, and what that is for."""
    return bool(_CLASS.search(text) and _BODY.search(text))


def _is_part_of_another(name: str, inputs: Mapping[str, set[str]]) -> bool:
    """Whether another document inputs this one. Of two that input each other, the first is the document."""
    names = list(inputs)
    return any(
        name in its and (name not in inputs or main not in inputs[name] or names.index(main) < names.index(name))
        for main, its in inputs.items()
        if main != name
    )


class _Project:
    """The texts of the files, and which file a name in them means."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.texts = {name: _text(body) for name, body in files.items()}
        self._by_base: dict[str, list[str]] = {}
        for name in files:
            self._by_base.setdefault(posixpath.basename(name), []).append(name)

    def inputs_of(self, main: str) -> set[str]:
        """The files that a document inputs, and what these input."""
        found: set[str] = set()
        waiting = [main]
        while waiting:
            name = waiting.pop()
            for _, wanted in _pieces(self.texts[name]):
                path = self._resolve(wanted, main, name)
                if path is not None and path not in found:
                    found.add(path)
                    waiting.append(path)
        return found

    def flat(self, main: str) -> str:
        """The text of a document with its inputs put in, at most MAX_INPUT_DEPTH deep.

        What is missing, recursive or too much is left as it stands.
        """
        parts: list[str] = []
        size = inputs = 0
        stack = [(main, _pieces(self.texts[main]))]
        while stack:
            name, pieces = stack[-1]
            piece = next(pieces, None)
            if piece is None:
                stack.pop()
                continue
            text, wanted = piece
            path = self._resolve(wanted, main, name)
            if path is None or any(path == other for other, _ in stack) or len(stack) > MAX_INPUT_DEPTH:
                size += len(text)
                parts.append(text)
            elif inputs < MAX_INPUTS and size + len(self.texts[path]) <= MAX_INPUT_CHARACTERS:
                inputs += 1
                stack.append((path, _pieces(_body(self.texts[path]))))
            if size > MAX_INPUT_CHARACTERS:
                break
        return "".join(parts)

    def _resolve(self, wanted: str, main: str, name: str) -> str | None:
        """The path that a name means in a file of a document: from the document, the file, the root; or the only one.

        A build may copy files to where the document looks for them: then the last part of the name tells.
        """
        wanted = wanted.strip().strip('"')
        if not wanted:
            return None
        for folder in (posixpath.dirname(main), posixpath.dirname(name), ""):
            for ending in ("", ".tex"):
                path = posixpath.normpath(posixpath.join(folder, wanted + ending))
                if path in self.texts:
                    return path
        base = posixpath.basename(wanted)
        alike = self._by_base.get(base) or self._by_base.get(base + ".tex") or []
        return alike[0] if len(alike) == 1 else None


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """A text cut at its inputs: each piece, and the file it asks for or nothing. Those in comments ask for none."""
    at = 0
    for found in _INPUT.finditer(text):
        begin = text.rfind("\n", 0, found.start()) + 1
        if found.start() < at or _COMMENT.search(text, begin, found.start()):
            continue
        yield text[at : found.start()], ""
        yield found[0], found[1] or found[2]
        at = found.end()
    yield text[at:], ""


def _body(text: str) -> str:
    """What a file says inside another: of a document of its own, its body."""
    found = _BODY.search(text) if _CLASS.search(text) else None
    return found[1] if found else text


def _text(body: bytes) -> str:
    try:
        return decode(body, None).replace("\r\n", "\n").replace("\r", "\n")
    except Unreadable:
        return ""
