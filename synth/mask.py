"""Code hidden from a teacher behind placeholders, and put back byte for byte.

Hidden are blocks (code, fenced or indented; tables; HTML that holds code, comments or tables) and, within lines, code,
URLs, commands at a prompt, HTML with attributes, control tokens (`control.py`), and whatever looks like a placeholder.
A placeholder says what it stands for: `[[code-3]]`, `[[table-2]]`, `[[url-5]]`, `[[command-4]]`, `[[html-6]]`,
`[[mark-7]]`. The same code within lines has the same placeholder, so that a teacher sees what is the same thing.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from synth import control
from synth.blocks import TAG, Block, blocks

_WORDS = "code|table|url|command|html|mark"
_NAME = rf"[ \t]{{0,3}}(?P<word>{_WORDS})[ _-]{{0,3}}(?P<number>[0-9]{{1,7}})[ \t]{{0,3}}"
_ANY = rf"(?P<escaped>\\)?\[(?(escaped)\\)\[{_NAME}(?(escaped)\\)\](?(escaped)\\)\]"
_PLACEHOLDER = re.compile(rf"\[\[(?P<name>(?:{_WORDS})-[0-9]{{1,7}})\]\]")
_MENTION = re.compile(
    rf"(?:(?<![`\\])(?P<ticks>`{{1,3}}+) ?)?(?P<inner>{_ANY})(?(ticks) ?(?P=ticks)(?!`))", re.IGNORECASE
)
# What is near enough to a placeholder to be one that broke: within single brackets, or bare.
_BROKEN = re.compile(
    rf"\[ ?(?:{_WORDS})[ _-]?[0-9]{{1,7}} ?\]|(?<![\w-])(?:{_WORDS})-[0-9]{{1,7}}(?![\w-])", re.IGNORECASE
)
_HINTS = tuple(hint for word in _WORDS.split("|") for hint in (f"{word}-", f"[{word}", f"[ {word}"))
_WRAPPED = re.compile(
    r"^(?P<lead>[ \t>]*+)(?P<fence>`{3,}+|~{3,}+)[^`\n]*+\n"
    rf"(?P=lead)(?P<inner>\[\[(?P<name>(?:{_WORDS})-[0-9]{{1,7}})\]\])[ \t]*+\n(?P=lead)(?P=fence)[ \t]*+$",
    re.MULTILINE,
)
_MOST_WRAPPED = 3  # fences, one around another
_MARK = r"(?:>|(?:[-+*:]|\d{1,9}[.)]|\[\^[^\]\s]{1,40}\]:)(?=[ \t]))"
_LEAD = re.compile(rf"(?:[ \t]*+{_MARK})*+[ \t]*+")
_EMPTY = re.compile(r"[ \t>]*+$")
_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\n|\r)|[^\r\n]++")
_PROMPT = re.compile(r"^[ \t>]*+(\$ [^\s`][^`\r\n]*+)$", re.MULTILINE)
_SUDO = re.compile(r"sudo +[a-z./-](?:[^`\r\n]*[^`\r\n.:;,?!])?$")
_NO_COMMAND = re.compile(
    r"sudo +(?:is|are|can|may|was|will|has|does|and|or|as|to|in|for|with|without|allows|requires)\b"
)
_CODE_TAGS = re.compile(r"<(code|kbd|samp|tt|pre)\b", re.IGNORECASE)

_TICKS = re.compile("`++")
_ADDRESS = r"""(?:[^\s<>`"'()\[\]\\\u3000-\u303f\uff00-\uffef]|\([^\s<>`"()\[\]\\]{0,200}+\)|')"""
_URL = rf"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{{1,20}}+://(?:\[[0-9a-fA-F:.]{{2,45}}\])?{_ADDRESS}++"
_LINK = (
    r"""\]\(\s{0,9}+(?P<target><[^<>\n`]{0,2000}+>|(?:[^\s()\\`<>]|\\[^\s`]|\([^\s()`]{0,200}+\))++)"""
    r"""(?=\s{0,9}+(?:"[^"`]{0,300}+"|'[^'`]{0,300}+')?\s{0,9}+\))"""
)
_ANGLE = (
    r"<(?:[A-Za-z][A-Za-z0-9+.-]{1,31}+:[^<>\x00-\x20]*+|[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]++@[a-zA-Z0-9.-]++)>"
    rf"|(?P<tag>{TAG})|(?P<raw><!--|<\?|<!\[CDATA\[|<![A-Za-z])"
)
_INLINE = rf"\\[!-/:-@\[-`{{-~]|`++|{_LINK}|{_ANGLE}"
_WITHOUT_URLS, _WITH_URLS = re.compile(_INLINE), re.compile(rf"{_INLINE}|(?P<url>{_URL})")
_DEFINITION = re.compile(
    r" {0,3}\[(?!\^)[^\[\]\n`\\]{1,300}+\]:[ \t]*+(<[^<>\n]{1,2000}+>|[^\s<]\S*+)[^\n`]*+$", re.MULTILINE
)
_RAW_ENDS = {"<!--": "-->", "<?": "?>", "<![CDATA[": "]]>"}
_TRAILING = ".,;:!?'*_"

Mode = Literal["masked", "chosen"]
_Finder = Callable[[str, int, int], Iterable[tuple[int, int]]]  # spans within text[begin:end]


@dataclass(frozen=True)
class Hidden:
    """What a placeholder stands for: the exact bytes, and what another place needs to have the same code.

    `bare`: a block's lines without the marks of the lists and quotes around it; of a line's code, on one line.
    `context`: the marks before its further lines; only where they are the same the exact bytes fit. `tight`: whether
    lines follow one another without an empty one, before and behind a block. `times`: how often it stands there.
    """

    name: str
    text: str
    block: bool
    bare: str
    context: str = ""
    tight: tuple[bool, bool] = (False, False)
    times: int = 1


@dataclass(frozen=True)
class Masked:
    """A text with placeholders, and what they hide, in the order of the text."""

    text: str
    hidden: tuple[Hidden, ...]


class _Span(NamedTuple):
    begin: int
    end: int
    word: str
    block: bool
    bare: str


# ---------------------------------------------------------------- hiding


def mask(markdown: str) -> Masked:
    """Hides the code of a text: `restore` gives back exactly what was given."""
    return _hide(markdown, _code(markdown))


def mask_marks(markdown: str) -> Masked:
    """Hides control tokens and what looks like a placeholder alone, wherever they stand; code is shown."""
    return _hide(markdown, [])


def _code(text: str) -> list[_Span]:
    """The spans of code, in order, apart from each other."""
    spans: list[_Span] = []
    for each in blocks(text):
        if each.sort in ("fence", "indented"):
            spans.append(_Span(each.start, each.end, "code", True, each.bare or text[each.start : each.end]))
        elif each.sort in ("table", "html"):
            spans.append(_Span(each.start, each.end, each.sort, True, each.bare))
        elif each.sort != "rule":
            spans += _inline(text, each)
    return spans


def _inline(text: str, block: Block) -> list[_Span]:
    begin, spans = block.start, []
    if block.sort == "paragraph":
        while found := _DEFINITION.match(text, begin, block.end):
            spans.append(_span(text, *found.span(1), "url"))
            begin = min(found.end() + 1, block.end)
            while begin < block.end and text[begin] in " \t>\r\n":
                begin += 1
    spans += _marked(text, begin, block.end)
    commands = _commands(text, begin, block.end) if block.sort == "paragraph" else []
    return _merged(spans, commands) if commands else spans


def _span(text: str, begin: int, end: int, word: str) -> _Span:
    lines = re.split(r"\r\n|\n|\r", text[begin:end])
    bare = lines[0] if len(lines) == 1 else " ".join([lines[0], *(each.lstrip(" \t>") for each in lines[1:])])
    return _Span(begin, end, word, False, bare)


def _marked(text: str, begin: int, end: int) -> list[_Span]:
    """Code, URLs and HTML within text[begin:end], the inline text of one block."""
    pattern = _WITH_URLS if text.find("://", begin, end) >= 0 else _WITHOUT_URLS
    closers: dict[int, list[int]] | None = None
    missing: set[str] = set()  # ends that no more stand ahead
    spans, at = [], begin
    while found := pattern.search(text, at, end):
        at = found.end()
        first = text[found.start()]
        if first == "`":
            if closers is None:
                closers = _runs(text, at, end)
            size = at - found.start()
            starts = closers.get(size, [])
            next_ = bisect_left(starts, at)
            if next_ < len(starts):
                at = starts[next_] + size
                spans.append(_span(text, found.start(), at, "code"))
        elif first == "]":
            spans.append(_span(text, *found.span("target"), "url"))
        elif first == "<":
            at, word = _angle(text, found, end, missing)
            if word:
                spans.append(_span(text, found.start(), at, word))
        elif first != "\\":
            at = _url_end(text, found.start(), at)
            spans.append(_span(text, found.start(), at, "url"))
    return spans


def _runs(text: str, begin: int, end: int) -> dict[int, list[int]]:
    """Where runs of backticks begin, by their length."""
    runs: dict[int, list[int]] = {}
    for each in _TICKS.finditer(text, begin, end):
        runs.setdefault(each.end() - each.start(), []).append(each.start())
    return runs


def _angle(text: str, found: re.Match[str], end: int, missing: set[str]) -> tuple[int, str]:
    """Where a tag, comment or autolink ends, and the word of what it is; no word: it is shown."""
    if opener := found["raw"]:
        closer = _RAW_ENDS.get(opener, ">")
        close = -1 if closer in missing else text.find(closer, found.end(), end)
        if close < 0:
            missing.add(closer)
            return found.end(), ""
        return close + len(closer), "html"
    if not found["tag"]:
        return found.end(), "url"
    if name := _CODE_TAGS.match(found["tag"]):
        closer = f"</{name[1]}>"
        close = -1 if closer in missing else text.find(closer, found.end(), end)
        if close < 0:
            missing.add(closer)
        elif text.find("`", found.end(), close) < 0 and text.find("\\", found.end(), close) < 0:
            return close + len(closer), "code"
    return found.end(), "html" if "=" in found["tag"] else ""


def _url_end(text: str, begin: int, end: int) -> int:
    """Where a bare URL ends: signs that end a sentence are none of it."""
    while end > begin + 1 and text[end - 1] in _TRAILING:
        end -= 1
    return end


def _commands(text: str, begin: int, end: int) -> list[_Span]:
    """Lines of a paragraph at a prompt, and a paragraph whose every line is of sudo."""
    spans = []
    if text.find("$ ", begin, end) >= 0:
        line = max(text.rfind("\n", 0, begin), text.rfind("\r", 0, begin)) + 1
        for found in _PROMPT.finditer(text, begin, end):
            spans.append(_Span(*found.span(1), "command", False, found[1]))
        if text.startswith("$ ", begin) and line != begin and "\n" not in text[begin:end]:
            spans = [_Span(begin, end, "command", False, text[begin:end])] if "`" not in text[begin:end] else spans
    elif text.startswith("sudo ", begin):
        lines = text[begin:end].split("\n")
        if all(_SUDO.match(each) and not _NO_COMMAND.match(each) for each in lines):
            at = begin
            for each in lines:
                spans.append(_Span(at, at + len(each), "command", False, each))
                at += len(each) + 1
    return spans


def _merged(spans: list[_Span], commands: list[_Span]) -> list[_Span]:
    """Both, in order: a command takes what lies in it, and gives way to what reaches beyond it."""
    crossed = {
        number
        for number, command in enumerate(commands)
        for each in spans
        if each.begin < command.end
        and command.begin < each.end
        and not (command.begin <= each.begin and each.end <= command.end)
    }
    kept = [command for number, command in enumerate(commands) if number not in crossed]
    outside = [each for each in spans if not any(c.begin <= each.begin and each.end <= c.end for c in kept)]
    return sorted(outside + kept)


def _hide(text: str, spans: Sequence[_Span]) -> Masked:
    names: dict[tuple[str, str], str] = {}
    times: Counter[str] = Counter()
    placed: list[tuple[str, _Span]] = []
    parts: list[str] = []
    at = 0
    for each in _with_marks(text, spans):
        raw = text[each.begin : each.end]
        shared = not each.block and "\n" not in raw and "\r" not in raw
        name = names.get((each.word, raw)) if shared else None
        if name is None:
            name = f"{each.word}-{len(placed) + 1}"
            placed.append((name, each))
            if shared:
                names[each.word, raw] = name
        times[name] += 1
        parts += [text[at : each.begin], f"[[{name}]]"]
        at = each.end
    parts.append(text[at:])
    masked = "".join(parts)
    return Masked(masked, _described(text, masked, placed, times))


def _with_marks(text: str, spans: Sequence[_Span]) -> Iterator[_Span]:
    """The spans, and between them those of control tokens and of what looks like a placeholder."""
    # Most texts have none at all: what is not in the whole is not looked for in its parts.
    finders: list[_Finder] = []
    if control.find(text):
        finders.append(control.find)
    if "[[" in text or "\\[" in text:
        finders.append(_mentions)
    folded = text.lower()
    if any(each in folded for each in _HINTS):
        finders.append(_broken)
    at = 0
    for each in [*spans, None]:
        end = each.begin if each else len(text)
        if at < end and finders:
            yield from _marks(text, at, end, finders)
        if each:
            yield each
            at = each.end


def _mentions(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    return (each.span() for each in _MENTION.finditer(text, begin, end))


def _broken(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    return (each.span() for each in _BROKEN.finditer(text, begin, end))


def _marks(text: str, begin: int, end: int, finders: Sequence[_Finder]) -> Iterator[_Span]:
    at = begin
    for start, stop in sorted(span for find in finders for span in find(text, begin, end)):
        if start >= at:
            yield _span(text, start, stop, "mark")
            at = stop


def _described(text: str, masked: str, placed: Sequence[tuple[str, _Span]], times: Counter[str]) -> tuple[Hidden, ...]:
    """What is hidden, with what stands around each placeholder in the masked text."""
    around: dict[str, tuple[str, tuple[bool, bool]]] = {}
    lines = _LINE.findall(masked)
    for number, line in enumerate(lines):
        if "[[" in line:
            context = _context(line)
            tight = (
                number > 0 and not _is_empty(lines[number - 1]),
                number + 1 < len(lines) and not _is_empty(lines[number + 1]),
            )
            for found in _PLACEHOLDER.finditer(line):
                around.setdefault(found["name"], (context, tight))
    return tuple(
        Hidden(name, text[each.begin : each.end], each.block, each.bare, *around[name], times[name])
        for name, each in placed
    )


def _is_empty(line: str) -> bool:
    return bool(_EMPTY.match(line.rstrip("\r\n")))


def _lead(line: str) -> str:
    found = _LEAD.match(line)
    return found[0] if found else ""


def _continued(lead: str) -> str:
    """What stands before the further lines of what a lead begins: quotes go on, marks of lists are spaces."""
    return re.sub(r"[^>\t]", " ", lead)


def _context(line: str) -> str:
    """The marks before further lines; and whether the line is one that cannot have any."""
    lead = _lead(line)
    return _continued(lead) + ("#" if line[len(lead) : len(lead) + 1] in ("#", "|") else "")


# ---------------------------------------------------------------- putting back


def tidy(answer: str, hidden: Sequence[Hidden]) -> str:
    """The answer with placeholders as they were given, where a teacher wrote them otherwise or put a fence around."""
    blocks_by_name = {each.name for each in hidden if each.block}

    def spelled(found: re.Match[str]) -> str:
        word = found["word"].lower()
        placeholder = f"[[{word}-{int(found['number'])}]]"
        # What stands for code brings its own backticks; a mark may stand within code that is shown.
        return found[0].replace(found["inner"], placeholder) if word == "mark" else placeholder

    def unwrapped(found: re.Match[str]) -> str:
        return found["lead"] + found["inner"] if found["name"] in blocks_by_name else found[0]

    text = _MENTION.sub(spelled, answer)
    for _ in range(_MOST_WRAPPED):
        inner = _WRAPPED.sub(unwrapped, text)
        if inner == text:
            break
        text = inner
    return text


def restore(answer: str, hidden: Sequence[Hidden]) -> str:
    """Puts back what is hidden. Blocks stand on lines of their own, behind the marks of the list or quote they are in.

    Placeholders that stand for nothing stay as they are.
    """
    return _put_back(tidy(answer, hidden), {each.name: each for each in hidden})


def _put_back(answer: str, known: dict[str, Hidden]) -> str:
    if "[[" not in answer:
        return answer
    lines = _LINE.findall(answer)
    parts: list[str] = []
    for number, line in enumerate(lines):
        if "[[" not in line:
            parts.append(line)
            continue
        follows = number + 1 < len(lines) and not _is_empty(lines[number + 1])
        follows_one = number > 0 and not _is_empty(lines[number - 1])
        parts.append(_restored(line, known, follows_one, follows))
    return "".join(parts)


def _restored(line: str, known: dict[str, Hidden], after_text: bool, before_text: bool) -> str:
    """A line with what its placeholders stand for. `after_text`, `before_text`: its neighbours are not empty."""
    body = line.rstrip("\r\n")
    end = line[len(body) :]
    context = _context(body)
    if not any(each["name"] in known and known[each["name"]].block for each in _PLACEHOLDER.finditer(body)):
        return _inline_restored(body, known, context) + end
    lead = _lead(body)
    further = _continued(lead)
    gap = (end or "\n") + further.rstrip(" \t") + (end or "\n")
    parts: list[str] = []
    at = 0
    for found in _PLACEHOLDER.finditer(body):
        each = known.get(found["name"])
        if each is None or not each.block:
            continue
        before = body[at : found.start()]
        alone = at == 0 and before == lead
        if alone:
            parts += [gap.removeprefix(end or "\n") + lead if after_text and not each.tight[0] else lead]
        else:
            parts += [_inline_restored(before.rstrip(" \t"), known, "#"), gap, further]
        parts.append(each.text if each.context == context or _is_one_line(each.text) else _moved(each.bare, further))
        at = found.end()
        last = each
    rest = body[at:]
    if rest.strip(" \t.:,;"):
        parts += [gap, further, _inline_restored(rest.lstrip(" \t"), known, "#")]
    elif alone:
        parts.append(rest)
    if before_text and not last.tight[1]:
        parts.append((end or "\n") + further.rstrip(" \t"))
    return "".join(parts) + end


def _is_one_line(text: str) -> bool:
    return "\n" not in text and "\r" not in text


def _inline_restored(text: str, known: dict[str, Hidden], context: str) -> str:
    def put(found: re.Match[str]) -> str:
        each = known.get(found["name"])
        if each is None:
            return found[0]
        return each.text if each.context == context or _is_one_line(each.text) else each.bare

    return _PLACEHOLDER.sub(put, text)


def _moved(bare: str, further: str) -> str:
    """The lines of a block behind other marks."""
    first, *others = bare.split("\n")
    return "\n".join([first, *((further + each) if each else further.rstrip(" \t") for each in others)])


# ---------------------------------------------------------------- judging


def problems(answer: str, hidden: Sequence[Hidden], mode: Mode) -> list[tuple[str, str]]:
    """What is wrong with the placeholders of an answer: (reason, their names).

    masked: each must come back; a block once, what stands within lines as often as it stood or less. chosen: the answer
    takes what it needs, a block at most once. In both none is invented, and what is put back must be code there, as it
    was: with the same bytes, and no part of something else.
    """
    return judged(answer, hidden, mode)[1]


def judged(answer: str, hidden: Sequence[Hidden], mode: Mode) -> tuple[str, list[tuple[str, str]]]:
    """What `restore` and `problems` say, for the price of one."""
    text = tidy(answer, hidden)
    known = {each.name: each for each in hidden}
    restored = _put_back(text, known)
    counts = Counter(each["name"] for each in _PLACEHOLDER.finditer(text))
    found = []
    if mode == "masked":
        found.append(("lost_placeholder", [each.name for each in hidden if not counts[each.name]]))
    found.append(("invented_placeholder", [name for name in counts if name not in known]))
    most = {each.name: 1 if each.block else each.times for each in hidden if each.block or mode == "masked"}
    found.append(("repeated_placeholder", [name for name in most if counts[name] > most[name]]))
    found.append(("broken_placeholder", [each[0] for each in _BROKEN.finditer(_PLACEHOLDER.sub("", text))]))
    found.append(("misplaced_placeholder", _misplaced(text, restored, known, counts)))
    return restored, [(reason, ", ".join(names)[:200]) for reason, names in found if names]


def _misplaced(answer: str, restored: str, known: dict[str, Hidden], counts: Counter[str]) -> list[str]:
    """Blocks within a sentence, and code that is other code, or none, in the restored text."""
    wrong = []
    for line in _LINE.findall(answer):
        for found in _PLACEHOLDER.finditer(line):
            each = known.get(found["name"])
            if each is not None and each.block and line[found.end() :].strip(" \t\r\n.:,;"):
                wrong.append(each.name)
    there: Counter[str] = Counter()
    for span in _code(restored):
        there[_essence(span.bare)] += 1
    for name, each in known.items():
        if counts[name] and not name.startswith("mark-"):
            there[_essence(each.bare)] -= counts[name]
            if there[_essence(each.bare)] < 0 and name not in wrong:
                wrong.append(name)
    return wrong


def _essence(bare: str) -> str:
    """What must be the same of code wherever it stands."""
    return bare.replace("\r\n", "\n").replace("\r", "\n")
