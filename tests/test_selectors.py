"""Selectors against another engine on random trees; what is outside their grammar; the rules of the generators."""

from __future__ import annotations

import re
from collections import Counter
from html import escape

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from manifests.load import load_generators
from pipelines.extract.html.generators import SAID_BY
from pipelines.extract.html.selectors import MAX_COMPOUNDS, SelectorError, compile_sheet, match
from pipelines.extract.html.tree import NAMES, UNKNOWN, Tree, read_tree

TAGS = ("div", "p", "span", "x-y")
NAMED = ("a", "b", "ab", "A")
ATTRIBUTES = ("role", "data-a", "title")
VALUES = ("a", "ab", "b a", "B", "a-b", "", " a", "é")


def _tree(html: str) -> Tree:
    return read_tree(LexborHTMLParser(html).html or "")


def _matched(tree: Tree, selectors: list[str]) -> list[list[int]]:
    """For each selector the numbers, in page order, of the elements that it matches."""
    bits, found = match(tree, compile_sheet([(selector, 1 << number) for number, selector in enumerate(selectors)]))
    elements = np.flatnonzero(tree.tag)
    numbers = [np.flatnonzero(bits[elements] & (1 << number)).tolist() for number in range(len(selectors))]
    assert [-1 if not nodes else elements[nodes[0]] for nodes in numbers] == found.tolist()
    return numbers


def _matched_by_other(html: str, selector: str) -> list[int]:
    """The same by lexbor: each of its elements tells its number by an attribute."""
    page = LexborHTMLParser(html)
    numbers = {node.mem_id: number for number, node in enumerate(page.css("*"))}
    return [numbers[node.mem_id] for node in page.css(selector)]


# ---------------------------------------------------------------- random trees and selectors


def _attributes(names: list[str], identity: str, role: str | None, other: tuple[str, str] | None) -> str:
    text = f' class="{" ".join(names)}"' if names else ""
    text += f' id="{identity}"' if identity else ""
    text += f' role="{role}"' if role is not None else ""
    return text + (f' {other[0]}="{other[1]}"' if other and other[0] != "role" else "")


ATTRIBUTE_TEXTS = st.builds(
    _attributes,
    st.lists(st.sampled_from(NAMED), max_size=3),
    st.sampled_from(["", "", *NAMED]),
    st.sampled_from([None, *VALUES]),
    st.sampled_from([None, *((name, value) for name in ATTRIBUTES for value in VALUES)]),
)
TREES = st.recursive(
    st.just("t"),
    lambda inside: st.builds(
        lambda tag, text, parts: f"<{tag}{text}>{''.join(parts)}</{tag}>",
        st.sampled_from(["div", "div", "span", "x-y"]),
        ATTRIBUTE_TEXTS,
        st.lists(inside, max_size=3),
    ),
    max_leaves=25,
)
CONDITIONS = st.one_of(
    st.sampled_from(ATTRIBUTES).map(lambda name: f"[{name}]"),
    st.builds(
        lambda name, operator, value, quote: f"[{name}{operator}{quote}{value}{quote}]",
        st.sampled_from(ATTRIBUTES),
        st.sampled_from(["=", "^=", "*=", "$=", "~="]),
        st.sampled_from([value for value in VALUES if value.strip() == value and value]),
        st.sampled_from(['"', "'"]),
    ),
)
COMPOUNDS = st.builds(
    lambda tag, rest: tag + "".join(rest) or "div",
    st.sampled_from(["", "", *TAGS]),
    st.lists(
        st.one_of(st.sampled_from(NAMED).map("#{}".format), st.sampled_from(NAMED).map(".{}".format), CONDITIONS),
        max_size=2,
    ),
)
SELECTORS = st.lists(st.tuples(COMPOUNDS, st.sampled_from([" ", " > ", ">"])), min_size=1, max_size=4).map(
    lambda parts: "".join(compound + join for compound, join in parts).rstrip(" >")
)


@settings(max_examples=300)
@given(TREES, st.lists(SELECTORS, min_size=1, max_size=12))
def test_as_lexbor_matches(html: str, selectors: list[str]) -> None:
    html = "<!doctype html>" + html  # else classes and ids have no case for lexbor
    matched = _matched(_tree(html), selectors)
    # Values are compared without regard to case here; to lexbor it is said with `i`.
    other = [selector.replace("]", " i]") if "=" in selector else selector for selector in selectors]
    other = [_only_with_values(selector) for selector in other]
    assert matched == [sorted(_matched_by_other(html, selector)) for selector in other]


def _only_with_values(selector: str) -> str:
    """`[name i]` is no selector: the `i` stands behind values only."""
    for name in ATTRIBUTES:
        selector = selector.replace(f"[{name} i]", f"[{name}]")
    return selector


WAYS_BACK = [
    ("<div class=a><p class=b></p><div><div class=a><i><p class=b><u></u></p></i></div></div></div>", ".a > .b u", []),
    ("<div class=a><div class=b><div class=b><u></u></div></div></div>", ".a > .b u", [6]),
    ("<div class=a><div class=b><div><div class=b><u></u></div></div></div></div>", ".a > .b u", [7]),
    (
        "<div class=a><div><div class=b><div class=c><div class=b><div class=c><u></u></div></div></div></div></div></div>",
        ".a > div > .b > .c u",
        [9],
    ),
    ("<div class=a><div class=a><div class=a></div></div></div>", ".a .a .a", [5]),
    ("<div class=a><div class=a><div class=a></div></div></div>", ".a > .a > .a", [5]),
    ("<div class=a><div class=a></div></div>", "html > body > .a > .a", [4]),
]


@pytest.mark.parametrize(("html", "selector", "numbers"), WAYS_BACK)
def test_ways_back(html: str, selector: str, numbers: list[int]) -> None:
    assert _matched(_tree(html), [selector]) == [numbers]
    assert _matched_by_other(html, selector) == numbers


@pytest.mark.parametrize(
    ("selector", "attributes", "holds"),
    [
        ("[role=MaIn]", "role=mAiN", True),
        ("[role=main]", "role='main '", False),
        ("[role^=ma]", "role=main", True),
        ("[role$=in]", "role=main", True),
        ("[role$=main]", "role=ain", False),
        ("[role*=ai]", "role=main", True),
        ("[role~=a]", "role='b\ta\nc'", True),
        ("[role~=a]", "role='ab ba'", False),
        ("[role=a]", "role=&#97;", True),
        ("[data-a='x y']", "data-a='x y'", True),
        ("[role]", "role", True),
        ("[role]", "roles=x", False),
        (".a", 'class="b\n\ta"', True),
        (".a", "class=A", False),
        (".a:b", "class=a:b", True),
        (".a/b", "class=a/b", True),
        ("#a.b", "id=a class=b", True),
        ("#a.b", "id=a.b", False),
        ("p.a[role][title=x]", "class=a role title=X", True),
    ],
)
def test_features(selector: str, attributes: str, holds: bool) -> None:
    assert bool(_matched(_tree(f"<p {attributes}>x</p>"), [selector])[0]) is holds


# ---------------------------------------------------------------- the grammar


@pytest.mark.parametrize(
    ("selector", "where"),
    [
        ("", "needs 1 to"),
        ("   ", "needs 1 to"),
        ("*", "character 1"),
        ("p:first-child", "character"),
        ("p + p", "character 3"),
        ("p ~ p", "character 3"),
        ("p, div", "character 2"),
        ("> p", "character 1"),
        ("p >", "character"),
        ("p > > p", "character"),
        (".", "character 1"),
        ("#", "character 1"),
        ("p[", "character 2"),
        ("p[a=]", "character 2"),
        ('p[a="b]', "character 2"),
        ("p[a|=b]", "character 2"),
        ("p[a=b i]", "character 2"),
        (".ap p$", "character"),
        ("p\0", "character 2"),
        (" ".join(["p"] * (MAX_COMPOUNDS + 1)), "needs 1 to"),
    ],
)
def test_outside_the_grammar(selector: str, where: str) -> None:
    with pytest.raises(SelectorError) as caught:
        compile_sheet([("p", 1), (selector, 2)])
    assert repr(selector) in str(caught.value)
    assert where in str(caught.value)


@given(st.text(alphabet="ap.#[]=^$*~'\"> :,+-_\\é\0", max_size=12))
def test_any_text_is_a_selector_or_an_error(text: str) -> None:
    try:
        sheet = compile_sheet([(text, 1)])
    except SelectorError as error:
        assert repr(text) in str(error)
        return
    match(_tree("<div class=a><p id=p a=p>x</p></div>"), sheet)


def test_no_selector_and_no_element() -> None:
    bits, found = match(_tree("<p>x</p>"), compile_sheet([]))
    assert not bits.any()
    assert len(found) == 0
    bits, found = match(read_tree(""), compile_sheet([("p", 1)]))
    assert (len(bits), found.tolist()) == (0, [-1])


def test_more_selectors_than_bits_of_the_filter() -> None:
    """What stands above is kept in 64 bits: names that share one must still be told apart."""
    names = [f"n{number}" for number in range(200)]
    html = "".join(f"<div class={name}><p></p></div>" for name in names)
    sheet = compile_sheet([(f".{name} p", 0) for name in names] + [(f".{name} > p", 0) for name in names])
    tree = _tree(html)
    _, found = match(tree, sheet)
    paragraphs = np.flatnonzero(tree.tag == NAMES.index("p") + 1)
    assert found.tolist() == paragraphs.tolist() * 2


# ---------------------------------------------------------------- the rules


def _all_selectors() -> list[str]:
    common, generators = load_generators()
    rules = [common, *generators, *(entry.thread for entry in generators if entry.thread)]
    return [
        selector
        for rule in rules
        for field, selectors in rule
        if isinstance(selectors, list | tuple) and field != "permalink_text"
        for selector in selectors
    ]


def test_the_selectors_of_all_generators_compile() -> None:
    selectors = [*_all_selectors(), *SAID_BY]
    assert len(selectors) > 1000
    compile_sheet([(selector, 1) for selector in selectors])


def test_each_selector_of_the_generators_can_match() -> None:
    selectors = sorted({*_all_selectors(), *SAID_BY})
    for begin in range(0, len(selectors), 100):
        some = selectors[begin : begin + 100]
        _, found = match(
            read_tree("".join(map(_elements_for, some))), compile_sheet([(selector, 0) for selector in some])
        )
        assert min(found) >= 0, some[int(np.argmin(found))]


_PIECE = re.compile(
    r"""([\w-]+)|\.([\w/:-]+)|\#([\w-]+)|\[([\w:.-]+)(?:[\^*$~]?=["']?([^\]"']*)["']?)?\]|(\s*>\s*|\s+)"""
)
_VOID = ("meta", "link", "base", "img", "input")


def _elements_for(selector: str) -> str:
    """Elements, one in another, each with what a compound of a selector asks for."""
    elements = [("div", dict[str, list[str]]())]
    for tag, name, identity, attribute, value, joins in _PIECE.findall(selector):
        _, attributes = elements[-1]
        if joins:
            elements.append(("div", {}))
        elif tag:
            elements[-1] = (tag, attributes)
        else:
            which = "class" if name else attribute or "id"
            attributes.setdefault(which, []).append(name or value or identity)
    page = ""
    for tag, attributes in reversed(elements):
        values = {which: (" " if which == "class" else "").join(parts) for which, parts in attributes.items()}
        written = "".join(f' {which}="{escape(value)}"' for which, value in values.items())
        page = f"<{tag}{written}>{page}" + ("" if tag in _VOID else f"</{tag}>")
    return page


def test_names_of_generators_are_unique() -> None:
    _, generators = load_generators()
    assert [name for name, count in Counter(entry.name for entry in generators).items() if count > 1] == []


def test_names_of_tags_are_told_apart() -> None:
    html = "".join(f"<{name}></{name}>" for name in ("div", "divv", "di", "DIV", "x-div"))
    assert [int(tag) for tag in _tree(html).tag if tag][-5:] == [
        NAMES.index("div") + 1,
        UNKNOWN,
        UNKNOWN,
        NAMES.index("div") + 1,
        UNKNOWN,
    ]
