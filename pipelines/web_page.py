"""One self-contained HTML page: its frame, tables, bars, and text that went through the redactor."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence

from filters.privacy.placeholders import redact
from filters.privacy.spans import spans_of

_SHOWN_CHARACTERS = 700
_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent);
  --soft: color-mix(in srgb, currentColor 62%, transparent) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem } h3 { font-size: 1rem; margin-bottom: 0 }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin-bottom: 1.5rem }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right } td.bar { width: 12rem; vertical-align: middle } small, .soft { color: var(--soft) }
pre { font: 12.5px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  margin: .3rem 0 1rem; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: 4px;
  max-height: 22rem; overflow: auto }
.share { background: #4a7fb5; height: .6rem; border-radius: 2px; min-width: 1px }
details { margin: .4rem 0 } summary { cursor: pointer } code { overflow-wrap: anywhere }
"""


def web_page(title: str, heading: str, sections: Iterable[tuple[str, str]]) -> str:
    """A page of titled sections of HTML, those without content left out; `heading` is HTML, `title` is not."""
    body = "".join(f"<h2>{escaped(name)}</h2>{content}" for name, content in sections if content)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{_STYLE}</style><h1>{heading}</h1>{body}</html>\n"
    )


def sample(title: str, said: str, body: str) -> str:
    """A heading, what is said of it, and the beginning of a text, redacted."""
    shown = redact(body.encode(), spans_of(body)).decode()[:_SHOWN_CHARACTERS]
    shown_html = f"<pre>{escaped(shown)}</pre>" if shown else ""
    return f"<h3>{escaped(title)}</h3><small>{escaped(said)}</small>{shown_html}"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: Iterable[int]) -> str:
    """A table of cells that are HTML already."""
    right = set(numeric)

    def line(cells: Sequence[str], tag: str) -> Iterator[str]:
        for column, cell in enumerate(cells):
            kind = " class=n" if column in right else " class=bar" if "class=share" in cell else ""
            yield f"<{tag}{kind}>{cell}</{tag}>"

    body = "".join(f"<tr>{''.join(line(row, 'td'))}</tr>" for row in rows)
    return f"<table><tr>{''.join(line(head, 'th'))}</tr>{body}</table>" if body else "<p class=soft>none</p>"


def escaped(value: str) -> str:
    """Text as HTML."""
    return html.escape(value, quote=True)


def with_commas(value: int | None) -> str:
    """A number for a person; a dash for none."""
    return "–" if value is None else f"{value:,}"
