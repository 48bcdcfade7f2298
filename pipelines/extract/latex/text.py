"""Commands of LaTeX in the text: sections, captions, notes, citations, references, the head of the document."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from pipelines.extract.latex import commands
from pipelines.extract.latex.arguments import Tokens
from pipelines.extract.latex.core import Reader, name_of
from pipelines.extract.latex.marks import CITED, END, MARKS, REFERRED


def styled(reader: Reader, token: str) -> None:
    if reader.in_body:
        reader.argument([*reader.writer.styles, commands.STYLES[token]])


def section(reader: Reader, token: str) -> None:
    reader.tokens.star()
    reader.tokens.optional()
    level = commands.SECTIONS[token]
    reader.writer.end_paragraph()
    reader.set_aside(lambda made: reader.heading(level, made))


def run_in(reader: Reader, _token: str) -> None:
    reader.tokens.star()
    reader.tokens.optional()
    reader.writer.end_paragraph()
    reader.set_aside(
        lambda made: reader.writer.inline(f"<strong>{made}</strong> ") if made and reader.in_body else None
    )


def caption(reader: Reader, token: str) -> None:
    star = reader.tokens.star()
    reader.tokens.optional()
    kind = "" if star or token == "\\Description" else _kind_of_caption(reader, token)

    def finish(made: str) -> None:
        table = next((opened.table for opened in reversed(reader.opened[-50:]) if opened.table is not None), None)
        if made and kind:
            made = f"{kind.capitalize()} {reader.number}: {made}"
        if table is not None and made:
            table.captions.append(made)
        elif made and reader.in_body:
            reader.writer.block(f"<p>{made}</p>\n")

    reader.anchor = ""
    if kind and reader.in_body:
        reader.counts[kind] += 1
        reader.number = str(reader.counts[kind])
    reader.set_aside(finish)


def _kind_of_caption(reader: Reader, token: str) -> str:
    """What the caption is of; empty for a part of a figure, and where nothing tells."""
    if token == "\\listingcaption":
        return "listing"
    names = [opened.name for opened in reader.opened[-50:] if opened.kind == "env"]
    if any(name in ("subfigure", "subtable") for name in names):
        return ""
    return next((commands.FLOATS[name] for name in reversed(names) if name in commands.FLOATS), "")


def sub_figure(reader: Reader, _token: str) -> None:
    caption = reader.tokens.optional()
    if caption and reader.in_body:
        reader.writer.block(f"<p>{html.escape(reader.plain(caption), quote=False)}</p>\n")


def footnote(reader: Reader, _token: str) -> None:
    reader.tokens.optional()
    if not reader.in_body:
        return
    number = len(reader.footnotes)
    reader.footnotes.append("")
    reader.writer.inline(f"[^{number + 1}]")

    def finish(made: str) -> None:
        reader.footnotes[number] = made

    reader.set_aside(finish)


def label(reader: Reader, _token: str) -> None:
    name = name_of(reader.tokens.group(short=True))
    if reader.number:
        reader.numbers[name] = reader.number
    elif reader.anchor:
        reader.titles[name] = reader.anchor


def cite(reader: Reader, token: str) -> None:
    reader.tokens.star()
    reader.tokens.optional()
    reader.tokens.optional()
    keys = html.escape(name_of(reader.tokens.group(short=True)))
    if reader.in_body:
        named = token.lower() in ("\\citet", "\\textcite", "\\citeauthor", "\\citea", "\\citeasnoun")
        reader.writer.inline(f"{CITED}{'n' if named else 'c'}{MARKS.sub('', keys)}{END}")


def refer(reader: Reader, token: str) -> None:
    reader.tokens.star()
    name = name_of(reader.tokens.group(short=True)).replace(END, "")
    if reader.in_body and name:
        mark = "C" if token[1].isupper() else "c"
        kind = mark if commands.REFERENCES[token] else "e" if token == "\\eqref" else "r"
        reader.writer.inline(f"{REFERRED}{kind}{html.escape(name)}{END}")


def refer_to_page(reader: Reader, _token: str) -> None:
    reader.tokens.star()
    reader.tokens.group(short=True)
    if reader.in_body:
        reader.writer.inline(f"{REFERRED}p{END}")


def meta(reader: Reader, token: str) -> None:
    reader.tokens.optional()
    argument = reader.tokens.group()
    if token == "\\title":
        kept = argument[: argument.index("\\thanks")] if "\\thanks" in argument else argument
        reader.document.title = reader.plain(kept) or reader.document.title
    elif token == "\\date":
        reader.document.date = reader.plain(argument)
    else:
        authors(reader, argument)


def authors(reader: Reader, tokens: Tokens) -> None:
    part: Tokens = []
    for token in [*tokens, "\\and"]:
        if token.lower() not in ("\\and", "\\quad", "\\qquad"):
            part.append(token)
            continue
        stop = next(
            (at for at, each in enumerate(part) if each in ("\\\\", "\\thanks", "\\inst", "\\footnote", "$", "^")),
            None,
        )
        name = re.sub(r"\d+$", "", reader.plain(part[:stop])).strip(" ,*†‡")
        if name and "@" not in name and name not in reader.document.authors:
            reader.document.authors.append(name)
        part = []


def number_with_unit(reader: Reader, token: str) -> None:
    """`\\SI{5}{\\milli\\second}` and its like: number, space, unit."""
    reader.tokens.optional()
    if not reader.in_body:
        return
    parts = [reader.plain(reader.tokens.group()) for _ in range({"\\SIrange": 3, "\\qtyrange": 3}.get(token, 2))]
    unit = parts.pop()
    numbers = "–".join(parts)
    reader.writer.text(f"{numbers}{'' if unit in ('°', '') else ' '}{unit}")


def if_then_else(reader: Reader, _token: str) -> None:
    reader.tokens.group()
    reader.tokens.group()


def paragraph_command(reader: Reader, _token: str) -> None:
    reader.end_paragraph()


COMMANDS: dict[str, Callable[[Reader, str], None]] = {
    **dict.fromkeys(commands.STYLES, styled),
    **dict.fromkeys(commands.SECTIONS, section),
    **dict.fromkeys(commands.RUN_IN, run_in),
    **dict.fromkeys(commands.CITATIONS, cite),
    **dict.fromkeys(commands.REFERENCES, refer),
    **dict.fromkeys(("\\pageref", "\\cpageref", "\\Cpageref", "\\vpageref"), refer_to_page),
    **dict.fromkeys(("\\SI", "\\qty", "\\SIrange", "\\qtyrange"), number_with_unit),
    **dict.fromkeys(("\\title", "\\author", "\\date"), meta),
    **dict.fromkeys(("\\caption", "\\Description", "\\listingcaption"), caption),
    **dict.fromkeys(("\\subfloat", "\\subfigure", "\\subcaptionbox"), sub_figure),
    **dict.fromkeys(("\\footnote", "\\tablefootnote", "\\sidenote"), footnote),
    "\\label": label,
    "\\par": paragraph_command,
}
