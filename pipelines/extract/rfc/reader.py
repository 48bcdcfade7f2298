"""RFCs and Internet-Drafts as text: pages joined, headings and lists made from columns, drawings left as they are."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from manifests.models import ExtractSettings
from pipelines.extract.front_matter import iso_date
from pipelines.extract.page import NoText, Page
from pipelines.extract.plain import read_text
from pipelines.extract.rfc.blocks import DRAWN, Writer
from pipelines.extract.write import heading

HEAD_LINES = 60
HEADER_LINES = 25
MAX_CONTENTS = 400  # lines of a table of contents

_NUMBER = re.compile(
    r"(?:^|\s{3,})Request for Com{2,3}ents\s*:?\s*#?\s*\d{1,5}\b"
    r"|^\s*RFC\s*:?\s*\d{1,5}(?:\s{3,}|$)|^Internet[- ]Draft(?:\s{3,}|$)",
    re.I,
)
_FOOTER = re.compile(r"\S.*\[Page\s+[\divxlc]+\]\s*")
_HEADER = re.compile(r"(?:RFC\s+\d+|Internet[- ]Draft|draft-\S+)\s{2,}\S.*(?:19|20)\d\d\s*", re.I)
_NUMBERED = re.compile(
    r"(?:(?:Appendix|Annex)\s+)?((?:\d{1,3}|[A-Z])(?:(?:\.\d{1,3})+\.?|(?:[.:]|\.?(?=\s\s|\s[A-Z\"]))))\s+(\S.*)"
)
_LEADER = re.compile(r"(?:\.[ ]?){4,}\s*\w*\s*$|\s{3,}\d{1,3}\s*$")
_CONTENTS = re.compile(r"(?:\d+\.?\s+)?(?:table of )?contents:?", re.I)
_COLUMNS = re.compile(r"[ ]{3,}")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(rf"(?:(\d{{1,2}})\s+)?({_MONTHS})\s+(?:(\d{{1,2}}),\s+)?((?:19|20)\d\d)")
_AUTHOR = re.compile(r"(?:[A-Z]\.(?:-[A-Z]\.)?[ ]?)+[^\W\d_][\w'’. -]*?(?:, Ed(?:s?\.|itors?))?")
_PLAIN = re.compile(r"[A-Z][\w'’(),/&:. -]*")
_KNOWN = re.compile(
    r"Status of this memo|Abstract|Introduction|Preface|Foreword|Overview|Summary|Acknowledge?ments?|References"
    r"|Bibliography|Copyright notice|Contents|Index|Glossary|Security considerations|Notes?|Table of contents"
    r"|Authors?['’]?s?['’]? address(?:es)?|Appendix.{0,60}|Discussion|Background|Conventions.{0,40}"
    r"|Full copyright statement|Intellectual property.*",
    re.IGNORECASE,
)
_WORDY_END = re.compile(r"[.:!?][\"')\]]?$")


def is_rfc(text: str) -> bool:
    """Whether a plain text begins as an RFC or an Internet-Draft does: with its number, above its title."""
    lines = text[:8000].replace("\f", "\n").lstrip("\n").split("\n")[:HEADER_LINES]
    return any(_NUMBER.search(line) and not _FOOTER.fullmatch(line) for line in lines)


def extract_rfc(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that an RFC or Internet-Draft of text holds; a pure function of its arguments.

    Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    lines = _dedented(_join_pages(read_text(body, content_type, limits).expandtabs()))
    columns, title, rest = _first_page(lines)
    if not any(line.strip() for line in rest):
        raise NoText
    left = [first for first, _ in columns if first]
    right = [second for _, second in columns if second]
    date = next((_iso(found) for line in (*right, *left) if (found := _DATE.search(line))), "")
    authors = tuple(line.partition(",")[0] for line in right if _AUTHOR.fullmatch(line))
    writer = Writer(_margin(rest), _width(rest))
    _sections(rest, writer)
    head = [heading(1, title)] if title else []
    if columns:
        head.append("\n".join(f"- {' '.join(line.split())}" for line in (*left, *right)))
    text = unicodedata.normalize("NFC", "\n\n".join(head)) + "\n\n" + writer.text()
    where = {key: "first-page" for key, value in (("date", date), ("authors", authors)) if value}
    return Page(title, text.strip("\n") + "\n", (), "rfc", date=date, authors=authors, found=where)


def _join_pages(text: str) -> list[str]:
    """The lines without page footers, page headers and the blank lines around them."""
    out: list[str] = []
    broken = False
    for line in text.replace("\f", "\n\f\n").split("\n"):
        bare = line.rstrip()
        footer = _FOOTER.fullmatch(bare) is not None
        if footer or line == "\f":
            while out and not out[-1]:
                out.pop()
            broken = broken or bool(out)
        elif broken and (not bare or _HEADER.fullmatch(bare)):
            continue
        else:
            if broken and not _goes_on(out[-1], bare):
                out.append("")
            broken = False
            out.append(bare)
    return out


def _dedented(lines: list[str]) -> list[str]:
    """The lines without the margin that all of them have."""
    column = min((_indent(line) for line in lines if line), default=0)
    return [line[column:] for line in lines] if column else lines


def _goes_on(last: str, first: str) -> bool:
    """Whether a paragraph or a drawing goes on behind a page break."""
    column = _indent(first)
    if _indent(last) != column and not (0 < _indent(last) < column and last[column - 2 : column] == "  "):
        return bool(DRAWN.search(first) and (DRAWN.search(last) or not _WORDY_END.search(last)))
    return not (_WORDY_END.search(last) or re.match(r"\s*(?:[-o*+]|\(?\w{1,3}[.)])\s", first))


def _first_page(lines: list[str]) -> tuple[list[tuple[str, str]], str, list[str]]:
    """The rows of the two columns above the title, the title, and the lines behind it."""
    at = next((number for number, line in enumerate(lines) if line), 0)
    columns: list[tuple[str, str]] = []
    number = at
    for number in range(at, min(at + HEADER_LINES, len(lines))):
        line = lines[number]
        if not line:
            if columns and _is_title(lines, number):
                break
            continue
        left, *right = [part for part in _COLUMNS.split(line.strip()) if part]
        columns.append(("", left) if _indent(line) > 20 else (left, " ".join(right)))
    else:
        return [], "", lines
    while number < len(lines) and not lines[number]:
        number += 1
    title = []
    while number < len(lines) and lines[number]:
        title.append(lines[number].strip())
        number += 1
    if len(title) > 1 and re.fullmatch(r"<?draft-[\w.-]+>?", title[-1]):
        columns.append((title.pop(), ""))
    return columns, unicodedata.normalize("NFC", " ".join(title)), lines[number:]


def _is_title(lines: list[str], number: int) -> bool:
    """Whether the next lines stand in the middle, as a title does, in one column."""
    following = next((line for line in lines[number : number + 8] if line), "")
    return 0 < _indent(following) <= 40 and not _COLUMNS.search(following.strip())


def _sections(lines: list[str], writer: Writer) -> None:
    """Headings and what stands between them, without the table of contents."""
    skipping = False
    chunk: list[str] = []
    for number, line in enumerate(lines):
        found = _section(lines, number, writer.margin)
        if found and not (skipping and _LEADER.search(line)):
            writer.chunk(chunk)
            chunk = []
            skipping = bool(_CONTENTS.fullmatch(found[1].strip()))
            if not skipping:
                writer.heading(found[0], found[1])
        elif not chunk and _CONTENTS.fullmatch(line.strip()) and _has_end(lines, number, writer.margin):
            skipping = True  # its title stands in the middle of a line
        elif not skipping and not line:
            writer.chunk(chunk)
            chunk = []
        elif not skipping and not (_is_heading_tail(lines, number) and not chunk):
            chunk.append(line)
    writer.chunk(chunk)


def _has_end(lines: list[str], number: int, margin: int) -> bool:
    """Whether a table of contents begins behind a line, and a heading ends it."""
    entries = others = 0
    for at in range(number + 1, min(number + MAX_CONTENTS, len(lines))):
        if not lines[at]:
            continue
        if _LEADER.search(lines[at]):
            entries += 1
        elif _section(lines, at, margin):
            return entries > 2 and entries > others
        else:
            others += 1
    return False


def _section(lines: list[str], number: int, margin: int) -> tuple[int, str] | None:
    """The level and text of the heading on a line: in the first column, a blank line before it.

    margin: the column in which most lines begin.
    """
    line = lines[number]
    if not line or line[0] == " " or (number and lines[number - 1]) or len(line) > 80:
        return None
    tails = []
    if number + 1 < len(lines) and _is_heading_tail(lines, number + 1):
        tails.append(lines[number + 1].strip())
    if (match := _NUMBERED.fullmatch(line)) and not (margin == 0 and _COLUMNS.search(line)):
        return 2 + match.group(1).strip(".:").count("."), " ".join([line, *tails])
    following = lines[number + 1] if number + 1 < len(lines) else ""
    plain = _PLAIN.fullmatch(line) and not line.endswith((".", ",", ";")) and "  " not in line
    # Where all text begins in the first column, a line there is no heading for that.
    plain = plain and (margin > 0 or line.isupper() or bool(_KNOWN.fullmatch(line.rstrip(":"))))
    return (2, line.rstrip(":")) if plain and not following else None


def _is_heading_tail(lines: list[str], number: int) -> bool:
    """Whether a line continues a numbered heading: below its text, and alone."""
    before = lines[number - 1] if number else ""
    match = _NUMBERED.fullmatch(before)
    if match is None or before[:1] == " " or not lines[number] or (number > 1 and lines[number - 2]):
        return False
    alone = number + 1 >= len(lines) or not lines[number + 1]
    return alone and _indent(lines[number]) == match.start(2)


def _iso(found: re.Match[str]) -> str:
    """A day where one is given, else the month, as ISO 8601 writes it."""
    day = found.group(1) or found.group(3)
    if day:
        return iso_date(f"{day} {found.group(2)} {found.group(4)}")
    return f"{found.group(4)}-{_MONTHS.split('|').index(found.group(2)) + 1:02d}"


def _margin(lines: list[str]) -> int:
    """The column in which most lines of text begin."""
    counts = Counter(_indent(line) for line in lines if line)
    return counts.most_common(1)[0][0] if counts else 0


def _width(lines: list[str]) -> int:
    """The length that filled lines have."""
    lengths = sorted(len(line) for line in lines if line)
    return min(72, lengths[len(lengths) * 19 // 20]) if lengths else 72


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
