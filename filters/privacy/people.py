"""Personal data in one line: mail addresses, phone numbers, names, names of users. Places are bytes in the line."""

from __future__ import annotations

import re
from functools import cache

from manifests.load import load_privacy

Found = list[tuple[int, int, str]]

_EMAIL = re.compile(
    rb"(?<![\w.+/%-])([A-Za-z0-9][\w.+%-]{0,63})@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![\w-])"
)
_PROMPT = re.compile(rb"(?:^|[\[(\s])([a-z][a-z0-9._-]{1,31})@[A-Za-z0-9][\w.-]{0,63}[: ][^\n$#%]{0,80}[$#%](?=\s|$)")
_HOME = re.compile(
    rb"(?:(?<![\w.-])/(?:home|Users)/|[A-Za-z]:\\{1,2}(?:Users|Documents and Settings)\\{1,2})"
    rb"([A-Za-z][\w.-]{1,31})(?![\w(*{$<-])"
)
_INTERNATIONAL = re.compile(rb"(?<![\w+.])\+[1-9]\d{0,2}(?:[ .()/-]{1,2}\d{1,8}){2,6}(?![\w-])")
_AMERICAN = re.compile(rb"(?<![\w.+/-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w.-]*\d)")
_LOCAL = re.compile(rb"(?<![\w.+/-])\+?\d[\d ()./-]{6,18}\d(?![\w-])")
_SIGNED_OFF = re.compile(
    rb"^\s*(?:Signed-off|Reviewed|Acked|Tested|Reported|Co-authored|Co-developed|Suggested|Authored|Written)-by:[ \t]+"
    rb"((?:[^\W\d_][\w.'-]*[ ]?){1,5}?)\s*(?=<|$|\()",
    re.IGNORECASE,
)
_NAME = re.compile(
    rb"^\s*(?:-{1,2}\s?|~\s?)?([A-Z\xc3-\xc5][^\W\d_]*(?:[ -](?:[A-Z]\.|[A-Z\xc3-\xc5][^\W\d_]*)){0,3})\s*$"
)
_MAIL_HEADER = re.compile(
    rb"^\s*>?\s*(?:From|To|Cc|Reply-To|Sender):[ \t]+\"?((?:[A-Z\xc3-\xc5][\w.'-]*[ ]"
    rb"){1,3}[A-Z\xc3-\xc5][\w.'-]*)\"?\s*<"
)
_FICTION = re.compile(rb"555[ .()/-]{0,2}01[ ]?\d\d$")
# Domains of two letters are countries but for those that files end in; of longer ones these are in use for mail.
_TOP = re.compile(
    rb"(?!(?:py|sh|md|so|js|cc|go|rs|ps|hs|ml|vs|ts|rb|in|am|la|st|id|is|to)$)[a-z]{2}|in|is|am|to|id"
    rb"|com|org|net|edu|gov|mil|int|info|biz|name|pro|"
    rb"dev|app|cloud|tech|online|site|xyz|email|systems|software|network|academy|science|mobi|eu|asia"
    rb"|coop|museum|aero|jobs|tel|cat|wiki|page|space|world|"
    rb"team|group|company|solutions|services|digital|studio|consulting|institute|university|berlin"
    rb"|london|paris|nyc|tokyo|bzh|scot|swiss|global|zone|works",
    re.IGNORECASE,
)
_LIST_BEGIN = re.compile(rb"(?:bug|bugs|help|info|linux|list|lists|dev|user|users|debian|gnu)-", re.IGNORECASE)
_DATE = re.compile(rb"(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ]\d|\d{1,2}[/.]\d{1,2}[/.](?:19|20)\d\d")
_NO_PHONE = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}|\d+\.\d+|\d+")
_GOES_ON = re.compile(rb"[:.]\d")
_REALM = re.compile(rb"[A-Z0-9.-]+")


@cache
def _roles() -> frozenset[bytes]:
    return frozenset(word.encode() for word in load_privacy().roles)


@cache
def _given_names() -> frozenset[bytes]:
    """Given names and names of stories, which tell nobody from others when they stand alone."""
    return frozenset(word.encode() for word in load_privacy().given_names)


@cache
def _no_mail() -> re.Pattern[bytes]:
    hosts = "|".join(re.escape(host) for host in (*load_privacy().no_mail, *load_privacy().list_domains))
    return re.compile(rf"(?:^|\.)(?:{hosts})$|^lists?[.-]|\.lists\.|^example".encode(), re.IGNORECASE)


@cache
def _list_name() -> re.Pattern[bytes]:
    endings = "|".join(re.escape(ending) for ending in load_privacy().list_endings)
    return re.compile(rf"(?:{endings})$".encode(), re.IGNORECASE)


@cache
def _closing() -> re.Pattern[bytes]:
    words = "|".join(re.escape(word) for word in sorted(load_privacy().closings, key=len, reverse=True))
    return re.compile(rf"^\s*(?:{words})[,!.]?\s*(.*)$".encode(), re.IGNORECASE)


@cache
def _phone_word() -> re.Pattern[bytes]:
    words = "|".join(load_privacy().phone_words)
    return re.compile(rf"\b(?:{words})s?\b".encode(), re.IGNORECASE)


def emails(line: bytes) -> Found:
    """Mail addresses of persons."""
    found = []
    for match in _EMAIL.finditer(line):
        local, host = match.groups()
        name = local.lower()
        if name in _roles() or _list_name().search(name) or _LIST_BEGIN.match(name) or _no_mail().search(host):
            continue
        if not _TOP.fullmatch(host.rpartition(b".")[2]):
            continue
        if _REALM.fullmatch(host) or re.fullmatch(rb"user\d+", name):  # a Kerberos principal; a placeholder
            continue
        found.append((match.start(), match.end(), "email"))
    return found


def is_user(name: bytes) -> bool:
    """Whether a name of a user is somebody's: no role, and no placeholder."""
    lowered = name.lower().rstrip(b".")
    if lowered in _roles() or lowered in _given_names() or lowered.rstrip(b"0123456789") in _roles():
        return False
    return not re.fullmatch(rb"(?:user|name|your|my|the|some|test|x+)[\w.-]*|[\w.-]*(?:user|name)|[a-z.]{0,2}", lowered)


def users(line: bytes) -> Found:
    """Names of users in paths of home directories and in prompts of shells."""
    found = []
    for pattern in (_HOME, _PROMPT):
        for match in pattern.finditer(line):
            if is_user(match[1]):
                name = match[1].rstrip(b".")
                found.append((match.start(1), match.start(1) + len(name), "username"))
    return found


def phones(line: bytes) -> Found:
    """Phone numbers: international ones, American ones, and any where a word says that it is one."""
    found = []
    for pattern in (_INTERNATIONAL, _AMERICAN, _LOCAL):
        for match in pattern.finditer(line):
            number = match[0]
            digits = sum(48 <= byte <= 57 for byte in number)
            if not 8 <= digits <= 15 or _FICTION.search(number) or _DATE.match(number) or _NO_PHONE.fullmatch(number):
                continue
            if pattern is _LOCAL and not _phone_word().search(line[max(0, match.start() - 24) : match.start()]):
                continue
            if (
                line[match.end() : match.end() + 2].startswith((b":", b"."))
                and line[match.end() + 1 : match.end() + 2].isdigit()
            ):
                continue
            found.append((match.start(), match.end(), "phone"))
    return found


def names(line: bytes) -> Found:
    """Names in tags such as Signed-off-by, and in headers of mail."""
    return [
        (match.start(1), match.start(1) + len(match[1].rstrip()), "person")
        for pattern in (_SIGNED_OFF, _MAIL_HEADER)
        for match in pattern.finditer(line)
        if match[1].strip() and not match[1].strip().lower().endswith(b"[bot]")
    ]


def closing_name(line: bytes) -> tuple[int, int] | None:
    """The name behind `Regards,` in the same line; (0, 0) where the next line has it; None where nothing closes."""
    closed = _closing().match(line)
    if not closed:
        return None
    rest = closed[1]
    if not rest.strip():
        return (0, 0)
    named = _NAME.match(rest)
    return (closed.start(1) + named.start(1), closed.start(1) + named.end(1)) if named else None


def name_alone(line: bytes) -> tuple[int, int] | None:
    """A line that is a name of one to four words."""
    named = _NAME.match(line)
    return named.span(1) if named else None
