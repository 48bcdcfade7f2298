"""Environments of LaTeX: formulas, lists, tables, algorithms, theorems, frames."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from pipelines.extract.latex import commands, math
from pipelines.extract.latex.algorithms import algorithm_text, tabbed_text
from pipelines.extract.latex.arguments import Tokens
from pipelines.extract.latex.core import MAX_DEPTH, Reader, name_of
from pipelines.extract.latex.tables import RULES, Table
from pipelines.extract.latex.tokens import PARAGRAPH

_OVERLAY = re.compile(r"<[\d,|+.:a-z@-]*>")


def dollar(reader: Reader) -> None:
    display = reader.tokens.peek() == "$"
    if display:
        reader.tokens.raw()
    formula = math.read_formula(reader.tokens, ["$", "$"] if display else ["$"], short=not display)
    if formula is None:
        reader.writer.text("$")
    elif display:
        reader.writer.block(math.display_html(math.formula_text(formula, reader.lifted)))
    else:
        reader.writer.inline(math.inline_html(math.formula_text(formula, reader.lifted)))


def bracketed_formula(reader: Reader, token: str) -> None:
    display = token == "\\["
    end = "\\]" if display else "\\)"
    formula = math.read_formula(reader.tokens, [end], short=not display)
    if formula is None or not reader.in_body:
        return
    text = math.formula_text(formula, reader.lifted)
    if display:
        reader.writer.block(math.display_html(text))
    else:
        reader.writer.inline(math.inline_html(text))


def ensure_math(reader: Reader, _token: str) -> None:
    if reader.in_body:
        reader.writer.inline(math.inline_html(math.formula_text(reader.expanded(reader.tokens.group()), reader.lifted)))


def new_line(reader: Reader, _token: str) -> None:
    reader.tokens.star()
    table = table_of(reader)
    if table is not None:
        reader.tokens.optional()
        end_cell(reader, table)
        table.end_row()
        reader.writer.begin(inline=True)
    elif reader.in_body:
        reader.writer.line_break()


def item(reader: Reader, _token: str) -> None:
    opened = reader.close_to_environment()
    if opened is None or not opened.tag:
        reader.tokens.optional()
        reader.writer.end_paragraph()
        return
    reader.writer.end_paragraph()
    skip_overlay(reader)
    reader.tokens.skip_spaces()
    reader.writer.end_item(opened.tag)
    if reader.tokens.peek() != "[":
        reader.writer.begin_item(opened.tag)
        return
    reader.tokens.raw()
    reader.writer.begin(inline=True)
    reader.aside += 1

    def finish() -> None:
        reader.aside -= 1
        reader.writer.begin_item(opened.tag, reader.writer.end())

    reader.push("bracket", finish=finish, styles=[])


def skip_overlay(reader: Reader) -> None:
    token = reader.tokens.peek()
    if found := _OVERLAY.match(token):
        reader.tokens.raw()
        if found.end() < len(token):
            reader.tokens.push([token[found.end() :]])


def table_of(reader: Reader) -> Table | None:
    """The table whose cell is open now."""
    opened = reader.close_to_environment()
    return opened.table if opened is not None else None


def end_cell(reader: Reader, table: Table) -> None:
    table.end_cell(reader.writer.end())
    reader.writer.styles = []


def ampersand(reader: Reader) -> None:
    table = table_of(reader)
    if table is None:
        reader.writer.text("&" if not reader.opened else " ")
        return
    end_cell(reader, table)
    reader.writer.begin(inline=True)


def rule(reader: Reader, token: str) -> None:
    if reader.opened and reader.opened[-1].table is not None:
        reader.opened[-1].table.rule()
    reader.tokens.skip(commands.SKIPPED.get(token, "o"))


def multicolumn(reader: Reader, _token: str) -> None:
    number = reader.plain(reader.tokens.group())
    reader.tokens.group()
    if reader.opened and reader.opened[-1].table is not None and number.isdecimal():
        reader.opened[-1].table.span = min(max(int(number), 1), 100)


def begin(reader: Reader, _token: str) -> None:
    name = name_of(reader.tokens.group(short=True))
    if name == "document":
        reader.in_body = True
        return
    if name in reader.tokens.environments:
        begin = reader.tokens.begin(name) or []
        reader.push("env", name)
        reader.tokens.expand(begin)
        return
    if name in commands.FORMULAS and name != "math":
        display(reader, name)
    elif name in commands.ALGORITHMS or name == "tabbing":
        algorithm(reader, name)
    elif name in commands.DROPPED:
        collect(reader, name)
    elif reader.in_body:
        begin_block(reader, name)


def collect(reader: Reader, name: str) -> Tokens:
    """The tokens of an environment up to its end."""
    tokens: Tokens = []
    end = ["\\end", "{", name, "}"]
    while (token := reader.tokens.next()) is not None and len(tokens) < 10 * math.MAX_TOKENS:
        tokens.append(token)
        if token == "}" and tokens[-len(end) :] == end:
            return tokens[: -len(end)]
    return tokens


def display(reader: Reader, name: str) -> None:
    formula = math.read_formula(reader.tokens, ["\\end", "{", name, "}"], short=False)
    reader.anchor = ""
    if formula is not None and reader.in_body:
        reader.writer.block(math.display_html(math.formula_text(reader.numbered(formula), reader.lifted), name))


def algorithm(reader: Reader, name: str) -> None:
    if name != "tabbing":
        reader.tokens.optional()
    tokens = collect(reader, name)
    if "algorithmic" in tokens and name != "algorithmic":
        reader.tokens.push(tokens)
        return
    reader.anchor = ""
    if name == "tabbing":
        text, caption = tabbed_text(tokens, reader.lifted), list[str]()
    else:
        text, caption = algorithm_text(tokens, reader.lifted)
    if text and reader.in_body:
        reader.writer.block(f"<pre><code>{html.escape(text, quote=False)}\n</code></pre>\n")
    if caption:
        reader.tokens.push(["\\caption", "{", *caption, "}"])


def begin_block(reader: Reader, name: str) -> None:
    if name in commands.LISTS or name in commands.QUOTES:
        begin_nested(reader, name)
    elif name in commands.TABLES:
        begin_table(reader, name)
    elif name == "frame":
        begin_frame(reader)
    elif name == "abstract":
        reader.writer.block("<h2>Abstract</h2>\n")
        reader.push("env", name, reader.writer.end_paragraph)
    elif name.rstrip("*") in commands.THEOREMS or name in reader.tokens.theorems:
        begin_theorem(reader, name)
    else:
        if name in commands.FLOATS:
            reader.anchor = ""
            reader.number = ""
        kinds = commands.ENVIRONMENTS.get(name)
        reader.tokens.skip("o" if kinds is None else kinds)
        reader.writer.end_paragraph()
        reader.push(
            "env", name, (lambda: end_float(reader)) if name in commands.FLOATS else reader.writer.end_paragraph
        )


def end_float(reader: Reader) -> None:
    reader.writer.end_paragraph()
    reader.number = ""


def begin_nested(reader: Reader, name: str) -> None:
    tag = commands.LISTS.get(name, "blockquote")
    reader.tokens.optional()
    if name == "list":
        reader.tokens.skip("mm")
    if sum(1 for opened in reader.opened if opened.tag) >= MAX_DEPTH:
        reader.push("env", name, reader.writer.end_paragraph)
        return
    reader.writer.open_block(tag)
    opened = reader.push("env", name, lambda: reader.writer.close_block(tag), styles=[])
    opened.tag = tag if tag != "blockquote" else ""


def begin_table(reader: Reader, name: str) -> None:
    kinds = commands.TABLES[name]
    if kinds == "t":
        while reader.tokens.peek() not in ("{", "", PARAGRAPH):
            reader.tokens.raw()
        kinds = "m"
    reader.tokens.skip(kinds)
    table = Table()
    if reader.aside >= MAX_DEPTH:
        reader.push("env", name)
        return
    reader.aside += 1
    reader.writer.begin(inline=True)

    def finish() -> None:
        reader.aside -= 1
        table.end_cell(reader.writer.end())
        table.end_row()
        for caption in table.captions:
            reader.writer.block(f"<p>{caption}</p>\n")
        if reader.writer.is_inline:
            reader.writer.inline(table.lines())
        else:
            reader.writer.block(table.html())

    opened = reader.push("env", name, finish, styles=[])
    opened.table = table


def begin_frame(reader: Reader) -> None:
    skip_overlay(reader)
    reader.tokens.optional()
    reader.writer.end_paragraph()
    reader.push("env", "frame", reader.writer.end_paragraph)
    reader.tokens.skip_spaces()
    if reader.tokens.peek() == "{":
        reader.set_aside(lambda made: reader.heading(3, made))


def begin_theorem(reader: Reader, name: str) -> None:
    title = reader.tokens.theorems.get(name, commands.THEOREMS.get(name.rstrip("*"), ""))
    note = reader.plain(reader.tokens.optional() or [])
    skip_overlay(reader)
    if not title:
        reader.tokens.skip_spaces()
        note = reader.plain(reader.tokens.group()) if reader.tokens.peek() == "{" else note
    head = f"{title} ({note})" if title and note else title or note
    reader.writer.end_paragraph()
    reader.push("env", name, reader.writer.end_paragraph)
    reader.anchor = ""
    if head:
        reader.writer.inline(f"<strong>{html.escape(head, quote=False)}.</strong> ")


def end(reader: Reader, _token: str) -> None:
    name = name_of(reader.tokens.group(short=True))
    if name == "document":
        while reader.tokens.raw() is not None:
            pass
        return
    if reader.names[name] <= 0:
        return
    user = reader.tokens.environments.get(name)
    if user is not None and not (reader.opened and reader.opened[-1].name == f"end {name}"):
        finish_user(reader, name, user[1])
        return
    while reader.opened:
        last = reader.opened[-1]
        reader.close_last()
        if last.kind == "env" and last.name == name:
            return


def finish_user(reader: Reader, name: str, end: Tokens) -> None:
    """The end of an environment of the document: what it stands for, and then its end proper."""
    reader.push("env", f"end {name}")
    reader.tokens.expand([*end, "\\end", "{", name, "}"])


COMMANDS: dict[str, Callable[[Reader, str], None]] = {
    **dict.fromkeys(RULES, rule),
    **dict.fromkeys(("\\\\", "\\newline", "\\tabularnewline", "\\cr"), new_line),
    "\\item": item,
    "\\multicolumn": multicolumn,
    "\\begin": begin,
    "\\end": end,
    **dict.fromkeys(("\\[", "\\("), bracketed_formula),
    "\\ensuremath": ensure_math,
}
CHARACTERS: dict[str, Callable[[Reader], None]] = {"$": dollar, "&": ampersand}
