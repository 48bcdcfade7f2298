"""The language that a page names for a block of code: by the conventions of highlighters, never guessed."""

from __future__ import annotations

import re
from functools import lru_cache

from pipelines.extract.html.roles import INLINE_CODES, KIND
from pipelines.extract.html.tree import INNER, LAST, PARENT, START, TAG, Tree

LEVELS = 5
_NO_LANGUAGE = (
    "default none text plain plaintext txt nohighlight no-highlight fallback auto literal-block console-output"
)
NO_LANGUAGE = frozenset(_NO_LANGUAGE.split())
# What stands around several blocks cannot speak for one.
_OUTSIDE = frozenset(TAG[name] for name in ("body", "li", "dd"))
_OF_TABLES = frozenset(TAG[name] for name in ("tr", "tbody", "table"))
_CELL = TAG["td"]
FIRST_NODES = 24  # among which the `code` of a `pre` is
MAX_TAG = 1000

_NAME = r"([A-Za-z0-9_+#.-]{1,30})"
_ATTRIBUTE = re.compile(rf'\s(?:data-lang|data-language|data-code-language|language|syntax)="\s*{_NAME}\s*"')
_LANG = re.compile(rf'\slang="{_NAME}"')  # of a `pre`, where it may be a human language, too
_CLASS = re.compile(r'\sclass="([^"]*)"')
_BRUSH = re.compile(rf'\s(?:class|data-syntaxhighlighter-params|data-params)="[^"]*\bbrush:\s*{_NAME}')
_PREFIXED = re.compile(
    rf"(?:^|\s)(?:highlight-source-|highlight-(?!source-)|mw-highlight-lang-|language-|lang-|lang:|src-|brush:)\s*{_NAME}"
)
# Older highlighters take the only class of a `code` in a `pre` for its language.
LONE_NAMES = frozenset(
    [
        "apache",
        "awk",
        "bash",
        "bat",
        "batch",
        "bicep",
        "c",
        "clojure",
        "cmake",
        "cpp",
        "cs",
        "csharp",
        "css",
        "cuda",
        "diff",
        "docker",
        "dockerfile",
        "elixir",
        "erlang",
        "fish",
        "fortran",
        "go",
        "golang",
        "graphql",
        "groovy",
        "haskell",
        "hcl",
        "html",
        "http",
        "ini",
        "java",
        "javascript",
        "js",
        "json",
        "julia",
        "kotlin",
        "kusto",
        "lisp",
        "lua",
        "make",
        "makefile",
        "markdown",
        "md",
        "nginx",
        "nix",
        "ocaml",
        "perl",
        "php",
        "powershell",
        "promql",
        "properties",
        "protobuf",
        "puppet",
        "py",
        "python",
        "r",
        "ruby",
        "rust",
        "scala",
        "sh",
        "shell",
        "sql",
        "swift",
        "terraform",
        "toml",
        "ts",
        "tsx",
        "typescript",
        "vim",
        "xml",
        "yaml",
        "yml",
        "zig",
        "zsh",
    ]
)
_WHOLE_NAME = re.compile(_NAME)
_RUST = re.compile(r"(?:^|\s)rust(?:\s|$)")
# Class names behind which a highlighter writes the language, and others that may stand there.
_MARKERS = frozenset(["code", "sourcecode", "src", "hljs", "highlight", "makeup", "programlisting", "syntaxhl"])
_NO_NAME = _MARKERS | frozenset(
    ["numberlines", "numbersource", "copy", "block", "codeblock", "copyable", "wrap", "nowrap", "notranslate", "file"]
)


def language_of(tree: Tree, node: int) -> str:
    """The language, lower case, that a block of code names: itself, its `code`, or a near ancestor; or ""."""
    candidates = [node]
    end = min(int(tree.nodes[LAST, node]), node + FIRST_NODES)
    candidates += [inside for inside in range(node + 1, end) if KIND[tree.tag[inside]] == INLINE_CODES][:1]
    parent, level = int(tree.nodes[PARENT, node]), 0
    while parent >= 0 and level < LEVELS and tree.tag[parent] not in _OUTSIDE:
        candidates.append(parent)
        level += tree.tag[parent] not in _OF_TABLES
        parent = int(tree.nodes[PARENT, parent])
    for candidate in candidates:
        start, stop = int(tree.nodes[START, candidate]), int(tree.nodes[INNER, candidate])
        if 8 < stop - start < MAX_TAG and (name := _named(tree.html[start:stop].tobytes())):
            return "" if name in NO_LANGUAGE else name
        if tree.tag[candidate] == _CELL and b"code" not in tree.html[start:stop].tobytes():
            break
    return ""


@lru_cache(maxsize=1024)
def _named(start_tag: bytes) -> str:
    """The language that a start tag names, lower case."""
    tag = start_tag.decode()
    code = tag.startswith(("<pre", "<code"))
    if code and (found := _ATTRIBUTE.search(tag)):
        return found[1].lower()
    if code and (found := _LANG.search(tag)) and found[1].lower() in LONE_NAMES:
        return found[1].lower()
    if found := _BRUSH.search(tag):
        return found[1].lower()
    classes = _CLASS.search(tag)
    if not classes:
        return ""
    words = " ".join(classes[1].split())
    if found := _PREFIXED.search(words):
        return found[1].lower()
    if tag.startswith("<div") and "highlight" in words.split():
        return next((word.lower() for word in words.split() if word.lower() in LONE_NAMES), "")
    if code or tag.startswith("<figure"):
        if name := _behind_marker(words.split()):
            return name
        if words.lower() in LONE_NAMES and (tag.startswith("<code") or len(words) > 1):
            return words.lower()
        if _RUST.search(words):
            return "rust"
    return ""


def _behind_marker(words: list[str]) -> str:
    """Of `sourceCode numberLines bash`, the last; of `sh syntaxhl`, the first; of `code-bash`, its end."""
    names = [word.lower() for word in words]
    begin = next((k for k, name in enumerate(names) if name in _MARKERS), len(names))
    found = next((name for name in names[begin:] if name not in _NO_NAME), "")
    if not found and begin < len(names):
        found = next((name for name in names if name in LONE_NAMES), "")
    if not found:
        found = next((end for name in names if (end := name.removeprefix("code-")) != name and end in LONE_NAMES), "")
    return found if _WHOLE_NAME.fullmatch(found) else ""
