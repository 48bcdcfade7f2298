"""Code is hidden from a teacher, comes back byte for byte, and an answer that would change it is refused."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from synth.blocks import Block, blocks
from synth.control import find, neutralise
from synth.mask import mask, mask_marks, problems, restore, tidy

GOLDEN = sorted((Path(__file__).parent / "golden/extract").glob("*.md"))
REFERENCE = MarkdownIt("commonmark").enable("table")
# What Markdown is made of; A becomes a word that stands nowhere else. Without tabs: the reference reads some otherwise.
FRAGMENTS = [
    *("```\n", "~~~\n", "````py\n", "``` a`\n", "`", "``", "`A`", "\\`", "\\"),
    *("    ", "  ", "   ", " ", "> ", ">", "- ", "* ", "1. ", "2) ", "10. ", "- - ", ": "),
    *("A\n", "A A\n", "A", "\n", "\n\n", "# A\n", "===\n", "---\n", "***\n"),
    *("| A | A |\n", "| - | - |\n", "|:-|\n", "<table>\n", "</table>\n"),
    *("<div>\n", "<pre>\n", "</pre>\n", "<!-- A\n", "-->\n", "<b>\n", "<a b='`'>", "<code>", "</code>"),
    *("[[code-1]]", "[code-2]", "code-3", "[[", "]]", "[", "] "),
    *("[A](A)", "http://A/A", "<http://A/`>", "$ A\n", "sudo A\n", "<|im_end|>", "\nHuman: "),
]
MARKDOWN = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)


def with_own_words(text: str) -> str:
    numbers = iter(range(len(text)))
    return re.sub("A", lambda _: f"w{next(numbers)}x", text)


def code_of(markdown: str) -> list[tuple[str, str]]:
    """(sort, content) of all code, as another parser reads it."""
    return [*_code_of(markdown)]


def _code_of(markdown: str) -> Iterator[tuple[str, str]]:
    for token in REFERENCE.parse(markdown):
        if token.type in ("fence", "code_block"):
            yield "block", token.content.rstrip("\n")
        for child in token.children or []:
            if child.type == "code_inline":
                yield "inline", " ".join(child.content.split())  # how a line goes on is no part of it


def parsed_by_reference(markdown: str) -> bool:
    """Whether the reference parses it at all: of a few texts it runs over the end."""
    try:
        REFERENCE.parse(markdown)
    except IndexError:
        return False
    return True


# ---------------------------------------------------------------- laws


@settings(max_examples=400)
@given(MARKDOWN | st.text(), st.sampled_from(["\n", "\r\n", "\r"]))
@example("[[code-1]] `[[code-1]]` [[ Code 2 ]]", "\n")
@example("> ```\n> a\n>\n> b\n> ```\n> c", "\n")
@example("- ```\n a\n  ```", "\n")
@example("\\http://a/b", "\n")
@example("`</s>` and ` [[code-1]] `", "\n")
def test_what_is_hidden_comes_back_byte_for_byte(text: str, end: str) -> None:
    text = text.replace("\n", end)
    for masked in (mask(text), mask_marks(text)):
        assert restore(masked.text, masked.hidden) == text


@settings(max_examples=400)
@given(MARKDOWN.map(with_own_words))
def test_no_word_of_code_is_left_and_the_text_itself_is_a_right_answer(text: str) -> None:
    masked = mask(text)
    assert problems(masked.text, masked.hidden, "masked") == []
    if parsed_by_reference(text):
        left = [word for _, code in code_of(text) for word in re.findall(r"w\d+x", code) if word in masked.text]
        assert left == []


@settings(max_examples=300)
@given(MARKDOWN.map(with_own_words))
def test_no_control_token_is_left_and_no_placeholder_was_there_before(text: str) -> None:
    for masked in (mask(text), mask_marks(text)):
        assert [*find(masked.text)] == []
        found = Counter(re.findall(r"\[\[([a-z]+-\d+)\]\]", masked.text))
        assert found == {each.name: each.times for each in masked.hidden}


def content_of(block: Block) -> str:
    lines = block.bare.split("\n")
    if block.sort == "indented":
        return "\n".join(each[4:] for each in lines)
    mark = lines[0][: len(lines[0]) - len(lines[0].lstrip(lines[0][0]))]
    closed = len(lines) > 1 and len(lines[-1]) >= len(mark) and not lines[-1].strip(mark[0])
    return "\n".join(lines[1 : len(lines) - closed])


@settings(max_examples=400)
@given(MARKDOWN)
def test_blocks_of_code_are_those_that_another_parser_finds(text: str) -> None:
    if not parsed_by_reference(text) or re.search(r"\]: *\S+ *\n {4}|^ *>.*\n {4}", text, re.MULTILINE):
        return  # the reference ends definitions before lazy lines, and a quote's code behind them
    expected = [
        (token.map[0], token.content.rstrip(" \n"))
        for token in REFERENCE.parse(text)
        if token.type in ("fence", "code_block") and token.map
    ]
    found = [
        (text.count("\n", 0, each.line), content_of(each).rstrip(" \n"))
        for each in blocks(text)
        if each.sort in ("fence", "indented")
    ]
    assert found == expected


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_pages_of_the_extractor_come_back_and_show_no_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    masked = mask(text)
    assert restore(masked.text, masked.hidden) == text
    assert problems(masked.text, masked.hidden, "masked") == []
    assert code_of(masked.text) == []
    assert "| --- |" not in masked.text


DOCUMENT = (
    "# Rings\n\nA ring needs `alpha` and ``be`ta``, see [the list](https://example.org/a_(b)).\n\n"
    "```sh\ngamma --now\n\n  delta\n```\n\n1. In the file:\n\n   ~~~\n   epsilon\n\n     zeta\n   ~~~\n\n2. Save, with `eta\n"
    "   theta`.\n\n> ```\n> iota\n>\n> kappa\n> ```\n\n    lambda\n\n| a | b |\n| --- | --- |\n| `mu` | 1 |\n\nEnd of `alpha`.\n"
)


def spoiled(masked: str, rng: random.Random) -> str:
    """An answer as small models write them: lines moved, marks lost, placeholders spelled and placed otherwise."""
    lines = masked.splitlines()
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        line = lines[at]
        way = rng.randrange(12)
        if way == 0:
            lines[at] = line.lstrip(" >")
        elif way == 1:
            lines[at] = rng.choice(["> ", "- ", "    ", "  ", "# ", "| ", "1. "]) + line
        elif way == 2:
            lines[at] = line.replace("[[", "`[[").replace("]]", "]]`")
        elif way == 3:
            lines[at : at + 1] = ["```bash", line, "```"]
        elif way == 4:
            lines[at] = f"Run {line} now"
        elif way == 5:
            lines[at] = f"As here: {line}"
        elif way == 6:
            lines.insert(at, rng.choice(["`", "``` ", "```", "<!-- ", "<pre>", "text `", "~~~", "\\"]))
        elif way == 7:
            lines.insert(rng.randrange(len(lines)), lines.pop(at))
        elif way == 8:
            lines[at : at + 2] = [" ".join(lines[at : at + 2])]
        elif way == 9:
            lines[at] = line.replace("code-", "Code ")
        elif way == 10:
            lines[at] = rng.choice(["`", "\\", "<a b='", "<!--", "[x](", "``", "$ "]) + line
        else:
            lines = [each for each in lines if each]
    return "\n".join(lines)


@settings(max_examples=800)
@given(st.integers(0, 2**32))
def test_code_of_an_answer_that_is_not_refused_is_the_code_of_the_document(seed: int) -> None:
    masked = mask(DOCUMENT)
    answer = spoiled(masked.text, random.Random(seed))
    if problems(answer, masked.hidden, "masked") or not parsed_by_reference(restore(answer, masked.hidden)):
        return
    there = Counter(code_of(restore(answer, masked.hidden)))
    there["inline", "mu"] += 1  # a table is hidden whole: what it holds is seen below
    lost = set(code_of(DOCUMENT)) - set(there)
    assert not lost
    assert "| a | b |" in restore(answer, masked.hidden)


def test_answers_that_only_spell_otherwise_are_not_refused() -> None:
    masked = mask(DOCUMENT)
    passed = sum(
        not problems(spoiled(masked.text, random.Random(seed)), masked.hidden, "masked") for seed in range(300)
    )
    assert passed > 60


# ---------------------------------------------------------------- what is hidden


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Use `a b` or ``c`d``.", "Use [[code-1]] or [[code-2]]."),
        ("`a`, `b`, `a`", "[[code-1]], [[code-2]], [[code-1]]"),
        ("```\nunclosed\n\n# a", "[[code-1]]"),
        ("- item\n\n  ```\n  a\n  ```\n- next", "- item\n\n  [[code-1]]\n- next"),
        ("> > ~~~ x\n> > a\n> > ~~~", "> > [[code-1]]"),
        ("a\n\n    b\n\n    c\n\nd", "a\n\n[[code-1]]\n\nd"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nc", "[[table-1]]\n\nc"),
        ("<table>\n<tr><td>a</td></tr>\n</table>\n\nb", "[[html-1]]\n\nb"),
        ("[a](http://b/c) and https://d.e/f?g=h.", "[a]([[url-1]]) and [[url-2]]."),
        ("<https://a.b>, <c@d.ef>", "[[url-1]], [[url-2]]"),
        ("[a]: /b/c 'd'\n\nsee [a]", "[a]: [[url-1]] 'd'\n\nsee [a]"),
        ("To look:\n\n$ ls -l\n$ cat a", "To look:\n\n[[command-1]]\n[[command-2]]"),
        ("sudo apt install a", "[[command-1]]"),
        ("sudo is a program.", "sudo is a program."),
        ("It costs $ 5.", "It costs $ 5."),
        ("a <kbd>Ctrl</kbd> <!-- b --> <i>c</i> <a href='d'>e</a>", "a [[code-1]] [[html-2]] <i>c</i> [[html-3]]e</a>"),
        ("-o <file>: a \\`b\\`", "-o <file>: a \\`b\\`"),
        ("say [[code-1]] or code-2 <|im_end|>", "say [[mark-1]] or [[mark-2]] [[mark-3]]"),
        ("a `b", "a `b"),
    ],
)
def test_code_stands_behind_placeholders(text: str, masked: str) -> None:
    found = mask(text)
    assert found.text == masked
    assert restore(found.text, found.hidden) == text


def test_a_page_whose_code_is_shown_hides_control_tokens_within_it() -> None:
    masked = mask_marks("Run:\n\n```\necho '<|im_end|>' [[code-1]]\n```\n")
    assert masked.text == "Run:\n\n```\necho '[[mark-1]]' [[mark-2]]\n```\n"
    assert restore(masked.text, masked.hidden) == "Run:\n\n```\necho '<|im_end|>' [[code-1]]\n```\n"


# ---------------------------------------------------------------- answers

FENCED = mask("Use `a`.\n\n- do:\n\n  ```\n  b\n\n    c\n  ```\n")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("[[code-2]]\n\nUse [[code-1]].", "```\nb\n\n  c\n```\n\nUse `a`."),
        ("[[ Code 1 ]] and `[[code-1]]`, \\[\\[code-1\\]\\]", "`a` and `a`, `a`"),
        ("> Do:\n> [[code-2]]\n> so", "> Do:\n>\n> ```\n> b\n>\n>   c\n> ```\n>\n> so"),
        ("1. Run [[code-2]].\n2. End", "1. Run\n\n   ```\n   b\n\n     c\n   ```\n\n2. End"),
        ("```bash\n[[code-2]]\n```", "```\nb\n\n  c\n```"),
        ("```\n```bash\n[[code-2]]\n```\n```", "```\nb\n\n  c\n```"),
        ("- x:\n\n  [[code-2]]\n", "- x:\n\n  ```\n  b\n\n    c\n  ```\n"),
        ("[[code-9]] stays", "[[code-9]] stays"),
    ],
)
def test_blocks_stand_on_lines_of_their_own(answer: str, text: str) -> None:
    assert restore(answer, FENCED.hidden) == text
    assert [each for each in problems(answer, FENCED.hidden, "chosen") if each[0] != "invented_placeholder"] == []


@pytest.mark.parametrize(
    ("answer", "mode", "reasons"),
    [
        ("Use [[code-1]].\n\n[[code-2]]", "masked", []),
        ("Nothing.", "masked", [("lost_placeholder", "code-1, code-2")]),
        ("Nothing.", "chosen", []),
        ("[[code-1]] [[code-1]]\n\n[[code-2]]", "masked", [("repeated_placeholder", "code-1")]),
        ("[[code-1]] [[code-1]]", "chosen", []),
        ("[[code-2]]\n\n[[code-2]]", "chosen", [("repeated_placeholder", "code-2")]),
        ("[[code-7]] [[table-1]]", "chosen", [("invented_placeholder", "code-7, table-1")]),
        ("[code-1], code-2", "chosen", [("broken_placeholder", "[code-1], code-2")]),
        ("Run [[code-2]] at once.", "chosen", [("misplaced_placeholder", "code-2")]),
        ("| [[code-2]] |", "chosen", [("misplaced_placeholder", "code-2")]),
        ("```\nsh [[code-1]]\n```", "chosen", [("misplaced_placeholder", "code-1")]),
        ("a stray ` and [[code-1]]", "chosen", [("misplaced_placeholder", "code-1")]),
        ("<!--\n\n[[code-2]]\n\n-->", "chosen", [("misplaced_placeholder", "code-2")]),
        ("text\n\n    [[code-2]]", "chosen", [("misplaced_placeholder", "code-2")]),
    ],
)
def test_what_is_wrong_with_an_answer_is_named(answer: str, mode: str, reasons: list[tuple[str, str]]) -> None:
    assert problems(answer, FENCED.hidden, mode) == reasons


def test_code_that_holds_placeholders_is_put_back_once() -> None:
    masked = mask("`[[code-2]]` and `b`")
    assert restore(masked.text, masked.hidden) == "`[[code-2]]` and `b`"
    assert tidy("[[CODE-01]]", masked.hidden) == "[[code-1]]"


@pytest.mark.parametrize(
    "unit",
    ["`", "` `` ", "<!--", "<a b='", "](a", "<|", "$ \n", "[[code-", "> ", "- ", "|a|\n|-|\n", "http://", "a://b("],
)
def test_hostile_runs_are_read_once(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    masked = mask(text)
    assert restore(masked.text, masked.hidden) == text
    assert problems(masked.text, masked.hidden, "masked") == []


# ---------------------------------------------------------------- control tokens


@pytest.mark.parametrize(
    "token",
    [
        *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|begin_of_text|>", "<|start_header_id|>", "<|eot_id|>"),
        *("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>", "<start_of_turn>", "<end_of_turn>", "<|user|>"),
        *("<think>", "</think>", "<｜User｜>", "<｜begin▁of▁sentence｜>", "<|channel|>", "<tool_call>", "[gMASK]"),
        *(
            "＜|im_end|＞",
            "<\u200b|im_end|>",
            "<fim_prefix>",
            "<|START_OF_TURN_TOKEN|>",
            "Human:",
            "USER:",
            "<BOS_TOKEN>",
        ),
    ],
)
def test_control_tokens_are_found_and_taken_apart(token: str) -> None:
    text = f"{token} a"
    assert [text[begin:end] for begin, end in find(text)] == [token]
    assert [*find(neutralise(text))] == []


@pytest.mark.parametrize("text", ["a <- b |> c", "<any>", "x <| y", "[a]", "Instruction: a", "<user>", "User: root"])
def test_what_only_looks_like_a_control_token_is_left(text: str) -> None:
    assert [*find(text)] == []
    assert neutralise(text) == text


def test_a_heading_that_plays_a_role_stays_a_heading() -> None:
    assert mask("### Instruction:\n\na").text == "### [[mark-1]]\n\na"
