"""Whether a command line is one that a reference bears out: it parses, calls its program, and uses its options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synth.outline import Outline, outline
from synth.shell import ShellError, parse_shell

#: Characters of a command that is read at all.
LONGEST = 4000

_PROGRAM = re.compile(r"[a-z0-9][a-zA-Z0-9_.+-]{0,79}")
_MANUAL = re.compile(r"\(\d[a-zA-Z]{0,4}\)")  # of a title: the section of the manual
_NAMES = re.compile(r"name", re.IGNORECASE)
_SYNOPSIS = re.compile(r"synopsis|usage|syntax", re.IGNORECASE)
_USAGE_LINE = re.compile(r"usage:[ \t]+(\S.{0,400})", re.IGNORECASE)
_MARKUP = str.maketrans("", "", "*`\\")
_DASH = re.compile(r" (?:--?|–|—) |: ")
_OPTION = re.compile(r"(?<![A-Za-z0-9_-])--?[A-Za-z0-9?@#][A-Za-z0-9_+.-]{0,80}")
_NEGATED = re.compile(r"--\[(no-|no)\]([A-Za-z0-9][A-Za-z0-9_-]{0,80})")
_SHELLS = frozenset(("sh", "bash", "shell", "zsh", "ksh", "console", "terminal", "shell-session", ""))
_NUMBER = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18}){0,7}")
_SMALL = 20  # a number up to it may be a word in a request
_ANGLES = re.compile(r"(?<![<$(])<[A-Za-z][A-Za-z0-9_ .|-]{0,60}>|\{\{[^{}\n]{1,80}\}\}")
_BRACKETS = re.compile(r"\[[A-Za-z][A-Za-z0-9_. =<>|-]{0,80}\]?(?:\.\.\.)?|\.\.\.|…")
_CAPITALS = re.compile(r"(?<![A-Za-z0-9_$\{])[A-Z][A-Z_]{2,40}(?![A-Za-z0-9_])")
_QUOTED = re.compile(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|\\(.)", re.DOTALL)

#: Programs that run another, and which of their options take a word.
_WRAPPERS = {
    "sudo": ("-u", "-g"), "env": ("-u",), "time": (), "nohup": (), "nice": ("-n",), "timeout": ("-k", "-s"),
    "watch": ("-n",), "xargs": ("-n", "-I", "-P", "-d", "-L"), "command": (), "exec": (), "stdbuf": ("-o", "-e", "-i"),
}  # fmt: skip
#: Programs that may stand beside the one that is asked for, and their options.
_COMPANIONS = {
    "awk": "-F -v -f", "basename": "", "cat": "-n", "cd": "", "chmod": "-R", "chown": "-R", "command": "-v",
    "cp": "-a -p -r", "cut": "-c -d -f -s", "date": "-d -u", "df": "-h", "dirname": "", "du": "-h -s", "echo": "-e -n",
    "env": "-i -u", "exec": "", "exit": "", "export": "", "false": "", "file": "",
    "find": "-delete -exec -maxdepth -mmin -mtime -name -newer -path -print -print0 -size -type",
    "grep": "-A -B -C -E -F -P -c -e -f -h -i -l -n -o -q -r -s -v -w",
    "head": "-c -n", "hostname": "",
    "jq": "-c -r", "kill": "", "ls": "-1 -a -h -l -t", "mkdir": "-m -p", "mktemp": "-d", "nice": "-n", "nohup": "",
    "paste": "-d -s", "printf": "", "pwd": "", "read": "-r", "rm": "-f", "sed": "-E -e -i -n -r", "seq": "",
    "set": "-e",
    "sleep": "", "sort": "-V -h -k -n -r -t -u", "stdbuf": "-e -i -o", "sudo": "-E -g -n -u", "tail": "-F -c -f -n",
    "tee": "-a", "test": "", "time": "-p", "timeout": "-k -s", "touch": "", "tr": "-c -d -s", "true": "", "uname": "-r",
    "uniq": "-c -d -u", "wait": "", "watch": "-d -n", "wc": "-c -l -m -w", "which": "", "xargs": "-0 -I -L -P -d -n -r",
}  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """What a document says of commands.

    `programs`: those that it is about; `usages`: the words that must follow one, as `remote add` does `git`; `options`:
    all that stand in it; `text`: all of it.
    """

    programs: frozenset[str]
    usages: frozenset[tuple[str, ...]]
    options: frozenset[str]
    text: str


def reference_of(document: str) -> Reference:
    """Programs are those of the title, of the sections Name and Synopsis, of lines of usage, and of shell blocks."""
    page = outline(document)
    title = page.headings[0].text.translate(_MARKUP) if page.headings else ""
    named = " ".join([_MANUAL.sub(" ", title), *_section(page, _NAMES)])
    synopsis = [line.split() for line in _synopsis(page)]
    programs = {words[0] for words in synopsis if _PROGRAM.fullmatch(words[0])}
    programs |= _titled(title) | {each for line in _section(page, _NAMES) for each in _named(line)}
    if not programs:
        programs = set(_in_blocks(page))
    about = frozenset(re.split(r"[\s,_-]+", _DASH.split(named)[0]) + re.split(r"[\s,]+", named))
    usages = {tuple(_leading(words, about)) for words in synopsis if words[0] in programs}
    options = {each.rstrip(".-") for each in _OPTION.findall(document)}
    for no, name in _NEGATED.findall(document):
        options |= {f"--{name}", f"--{no}{name}"}
    return Reference(frozenset(programs), frozenset(usages), frozenset(options), document)


def problems_of(command: str, request: str, reference: Reference) -> list[tuple[str, str]]:
    """What is wrong with a command that a request asks for: (reason, value), the worst first.

    broken_command: it does not parse, or is more than a line; placeholder: `<file>`, `[OPTION]`, or capitals that
    neither request nor reference has; other_program: one that is neither the reference's nor a common one beside it;
    other_subcommand; invented_option; unasked_value: a number that neither request nor reference has.
    """
    if len(command) > LONGEST or "\n" in command.replace("\\\n", " "):
        return [("broken_command", "it is more than a line")]
    if found := _ANGLES.search(command):
        return [("placeholder", found[0])]
    try:
        calls = [[plain(word) for word in words] for words in parse_shell(command).calls if words]
    except ShellError as error:
        return [("broken_command", str(error))]
    if command.endswith(("|", "&&", "\\")):
        return [("broken_command", "it goes on behind its end")]
    known = f"{request}\n{reference.text}"
    problems = [problem for words in calls for problem in _call_problems(words, reference)]
    asked = any(_program(word) in reference.programs for words in calls for word in words)
    if not asked and "other_program" not in (reason for reason, _ in problems):
        problems.insert(0, ("other_program", calls[0][0][:80] if calls else "none"))
    return problems + _value_problems(command, calls, known)


def plain(word: str) -> str:
    """A word without its quotes; what the shell would put in place of `$` stays as it is."""
    return _QUOTED.sub(lambda found: next((each for each in found.groups() if each is not None), ""), word)


def options_of(text: str) -> set[str]:
    """All options that a text names."""
    return {each.rstrip(".-") for each in _OPTION.findall(text)}


# What a document is about


def _section(page: Outline, title: re.Pattern[str]) -> list[str]:
    """The lines of the sections with a title, outside and inside of fences, without markup."""
    found: list[str] = []
    for number, heading in enumerate(page.headings):
        if title.fullmatch(heading.text.translate(_MARKUP).strip(" :")):
            following = page.headings[number + 1 :]
            end = following[0].line if following else len(page.lines)
            found += [line.translate(_MARKUP).strip() for line in page.lines[heading.line + 1 : end][:60]]
    return [line for line in found if line and not line.startswith("~")]


def _synopsis(page: Outline) -> Iterator[str]:
    """Lines that show how a program is called."""
    for line in _section(page, _SYNOPSIS):
        text = line.removeprefix("$ ").strip()
        if text and text not in _SHELLS:
            yield text
    for line in page.lines:
        if match := _USAGE_LINE.search(line[:500].translate(_MARKUP)):
            yield match[1]


def _titled(title: str) -> set[str]:
    """The program of a title like `rsync(1)`, `az network vnet create`, or `tool - what it does`."""
    manual = bool(_MANUAL.search(title))
    words = _DASH.split(_MANUAL.sub(" ", title))[0].split()
    if not words or not all(_PROGRAM.fullmatch(each) and each == each.lower() for each in words):
        return {words[0]} if manual and words and _PROGRAM.fullmatch(words[0]) else set()
    return {words[0]}


def _named(line: str) -> set[str]:
    """The programs of a line like `gzip, gunzip - compress files`."""
    names, *rest = _DASH.split(line, maxsplit=1)
    return {each for each in re.split(r"[\s,]+", names) if rest and _PROGRAM.fullmatch(each)}


def _in_blocks(page: Outline) -> Iterator[str]:
    """The first words of lines in blocks of a shell."""
    for fence in page.fences:
        if fence.language in _SHELLS:
            for line in page.code(fence).split("\n"):
                words = line[:400].removeprefix("$ ").removeprefix("# ").split()
                if words and _PROGRAM.fullmatch(words[0]) and any(each.startswith("-") for each in words):
                    yield words[0]


def _leading(words: Sequence[str], about: frozenset[str]) -> Iterator[str]:
    """The program and the words behind it that the document is named after."""
    yield words[0]
    for word in words[1:]:
        if word not in about or not _PROGRAM.fullmatch(word):
            return
        yield word


# What a command uses


def _program(word: str) -> str:
    return word.rsplit("/", 1)[-1]


def _call_problems(words: Sequence[str], reference: Reference) -> Iterator[tuple[str, str]]:
    program = _program(words[0])
    if program in reference.programs:
        yield from _subcommand_problems([program, *words[1:]], reference)
        yield from _option_problems(words[1:], reference.options)
    elif program in _WRAPPERS and (inner := _wrapped(words, _WRAPPERS[program])):
        yield from _option_problems(words[1 : len(words) - len(inner)], _companion(program))
        yield from _call_problems(inner, reference)
    elif program in _COMPANIONS:
        yield from _option_problems(words[1:], reference.options | _companion(program))
    else:
        yield "other_program", words[0][:80]


def _companion(program: str) -> frozenset[str]:
    return frozenset(_COMPANIONS.get(program, "").split())


def _wrapped(words: Sequence[str], with_word: Sequence[str]) -> Sequence[str]:
    """The command that a wrapper runs."""
    at = 1
    while at < len(words) and (words[at].startswith("-") or "=" in words[at] or words[at][:1].isdigit()):
        at += 2 if words[at] in with_word else 1
    return words[at:]


def _subcommand_problems(words: Sequence[str], reference: Reference) -> Iterator[tuple[str, str]]:
    """Some usage of the program has all its words in the command, in their order; or the document begins one so."""
    usages = [usage for usage in reference.usages if usage[0] == words[0]]
    operands = [word for word in words if not word.startswith("-")]
    if not usages or any(_is_within(usage, operands) for usage in usages):
        return
    if " ".join(operands[:3]) not in reference.text or len(operands) == 1:
        yield "other_subcommand", " ".join(operands[:4])[:80]


def _is_within(usage: Sequence[str], operands: Sequence[str]) -> bool:
    rest = iter(operands)
    return all(word in rest for word in usage)


def _option_problems(words: Sequence[str], options: frozenset[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        if word == "--":
            return
        if word in _COMPANIONS:  # what follows may be its own
            options |= _companion(word)
        if word.startswith("-") and len(word) > 1 and not _is_known(word, options):
            yield "invented_option", word.split("=", 1)[0][:80]


def _is_known(word: str, options: frozenset[str]) -> bool:
    """Whether an option stands there: as it is, before `=`, as letters in one (`-xzf`), or with its value (`-n10`)."""
    name = word.split("=", 1)[0]
    if name in options or name.lstrip("-")[:1] in ("", "$") or _NUMBER.fullmatch(name[1:]):
        return True
    if name.startswith("--"):
        return False
    letters = [f"-{letter}" for letter in name[1:]]
    if all(letter in options for letter in letters):
        return True
    return letters[0] in options and not name[2:].isalpha()


def _value_problems(command: str, calls: Sequence[Sequence[str]], known: str) -> list[tuple[str, str]]:
    """Placeholders and numbers that nobody named."""
    problems = [("placeholder", word[:80]) for words in calls for word in words[1:] if _BRACKETS.fullmatch(word)]
    problems += [("placeholder", word) for word in _CAPITALS.findall(command) if word not in known]
    numbers = set(_NUMBER.findall(known))
    for number in _NUMBER.findall(command):
        if number not in numbers and ("." in number or int(number) > _SMALL):
            problems.append(("unasked_value", number))
    return problems
