"""What a document must have for a kind of text to be asked of it: cheap signs, and rather too strict than too lax."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from synth.checks.records import Record, records_of
from synth.code import CodeError, longest_block, parse
from synth.outline import Fence, Outline, outline

_LONGEST_LINE = 400
_FEWEST_WORDS = 40  # of prose
_FEWEST_OPTIONS = 4
_FEWEST_LOG_LINES = 3
_FEWEST_SETTINGS = 3
_FEWEST_RESULTS = 4
_FEWEST_SCRIPT_LINES = 8
_WORDS_BETWEEN = 300  # of a report, between the words that name an incident

_PROGRAMS = frozenset(("python", "sh", "c", "go", "java", "rust", "dockerfile"))

_SHELLS = frozenset(
    ("sh", "bash", "shell", "zsh", "ksh", "console", "terminal", "shell-session", "shellsession", "session", "cli")
)
_CONFIGS = frozenset(
    ("yaml", "yml", "toml", "ini", "json", "jsonc", "hcl", "terraform", "conf", "cfg", "properties", "nginx")
) | frozenset(("apache", "haproxy", "systemd", "dockerfile", "desktop", "sourceslist", "bicep-params"))
# Fences that say nothing of a language hold what machines print, among other things.
_PLAIN = frozenset(("", "text", "txt", "plain", "plaintext", "none", "output", "log", "logs", "error", "nocode"))
_PRINTED = _PLAIN | _SHELLS

_INLINE = re.compile(r"`([^`\n]{3,200})`")
_PROGRAM = re.compile(r"[a-z][a-z0-9_.+-]{0,40}")
_OPTION = re.compile(r"(?:--[a-zA-Z][\w-]{1,60}|-[a-zA-Z0-9]{1,20})(?:[=\[ ,].{0,200})?", re.DOTALL)
# A line that describes an option, behind the marks of a list, a table or emphasis; then at least a word.
_OPTION_LINE = re.compile(r"[-*+|>\s]{0,8}[*`_]{0,3}(--?[a-zA-Z][\w-]{0,60})(?=[\s`*_,=\[:|<]|$)")
_RESULT = re.compile(r"[-+]?[0-9][0-9,]{0,20}(?:\.[0-9]{1,18})?(?: ?[A-Za-zµ%/]{1,12})?")
_ACCEPTED = re.compile(
    r"## Answer \(score -?\d{1,9}, accepted\)|\*\*.{0,200}\(?(?:[^()\n]{0,80}, )?accepted\)(?:\*\*)?:"
)
_SETTING = re.compile(r"\s{0,40}(?:- )?\"?[A-Za-z_][\w.\"-]{0,80}\s?(?:[:=]\s?\S.{0,300}|:)$")
_LOG_LINE = re.compile(
    r"[\[(<]?(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]?\d "
    r"\d\d:\d\d:\d\d|\d\d:\d\d:\d\d[.,\] ]|\s{0,6}\d{1,7}\.\d{3,6}\] |[IWEF]\d{4} \d\d:\d\d|(?:level|ts|time)=)"
)
_CHAT = re.compile(r"[\[(]?[\d:T -]{4,20}[\])]? ?<[^<>\s]{1,40}>")
_TROUBLE = re.compile(
    r"\b(?:error|err|fatal|panic|critical|crit|alert|emerg|fail(?:ed|ure|s)?|warn(?:ing)?|timed? ?out|timeout|refused|"
    r"denied|killed|lost|oom|segfault|exception|unable|cannot|blocked)\b",
    re.IGNORECASE,
)
_ERROR_LINE = re.compile(
    r"(?:^|[\s\[(:])(?:error|fatal|panic|err|e)(?:\[\w{1,12}\]|\(\w{1,12}\))?[\])]?:\s*\S"
    r"|\bTraceback \(most recent call|\b[A-Z]\w{1,40}(?:Error|Exception)\b[: ]"
    r"|\blevel=(?:error|fatal)\b|\bSegmentation fault\b|\bORA-\d{5}"
    r"|: (?:command not found|No such file or directory|Permission denied|Connection refused|cannot )",
    re.IGNORECASE,
)
# Three of these, the first among them, each more than once or in the title: a report of something that happened.
_INCIDENT = re.compile(r"\b(?:incidents?|outages?|post-?mortems?|downtime|disruptions?)\b", re.IGNORECASE)
_REPORTED = (
    re.compile(
        r"\b(?:root causes?|(?:was|were) caused by|was triggered by|the cause (?:was|of)|contributing)\b", re.IGNORECASE
    ),
    re.compile(
        r"\b(?:rolled back|reverted|mitigated|(?:was|were|been|fully) (?:resolved|restored|fixed)|recovered|"
        r"(?:we|team) (?:fixed|restored|mitigated|resolved|deployed))\b",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:affected|impacted|unavailable|unable to|lost|degraded|failed|failing|errors)\b", re.IGNORECASE),
    re.compile(
        r"\b\d{1,2}:\d\d(?::\d\d)? ?(?:[ap]\.?m\b|UTC|GMT|[PECM][SD]?T\b|CES?T)|\b(?:19|20)\d\d-\d\d-\d\d\b|"
        r"\b\d{1,4} (?:minutes|hours|days)\b|\b(?:January|February|March|April|May|June|July|August|September|October|"
        r"November|December) \d{1,2}\b|\b\d{1,2}(?:st|nd|rd|th)? (?:of )?(?:January|February|March|April|May|June|July|"
        r"August|September|October|November|December)\b",
        re.IGNORECASE,
    ),
)
_GUIDE = re.compile(r"\b(?:template|how to (?:write|run)|should|playbook|checklist)\b", re.IGNORECASE)


def meets(need: str, text: str) -> bool:
    """Whether a document has what a kind needs. Raises ValueError for a need that is none of NEEDS."""
    if need not in NEEDS:
        raise ValueError(f"need {need!r} is not among {', '.join(NEEDS)}")
    return NEEDS[need](outline(text))


def code(page: Outline) -> bool:
    """A fenced block of code with something in it."""
    return any(page.code(fence).strip() for fence in page.fences if fence.closed)


def prose(page: Outline) -> bool:
    """Sentences, outside of code, tables and headings: a file of code with its path has none."""
    lines = (line for line in _prose(page) if not line.lstrip().startswith(("#", "|")))
    return sum(len(line.split()) for line in lines) >= _FEWEST_WORDS


def script(page: Outline) -> bool:
    """The longest block of code is one that can be rewritten: a program, long enough, that parses."""
    block = longest_block(page)
    if block is None or block.language not in _PROGRAMS:
        return False
    if sum(bool(line.strip()) for line in block.code.split("\n")) < _FEWEST_SCRIPT_LINES:
        return False
    try:
        parse(block.language, block.code)
    except CodeError:
        return False
    return True


def command(page: Outline) -> bool:
    """A command with an option, in a fence of a shell or in inline code."""
    fenced = (line for fence in page.fences if fence.language in _PRINTED for line in _code_lines(page, fence))
    return any(map(_is_command, fenced)) or any(
        _is_command(span) for line in _prose(page) for span in _INLINE.findall(line)
    )


def options(page: Outline) -> bool:
    """Several options, each at the beginning of a line, of which at least as many words of prose speak."""
    found: set[str] = set()
    described = 0
    lines = _prose(page)
    for number, line in enumerate(lines):
        if (match := _OPTION_LINE.match(line)) and match[1] not in found:
            found.add(match[1])
            following = next((each for each in lines[number + 1 : number + 3] if each.strip()), "")
            described += len(line[match.end() :].split()) >= 3 or len(following.split()) >= 4
    return described >= _FEWEST_OPTIONS


def accepted_answer(page: Outline) -> bool:
    """A thread with an answer that is marked as accepted, as the extractor writes it."""
    return any(_ACCEPTED.fullmatch(line) for line in _prose(page) if line.startswith(("## ", "**")))


def incident(page: Outline) -> bool:
    """A report of an incident: it names one, and tells what it did, why, when, and what ended it."""
    text = "\n".join(_prose(page))
    title = page.headings[0].text if page.headings else ""
    named = len(_INCIDENT.findall(text)) + 2 * bool(_INCIDENT.search(title))
    words = len(text.split())
    if not named or named * _WORDS_BETWEEN < words or len(_GUIDE.findall(text)) > 1 + words // 200:
        return False
    told = sum(bool(pattern.search(text)) for pattern in _REPORTED)
    return told >= 3 if named > 1 else told == len(_REPORTED)


def log(page: Outline) -> bool:
    """Lines of a log in a fence, at least one of which tells of trouble."""
    for fence in page.fences:
        if fence.language not in _PRINTED:
            continue
        lines = [line for line in _code_lines(page, fence) if _LOG_LINE.match(line) and not _CHAT.match(line)]
        if len(lines) >= _FEWEST_LOG_LINES and any(map(_TROUBLE.search, lines)):
            return True
    return False


def config(page: Outline) -> bool:
    """A fence of a language of configuration, or of none, most of whose lines are settings."""
    for fence in page.fences:
        if fence.language in _CONFIGS or fence.language in _PLAIN:
            lines = [line for line in _code_lines(page, fence) if line.strip()]
            settings = sum(bool(_SETTING.match(line)) for line in lines)
            share = 2 if fence.language in _CONFIGS else 1.25
            if settings >= _FEWEST_SETTINGS and settings * share >= len(lines):
                return True
    return False


def error(page: Outline) -> bool:
    """A message of an error, in a fence of what a machine printed or in inline code."""
    printed = (line for fence in page.fences if fence.language in _PRINTED for line in _code_lines(page, fence))
    return any(map(_ERROR_LINE.search, printed)) or any(
        _ERROR_LINE.search(span) for line in _prose(page) for span in _INLINE.findall(line) if " " in span
    )


def results(page: Outline) -> bool:
    """Records with names and numbers: of a table, of CSV or of JSON."""
    return sum(map(_is_result, records_of(page))) >= _FEWEST_RESULTS


NEEDS: Mapping[str, Callable[[Outline], bool]] = {
    "accepted_answer": accepted_answer,
    "code": code,
    "command": command,
    "config": config,
    "error": error,
    "incident": incident,
    "log": log,
    "options": options,
    "prose": prose,
    "results": results,
    "script": script,
}


def _is_result(record: Record) -> bool:
    """A number in a field, and a name in another."""
    numbers = sum(bool(_RESULT.fullmatch(value)) for value in record.values)
    return numbers > 0 and any(value[:1].isalpha() for value in record.values)


def _prose(page: Outline) -> list[str]:
    """The lines outside of fences, their beginnings at least."""
    fenced = page.fenced()
    return [line[:_LONGEST_LINE] for number, line in enumerate(page.lines) if number not in fenced]


def _code_lines(page: Outline, fence: Fence) -> list[str]:
    """The lines of a fence, their beginnings at least, without its margin."""
    return [line[:_LONGEST_LINE] for line in page.code(fence).split("\n")]


def _is_command(line: str) -> bool:
    """A program and an option, behind a prompt or none."""
    words = line.replace("{{", "").replace("}}", "").split()
    while words and words[0] in ("$", "#", "%", ">", "sudo"):
        words.pop(0)
    return len(words) > 1 and bool(_PROGRAM.fullmatch(words[0])) and any(map(_OPTION.fullmatch, words[1:]))
