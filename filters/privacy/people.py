"""Personal data in one line: mail addresses, phone numbers, names, names of users. Places are bytes in the line."""

from __future__ import annotations

import re
from functools import cache

from manifests.load import load_privacy

Found = list[tuple[int, int, str]]

_EMAIL = re.compile(
    rb"(?<![\w.+/%@-])([A-Za-z0-9][\w.+%-]{0,63})@((?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![\w@-])"
)
# The name before a host that is no Kerberos realm and no container.
_PROMPT = re.compile(
    rb"(?:^|[\[(\s])([a-z][a-z0-9._-]{1,31})@(?![A-Z0-9.-]+[: ]|[0-9a-f]{12}:)[A-Za-z0-9][\w.-]{0,63}"
    rb"[: ](?:[^\n$#% ]| (?! )){0,80}[$#%](?=\s|$)"
)
_HOME = re.compile(
    rb"(?:(?<![\w.-])/(?:home|Users)/|[A-Za-z]:\\{1,2}(?:Users|Documents and Settings)\\{1,2})"
    rb"([A-Za-z][\w.-]{1,31})(?![\w(*{$<-])"
)
_INTERNATIONAL = re.compile(rb"(?<![\w+.])\+[1-9]\d{0,2}(?:[ .()/-]{1,2}\d{1,8}){2,6}(?![\w-])")
_AMERICAN = re.compile(rb"(?<![\w.+/-])(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}(?![\w.-]*\d)")
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
# Numbers for examples and of nobody: 555 for the area or the exchange, one digit three times, free of charge.
_FICTION = re.compile(
    rb"555[ .()/-]{0,2}01[ ]?\d\d$|^(?:\+?1[ .-])?\(?(?:\d{3}\)?[ .-]{1,2}(?:555|(\d)\1\1)|555"
    rb"|8(?:00|22|33|44|55|66|77|88)|900)[) .-]"
)
_GOES_ON = re.compile(rb"[:.]\d|\s?(?:[kMG]?Hz|[kMG]i?B|[mun]?s|bytes|seconds)\b")  # behind what is no phone
_COUNTED = b"0123456789" * 3
_SPACED = re.compile(rb"\d{3} \d{3} \d{4}")
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
_LIST_BEGIN = re.compile(
    rb"(?:bugs?|help|info|linux|lists?|dev|users?|debian|gnu|sales|support|security|admin|tech|contact|press)[_-]",
    re.IGNORECASE,
)
_DATE = re.compile(rb"(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ]\d|\d{1,2}[/.]\d{1,2}[/.](?:19|20)\d\d")
_NO_PHONE = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}|\d+\.\d+|\d+|[0-2](?:\.\d{1,6}){3,20}")
_REALM = re.compile(rb"[A-Z0-9.-]+")
# A name that ends in `user`; Hauser and Neuser are surnames.
_ANY_USER = (
    rb"user[\w.-]*|(?:[\w-]{1,20}[._-])?user\d*|[\w.-]{0,30}(?<![ae])user\d*"
    rb"|(?:some|remote|remove|azure|node|the|space|base|data)user\d*"
)
# Names before an @ that stand for any: of a form to fill in, or of a thing that has an address.
_ANY_NAME = re.compile(
    _ANY_USER + rb"|\d{8,20}\.[\w.-]+|\d{1,9}\.\d{6,}|[0-9a-f]{10,}\.[\w.]+"
    rb"|(?:your?|my|some|any|other|old|new|the)[._-]?\w{0,12}?(?:e?mail|name|address|account|login|user_?id)"
    rb"\w{0,4}|(?:first|given)(?:name)?[._-]?(?:last|second|family|sur)(?:name)?|f[._-]?last(?:name)?|(?:node|host|login|account|recipient"
    rb"|sender|address|proper|commit)(?:name|mail)?\d?|[\w.-]{0,30}(?:servicedesk|helpdesk|mailbox|[._-]bot)",
    re.IGNORECASE,
)
_ANY_HOST = re.compile(
    rb"(?:your|my(?:org|company|domain|corp|host|site|server|mail)|some(?:where|host|domain|site|company)"
    rb"|(?:john|jane)[._-]?doe|(?:full|machine)\.)",
    re.IGNORECASE,
)
# What stands before the address of a person: a name, or a word that says what it is.
_NAMED = re.compile(
    rb"[A-Z][\w.'\x80-\xff-]+ [A-Z\xc3-\xc5][\w.'\x80-\xff-]*[\"']? ?[<(]$"
    rb"|(?i:(?:mail|author|maintainer|owner|contact|to|from|cc)[\"']?\s?[:=]?\s{0,4}[\"'<(]?)$|(?i:copyright|author|\bby\b)"
)
# Hosts that serve machines and lists, by their first name.
_SERVICES = (
    r"(?:bugs?|qa|buildd|packages|tracker|tickets?|issues|support|security|groups|forums?|news|notifications|reply|rt)"
)
_ESCAPED = b"u003c"  # a < in JSON, behind a backslash
_LIST = re.compile(rb"mailing[ -]list", re.IGNORECASE)
_NEAR = 60
# Words of names that are no person's, and persons of stories.
_NOBODY = re.compile(
    rb"(?i:\b(?:name|author|system|daemon|team|committee|contributors?|maintainers?|developers?|community|project|group"
    rb"|foundation|inc|list|crew|staff|users?|support|everyone|all|advance|john doe|jane doe|richard roe|mary moe"
    rb"|joe bloggs|fred bloggs|joe user|joe (?:smith|public))\b)|^(?:Alice|Bob|Carol|Eve|Mallory)\b"
)
_FILE = re.compile(
    rb"[\w.-]*\.(?:sh|log|py|pl|rb|js|txt|conf|cfg|ini|socket?|json|ya?ml|pem|pub|tar|t?gz|bz2|xz|zip|img|iso|md|html?|db"
    rb"|sql|xml|jar|bak|com|org|net|io|edu)|www\..*",
    re.IGNORECASE,
)
_ADDRESS_BEHIND = re.compile(rb"\"?\s*<([\w.+%$-]{1,64})@([\w.$-]{1,255})")
_CALL = re.compile(rb"\b(?:call|contact|dial|sms|reach|office)\b", re.IGNORECASE)


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
    return re.compile(rf"(?:^|\.)(?:{hosts})$|^lists?[.-]|\.lists\.|^example|^{_SERVICES}\.".encode(), re.IGNORECASE)


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


def emails(line: bytes, in_code: bool = False) -> Found:
    """Mail addresses of persons. In code a given name alone is one of an example, unless the words before name it."""
    found = []
    for match in _EMAIL.finditer(line):
        if _is_role(*match.groups()) or _is_of_list(line, *match.span()):
            continue
        start = match.start() + len(_ESCAPED) * line.startswith(_ESCAPED, match.start())
        before = line[max(0, start - _NEAR) : start]
        if in_code and match[1].lower() in _given_names() and not _NAMED.search(before):
            continue
        found.append((start, match.end(), "email"))
    return found


def _is_role(local: bytes, host: bytes) -> bool:
    """Whether an address is nobody's: of a role, a project, a list, an example, or no address at all."""
    name = local.lower()
    if name in _roles() or _list_name().search(name) or _LIST_BEGIN.match(name) or _ANY_NAME.fullmatch(name):
        return True
    if _no_mail().search(host) or _ANY_HOST.match(host) or not _TOP.fullmatch(host.rpartition(b".")[2]):
        return True
    # Of a project at home (fate@fate.ffmpeg.org, fai@fai-project.org), or a Kerberos principal.
    at_home = name not in _given_names() and name in re.split(rb"[.-]", host.lower())
    return at_home or bool(_REALM.fullmatch(host))


def _is_of_list(line: bytes, start: int, end: int) -> bool:
    """Whether the words around an address say that it is a mailing list, or one for reports of machines (DMARC)."""
    if line[:start].endswith((b"rua=mailto:", b"ruf=mailto:")):
        return True
    return bool(_LIST.search(line, max(0, start - _NEAR), start) or _LIST.search(line, end, end + _NEAR))


def is_user(name: bytes) -> bool:
    """Whether a name of a user is somebody's: no role, and no placeholder."""
    lowered = name.lower().rstrip(b".")
    alone = lowered.rstrip(b"0123456789")
    if not _roles().isdisjoint((lowered, alone)) or not _given_names().isdisjoint((lowered, alone)):
        return False
    if _FILE.fullmatch(lowered):
        return False
    return not re.fullmatch(
        _ANY_USER + rb"|(?:name|your|my|the|some|test|x+)[\w.-]*|[\w.-]*name|[a-z.]{0,2}",
        lowered,
    )


def users(line: bytes) -> Found:
    """Names of users in paths of home directories and in prompts of shells."""
    found = []
    for pattern in (_HOME, _PROMPT):
        for match in pattern.finditer(line):
            if is_user(match[1]):
                name = match[1].rstrip(b".")
                found.append((match.start(1), match.start(1) + len(name), "username"))
    return found


def phones(line: bytes, in_code: bool = False) -> Found:
    """Phone numbers: international ones, American ones, and any where a word says that it is one.

    In code, and where only spaces part them, numbers of the American form are anything without such a word.
    """
    found = []
    for pattern in (_INTERNATIONAL, _AMERICAN, _LOCAL):
        for match in pattern.finditer(line):
            number = match[0]
            if not _may_be_phone(number) or _GOES_ON.match(line, match.end()):
                continue
            called = pattern is not _LOCAL and (b"+" in number or not (in_code or _SPACED.match(number)))
            if called or _is_called(line, match.start(), pattern is _LOCAL, in_code):
                found.append((match.start(), match.end(), "phone"))
    return found


def _may_be_phone(number: bytes) -> bool:
    digits = bytes(byte for byte in number if 48 <= byte <= 57)
    if not 8 <= len(digits) <= 15 or digits in _COUNTED or digits in _COUNTED[::-1]:
        return False
    return not (_FICTION.search(number) or _DATE.match(number) or _NO_PHONE.fullmatch(number))


def _is_called(line: bytes, start: int, strictly: bool, in_code: bool) -> bool:
    """Whether a word says that a number is of a telephone: shortly before it, before it in code, or somewhere near."""
    if strictly:
        return bool(_phone_word().search(line[max(0, start - 24) : start]))
    near = line[max(0, start - _NEAR) : start + (0 if in_code else _NEAR)]
    return bool(_phone_word().search(near) or _CALL.search(near))


def names(line: bytes) -> Found:
    """Names in tags such as Signed-off-by, and in headers of mail."""
    return [
        (match.start(1), match.start(1) + len(match[1].rstrip()), "person")
        for pattern in (_SIGNED_OFF, _MAIL_HEADER)
        for match in pattern.finditer(line)
        if _is_person(match[1].strip()) and not _is_of_nobody(line, match.end(1))
    ]


def _is_person(name: bytes) -> bool:
    return bool(name) and not name.lower().endswith(b"[bot]") and not _NOBODY.search(name)


def _is_of_nobody(line: bytes, end: int) -> bool:
    """Whether the address behind a name is one of an example, which tells that the name is one too."""
    behind = _ADDRESS_BEHIND.match(line, end)
    return bool(behind and (_no_mail().search(behind[2]) or _ANY_HOST.match(behind[2]) or b"$" in behind[2]))


def closing_name(line: bytes) -> tuple[int, int] | None:
    """The name behind `Regards,` in the same line; (0, 0) where the next line has it; None where nothing closes."""
    closed = _closing().match(line)
    if not closed:
        return None
    rest = closed[1]
    if not rest.strip():
        return (0, 0)
    named = _NAME.match(rest)
    if named and not _is_person(named[1]):
        return None
    return (closed.start(1) + named.start(1), closed.start(1) + named.end(1)) if named else None


def name_alone(line: bytes) -> tuple[int, int] | None:
    """A line that is a name of one to four words."""
    named = _NAME.match(line)
    return named.span(1) if named and _is_person(named[1]) else None
