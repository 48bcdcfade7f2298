"""The text of a mail as Markdown: patches, code and logs as they are, no signatures, quotes only where answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from pipelines.extract.mail.patch import last_patch_end, patch_end
from pipelines.extract.mail.prose import code_language, prose_markdown
from pipelines.extract.write import fence

if TYPE_CHECKING:
    from pipelines.extract.mail.message import Part  # which reads HTML, whose reader reads typed text

MAX_KEPT_QUOTE = 12  # lines of a quote right above its answer
SEEN_SHARE = 0.6  # of a quote's lines stand before in the thread: then it is not needed

_QUOTE = re.compile(r"[ ]?(?:>[ ]?)+")
_DEEP = re.compile(r"[ ]?>[ ]?>")
_MARKS = re.compile(r"(?:> )+")
_CODE_COLUMN = re.compile(r"[ ]{4,}|[ ]*\t")
_WROTE = "wrote|écrit|schrieb.{0,80}|escribió|escreveu|scritto|schreef|skrev|napsal"
_ATTRIBUTION = re.compile(
    rf"(?:(?:On|Le|Am|El|Em|Il|Op|Den|Dne)\b.{{3,300}}\b(?:{_WROTE})\s?(?:\(a\))?:|.{{1,120}}\bwrote:|.{{1,80}}\bwrites:"
    r"|Quoting .{1,100}:|(?:\d{4}-\d\d-\d\d|\d{1,2}/\d{1,2}/\d{2,4}).{0,100}:)\s*$",
    re.DOTALL,
)
_ORIGINAL = re.compile(r"-{2,}[ ]?(?:Original|Forwarded) [Mm]essage[ ]?-{2,}|_{5,}\s*$")
_OUTLOOK = re.compile(
    r"\*?(?:From|Sent|Date|To|Cc|Subject|Reply-To|Importance|Von|Gesendet|Datum|An|Betreff|De|Envoyé|À|Objet"
    r"|Da|Inviato|A|Oggetto|Enviado|Para|Asunto|Assunto|Van|Verzonden|Aan|Onderwerp)[ ]?:\*?[ ]"
)
_OUTLOOK_FROM = re.compile(r"\*?(?:From|Von|De|Da|Van)[ ]?:\*?[ ]\S")
# What the last paragraph of a mail begins with, if it is no more than a farewell and a name.
_FAREWELL = re.compile(
    r"(?:(?:with )?(?:best|kind|warm|kindest|warmest)(?: regards| wishes)?|regards|cheers|sincerely(?: yours)?"
    r"|yours(?: \w+)?|(?:many )?thanks(?: and (?:best )?regards| in advance| again)?|thank you|thx|br|rgds"
    r"|(?:mit )?(?:freundlichen|besten|viele|liebe|beste|schöne) grü(?:ß|ss)en?|mfg"
    r"|cordialement|bien à vous|saludos|atentamente)[,.!]?",
    re.IGNORECASE,
)
_VERSION = re.compile(r"\n-- \n\d[\w.-]{0,30}\s*\Z")  # what git writes below a patch
FAREWELL_LINES = 10
MAX_ORIGINALS = 8  # mails quoted whole that are looked for in one
MAX_NAME = 60  # characters of a line below a farewell
_SHINGLE = 4  # words: what a quote is compared by whose lines were broken anew
_FOOTER = re.compile(
    r"_{30,}$|-{40,}$|To unsubscribe from this list: send the line|You received this message because you are subscribed"
    r"|Sent from my (?:iPhone|iPad|Android|mobile)|To unsubscribe,? (?:e-?mail|visit|send)|.{0,40}mailing list$"
)
_LIST_NAME = re.compile(
    r".{1,80}mailing list|.{0,80}\bunsubscribe\b|https?://\S+/(?:mailman|listinfo|archives)\S*|\S+@\S+", re.IGNORECASE
)
FOOTER_LINES = 8
_NAVIGATION = re.compile(r"\s*\[prev in list\]")
_DOWNLOAD = "[Download RAW message or body]"
_BEGINNINGS = ("On ", "Le ", "Am ", "El ", "Il ", "Op ", "Den ")


class Said:
    """The lines that stand in the messages before: what is quoted of them need not be read twice."""

    def __init__(self) -> None:
        self._lines: set[str] = set()
        self._shingles: set[tuple[str, ...]] = set()
        self._waiting: list[Sequence[str]] = []  # what the shingles do not know yet: few quotes ask for them

    def add(self, lines: Sequence[str]) -> None:
        """Note the lines of a message, quoted ones as well."""
        self._lines.update(_bare(line) for line in lines if line.strip())
        self._waiting.append(lines)

    def share(self, lines: Sequence[str]) -> float:
        """How much of these lines was said before: of the lines, or of their words, broken into lines in any way."""
        full = [line for line in lines if line.strip()]
        share = sum(1 for line in full if _bare(line) in self._lines) / len(full) if full else 1.0
        if share >= SEEN_SHARE or not (shingles := set(_shingles(full))):
            return share
        for waiting in self._waiting:
            self._shingles.update(_shingles(waiting))
        self._waiting.clear()
        return max(share, len(shingles & self._shingles) / len(shingles))


def _bare(line: str) -> str:
    """A line without spaces and marks of quotes."""
    return "".join(line.replace(">", "").split())


def _shingles(lines: Sequence[str]) -> Iterator[tuple[str, ...]]:
    words = " ".join(lines).replace(">", " ").split()
    return zip(*(words[at:] for at in range(_SHINGLE)), strict=False)


def body_markdown(parts: Sequence[Part], said: Said) -> str:
    """The parts of a mail as Markdown; their lines are noted in `said`, after they were compared with it."""
    made: list[str] = []
    noted: list[str] = []
    for part in parts:
        if part.kind == "diff":
            made.append(fence(_VERSION.sub("", part.text.strip("\n")), "diff"))
        elif part.kind == "markdown":
            made.append(_without_seen(part.text, said))
        else:
            lines = _without_end(part.text.split("\n"))
            made += _blocks(lines, said)
        noted += part.text.split("\n")
    said.add(noted)
    return "\n\n".join(each for each in made if each.strip())


def typed_markdown(text: str) -> str:
    """What someone typed, a mail or a comment, as Markdown: as `body_markdown` of a first message."""
    made = _blocks(_without_end(_without_navigation(text.split("\n"))), Said())
    return "\n\n".join(each for each in made if each.strip())


def _without_navigation(lines: list[str]) -> list[str]:
    """The lines of a message without those that an archive (MARC) writes into the same block, above and below it."""
    marks = [at for at, line in enumerate(lines) if _NAVIGATION.match(line)]
    if len(marks) > 1:
        lines = lines[marks[0] + 1 : marks[-1]]
    return [line for line in lines if line.strip() != _DOWNLOAD]


def _without_seen(markdown: str, said: Said) -> str:
    """Markdown made from HTML without the quotes at its end that were said before."""
    blocks = markdown.split("\n\n")
    while len(blocks) > 1 and blocks[-1].startswith(">") and said.share(blocks[-1].split("\n")) >= SEEN_SHARE:
        blocks.pop()
    while len(blocks) > 1 and _ATTRIBUTION.fullmatch(blocks[-1]):
        blocks.pop()
    return "\n\n".join(blocks)


def _without_end(lines: list[str]) -> list[str]:
    """The lines up to the signature, and without the footer of the list; both stand behind the last patch."""
    begin = last_patch_end(lines)
    end = len(lines)
    for at in range(begin, len(lines)):
        if lines[at] == "-- " or (lines[at] == "--" and len(lines) - at <= FOOTER_LINES):
            end = at
            break
    kept = lines[:end]
    for at in range(max(len(kept) - FOOTER_LINES, begin), len(kept)):
        if _FOOTER.match(kept[at]) and _is_footer(kept[at:]):
            return kept[:at]
    return kept


def _is_footer(lines: list[str]) -> bool:
    rest = [line.strip() for line in lines[1:] if line.strip()]
    ruled = lines[0].startswith(("___", "---"))
    return all(_LIST_NAME.search(line) for line in rest) and (bool(rest) or not ruled)


# ---------------------------------------------------------------- quotes and what is between them


def _blocks(lines: list[str], said: Said) -> list[str]:
    """Patches, quotes that are needed, and what the author wrote, as blocks of Markdown."""
    made: list[str] = []
    own: list[str] = []
    at = tries = 0
    while at < len(lines):
        if (end := patch_end(lines, at)) > at:
            made += [prose_markdown(own), fence("\n".join(lines[at:end]).rstrip("\n"), "diff")]
            own, at = [], end
        elif _QUOTE.match(lines[at]):
            end = _quote_end(lines, at)
            own = _without_attribution(own)
            made += [prose_markdown(own), _quote(lines[at:end], said, answered=_is_answered(lines, end))]
            own, at = [], end
        elif tries < MAX_ORIGINALS and _is_original(lines, at):
            tries += 1
            if (end := _original_end(lines, at, said)) > at:
                made.append(prose_markdown(_without_farewell(own)))
                own = []
            else:
                own.append(lines[at])
            at = max(end, at + 1)
        else:
            own.append(lines[at])
            at += 1
    return [*made, prose_markdown(_without_farewell(own))]


def _without_farewell(own: list[str]) -> list[str]:
    """The lines without `Best regards,` and the name, office and telephone number below it, at their end."""
    end = len(own)
    while end and not own[end - 1].strip():
        end -= 1
    for at in range(max(end - FAREWELL_LINES, 0), end):
        if _FAREWELL.fullmatch(own[at].strip()) and (at == 0 or not own[at - 1].strip()):
            below = own[at + 1 : end]
            return own[:at] if any(below) and all(len(line) <= MAX_NAME for line in below) else own
    return own


def _quote_end(lines: list[str], at: int) -> int:
    """Where a quote ends; blank lines between quoted ones are in it."""
    end = at
    for index in range(at, len(lines)):
        if _QUOTE.match(lines[index]):
            end = index + 1
        elif lines[index].strip():
            break
    return end


def _is_answered(lines: list[str], end: int) -> bool:
    """Whether the author writes something below a quote."""
    return any(line.strip() for line in lines[end : end + 50])


def _without_attribution(own: list[str]) -> list[str]:
    """The lines above a quote without `On ... wrote:`, which may go over three of them."""
    kept = list(own)
    while kept and not kept[-1].strip():
        kept.pop()
    for count in (1, 2, 3):
        if len(kept) >= count and _ATTRIBUTION.fullmatch(" ".join(line.strip() for line in kept[-count:])):
            if count == 1 and len(kept) > 1 and kept[-2].strip().startswith(_BEGINNINGS):
                continue
            return kept[:-count]
    return own


def _quote(lines: list[str], said: Said, *, answered: bool) -> str:
    """A quote as far as it is needed: all of it if it says something new, else what stands right above its answer."""
    bare = [_QUOTE.sub("", line, count=1) for line in lines]
    if said.share(bare) < SEEN_SHARE:
        kept = lines
    elif not answered:
        return ""
    else:
        kept = _last_paragraph(lines)
    rows = _with_code([_requoted(line) for line in kept])
    while rows and rows[-1] == ">":
        rows.pop()
    while rows and rows[0] == ">":
        rows.pop(0)
    return "\n".join(rows)


def _with_code(rows: list[str]) -> list[str]:
    """The rows of a quote, its code between fences, so that it keeps its lines and columns."""
    made: list[str] = []
    for is_text, group in groupby(rows, lambda row: row.strip("> ") != ""):
        block = list(group)
        marks = _MARKS.match(block[0])
        prefix = marks[0] if marks else ""
        bare = [row.removeprefix(prefix) for row in block]
        alike = is_text and all(row.startswith(prefix) and not row.startswith(prefix + ">") for row in block)
        language = code_language(bare) if alike else None
        if alike and (language is not None or all(map(_CODE_COLUMN.match, bare))):
            block = [
                prefix + row if row else prefix.rstrip() for row in fence("\n".join(bare), language or "").split("\n")
            ]
        made += block
    return made


def _last_paragraph(lines: list[str]) -> list[str]:
    """The last lines of a quote, up to a blank one, of what the author answers himself."""
    first = [line for line in lines if not _DEEP.match(line)]
    while first and not _QUOTE.sub("", first[-1]).strip():
        first.pop()
    kept: list[str] = []
    for line in reversed(first):
        if not _QUOTE.sub("", line).strip() or len(kept) >= MAX_KEPT_QUOTE:
            break
        kept.append(line)
    return kept[::-1]


def _requoted(line: str) -> str:
    found = _QUOTE.match(line)
    if found is None:
        return ">"
    text = line[found.end() :].rstrip()
    return " ".join([">"] * found[0].count(">") + ([text] if text else []))


def _is_original(lines: list[str], at: int) -> bool:
    """Whether the header of a mail that is quoted whole begins on a line."""
    ruled = bool(_ORIGINAL.match(lines[at]))
    if not ruled and not (_OUTLOOK_FROM.match(lines[at]) and at + 1 < len(lines) and _OUTLOOK.match(lines[at + 1])):
        return False
    return sum(bool(_OUTLOOK.match(line)) for line in lines[at + 1 : at + 8]) >= 2


def _original_end(lines: list[str], at: int, said: Said) -> int:
    """Where the mail ends that is quoted whole from a line on; `at` if it says something new."""
    rest = [line for line in lines[at + 1 :] if not _OUTLOOK.match(line) and not _ATTRIBUTION.fullmatch(line)]
    return len(lines) if said.share(rest) >= SEEN_SHARE else at
