"""Secrets: keys that tell themselves, values of settings that are called so, passwords in addresses, key blocks."""

from __future__ import annotations

import base64
import re
from functools import cache
from math import log2

from manifests.load import load_privacy

Found = list[tuple[int, int, str]]

_KEY_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)-----")
_KEY_BODY = re.compile(rb"[A-Za-z0-9+/=\s:,.()#>*|\\\"'-]*")
_PUTTY = re.compile(rb"^Private-Lines: (\d{1,4})\s*\n", re.MULTILINE)
_SHORTEST_KEY = 40

_URL = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://([^\s:/@\"'<>]{0,64}):([^\s@\"'<>/]{1,128})@[\w.\[-]")
_HEADER = re.compile(
    rb"\b(?:Authorization|Proxy-Authorization|X-Auth-Token|X-Api-Key|X-Vault-Token|Private-Token)"
    rb"[\"']?\s*[:=]\s*[\"']?(?:(?:Basic|Bearer|Token|Digest|ApiKey)\s+)?([A-Za-z0-9+/=_.~-]{8,2000})",
    re.IGNORECASE,
)
_BEARER = re.compile(rb"\bBearer\s+([A-Za-z0-9+/=_.~-]{16,2000})")
_CURL = re.compile(rb"(?:^|\s)(?:-u|--user|--proxy-user)[ =][\"']?([^\s:\"']{1,64}):([^\s\"']{3,128})")
_PGPASS = re.compile(rb"^[\w.*-]{1,80}:(?:\d{1,5}|\*):[\w*-]{1,64}:[\w-]{1,64}:([^\s:]{6,128})\s*$")
_NETRC = re.compile(rb"\blogin\s+\S{1,64}\s+password\s+(\S{4,128})")
_XML = re.compile(
    rb"<(?:[\w.:-]{0,40}(?:password|passwd|secret|token|apikey|passphrase)[\w.:-]{0,20})"
    rb"(?:\s[^<>]{0,80})?>([^<>\s]{5,256})</",
    re.IGNORECASE,
)
_OPTION = re.compile(
    rb"(?:^|\s)--?(?:[\w-]{0,30}(?:password|passwd|passphrase|secret|token|api-?key|pass))"
    rb"[ =][\"']?([^\s\"'<>]{6,256})",
    re.IGNORECASE,
)
_NETRC_LINE = re.compile(rb"^\s*(?:password|passwd)\s+(\S{6,128})\s*$")
_SSHPASS = re.compile(rb"\bsshpass\s+-p\s?[\"']?([^\s\"']{5,128})")
_MYSQL = re.compile(rb"\bmysql\w{0,12}\s[^\n|;]{0,200}?(?<=\s)-p([^\s\"']{6,128})")
_REDIS = re.compile(rb"\bredis-cli\s[^\n|;]{0,200}?(?<=\s)-a\s+[\"']?([^\s\"']{5,128})")
_SAS = re.compile(rb"[?&;](?:sig|sv_sig|signature)=([A-Za-z0-9%+/=_-]{30,200})")
# Where a secret stands, what the line must hold for it (lower case), its kind, and the group of the value.
_PLACES = (
    (_HEADER, b"-", "token", 1),
    (_HEADER, b"authorization", "token", 1),
    (_BEARER, b"bearer", "token", 1),
    (_SAS, b"sig", "signature", 1),
    (_CURL, b"curl", "password", 2),
    (_PGPASS, b":", "password", 1),
    (_NETRC, b"login", "password", 1),
    (_XML, b"</", "password", 1),
    (_OPTION, b"-", "password", 1),
    (_NETRC_LINE, b"passw", "password", 1),
    (_SSHPASS, b"sshpass", "password", 1),
    (_MYSQL, b"mysql", "password", 1),
    (_REDIS, b"redis-cli", "password", 1),
)
_INSIDE = re.compile(rb"[a-z](?=[A-Z])|[A-Z](?=[a-z][A-Z])")
_LIKE_WORDS = ("openai_key", "twilio_key")  # begin as words do
_CONSONANTS = re.compile(rb"[bcdfghjklmnpqrstvwxz]{6}", re.IGNORECASE)
_EXPRESSION = re.compile(rb"[()\[\]{}%]|\.\?")  # of a program
_WORD = rb"(?:[A-Z]{0,4}[a-z]+(?:[A-Z][a-z]+){0,4}|[A-Z]+)"
# What is no value by its form: what a shell or a template fills in, a path, an address, an expression, an identifier,
# a version, a hash with dashes, what is cut short, a word with a digit, and what says that it is made up.
_NO_VALUE = re.compile(
    rb"[<\[({$%@&*!?|`]|\\|\.\.\.|::|->|/(?:etc|var|run|path|home|opt|usr|secrets?|proc)\b|(?i:https?:|file:|env[.:]|vault:"
    rb"|arn:)|\w+\.\w+\.\w+\(|[^\n]{0,512}?(?:\$\{|\$\(|\{\{|%\(|<|\.\.\.|\xe2\x80\xa6)"
    rb"|(?:"
    + _WORD
    + rb"(?:[-_.](?:"
    + _WORD
    + rb")?\d{0,3})+|[0-9a-zA-Z]{7,8}(?:-[0-9a-zA-Z]{4}){3}-[0-9a-zA-Z]{8,12}|[\w.]+\([^)]*\)?"
    rb"|[\w-]+(?:\.[\w-]+)+\.[a-z]{1,6}|v?\d+(?:\.\d+)+|/[\w./-]+|[a-z]{2,6}\d|my[_-]?[a-z]{3,40}\d{0,4}"
    rb"|[a-z]+(?:[A-Z][a-z]+){1,6}[A-Z]?|[A-Za-z]{2,20}\d?(?:[/:][A-Za-z]{2,30}\d?){0,6}:[A-Za-z]{2,30}"
    rb"|[\w.-]+\.(?:py|sh|js|go|c|h|txt|yaml|yml|json|conf|pem|key|crt|md|html))\Z"
)
_SAYS_SO = re.compile(
    rb"bogus|notareal|not_a_real|fake|dummy|example|change.?me|placeholder|thisis|deadbeef|cafebabe",
    re.IGNORECASE,
)
_SAMPLES = re.compile(rb"EXAMPLE|eyJzdWIiOiIxMjM0NTY3ODkwI|4eC39HqLyjWDarjtT1zdp7dc", re.IGNORECASE)  # of keys
_SAID_ODDLY = re.compile(rb"(?:(?:password|passwd|secret|secure|changeme|letmein)[_.-]?){1,3}", re.IGNORECASE)
_AS_WORDS = bytes.maketrans(b"013457@$!", b"oleastasi")  # S3cr37 is a word
_WORDS = re.compile(rb"[a-z]+(?:[_-]?[a-z]+){0,6}|[A-Z]+(?:_[A-Z]+)*|[A-Z][a-z]+(?:[A-Z][a-z]+){0,5}")
_MASKED = re.compile(rb"[xXyY01*._~+/=:,;!#$%^&()\-\s@?|<>{}\[\]'\"`\\]*")
_NO_SECRET_NAME = re.compile(
    rb"(?:next|page|continuation|lock|cluster|cancel|sync|resume|cursor|start|client)"
    rb"[_.-]?(?:lock[_.-]?)?token|public[_.-]?key|ssh[_.-]?key|key[_.-]?(?:id|name|file|path)",
    re.IGNORECASE,
)


@cache
def _keys() -> tuple[tuple[str, re.Pattern[bytes]], ...]:
    return tuple(
        (
            name,
            re.compile(
                rf"(?<![A-Za-z0-9_])(?:{'|'.join(map(re.escape, key.begin))})({key.body})(?![A-Za-z0-9_-])".encode()
            ),
        )
        for name, key in load_privacy().keys.items()
    )


@cache
def _any_key() -> re.Pattern[bytes]:
    """Whatever one of the keys may begin with: it tells whether it is worth to ask each."""
    begins = sorted({begin for key in load_privacy().keys.values() for begin in key.begin})
    return re.compile("|".join(map(re.escape, begins)).encode())


@cache
def _assignment() -> re.Pattern[bytes]:
    """The name of a secret, a sign of assignment, and its value: in quotes or up to a space."""
    names = "|".join(map(re.escape, sorted(load_privacy().secret_names, key=len, reverse=True)))
    return re.compile(
        rf"(?:{names})(?:[_.-]?(?:key|id|value|string|data|b64|base64|hash|prod|dev|\d))?[\"']?"
        rf"\s{{0,8}}(?:=>|:=|==?|:)\s{{0,8}}(?:[\"']([^\"'\n]{{4,512}})[\"']|((?:(?!&\w+=)[^\s\"',;`]){{5,512}}))".encode(),
        re.IGNORECASE,
    )


@cache
def _no_secret() -> frozenset[bytes]:
    return frozenset(word.encode() for word in load_privacy().no_secret_words)


@cache
def _no_secret_begin() -> tuple[bytes, ...]:
    return tuple(word.encode() for word in load_privacy().no_secret_beginnings)


def private_keys(text: bytes) -> Found:
    """Private keys of a text: PEM (RFC 7468), OpenSSH, PGP and PuTTY, the lines of their bodies."""
    spans = []
    for begin in _KEY_BEGIN.finditer(text):
        end = b"-----END " + begin[1] + b"-----"
        stop = text.find(end, begin.end(), begin.end() + 20_000)
        body = stop if stop >= 0 else begin.end()
        elided = text.find(b"...", begin.end(), body) >= 0
        if not elided and body - begin.end() >= _SHORTEST_KEY and _KEY_BODY.fullmatch(text, begin.end(), body):
            spans.append((begin.end(), body, "secret.private_key"))
    for lines in _PUTTY.finditer(text):
        stop = lines.end()
        for _ in range(int(lines[1])):
            stop = text.find(b"\n", stop) + 1 or len(text)
        spans.append((lines.end(), stop, "secret.private_key"))
    return [span for span in spans if not _is_masked(text[span[0] : span[1]])]


def known_keys(line: bytes) -> Found:
    """Keys of services, by their form."""
    if not _any_key().search(line):
        return []
    return [
        (match.start(1), match.end(1), f"secret.{name}")
        for name, pattern in _keys()
        for match in pattern.finditer(line)
        if not _is_shown(match[1]) and (name not in ("openai_key", "twilio_key") or _is_mixed(match[1]))
    ]


def url_passwords(line: bytes) -> Found:
    """Passwords of users in addresses."""
    return [(*match.span(2), "secret.url_password") for match in _URL.finditer(line) if _is_secret(match[2], 3)]


def passwords(line: bytes) -> Found:
    """Values that stand where a password or a token stands."""
    found: Found = []
    folded = line.lower()
    for pattern, needed, kind, group in _PLACES:
        for match in pattern.finditer(line) if needed in folded else ():
            if _is_secret(match[group], 5):
                found.append((*match.span(group), f"secret.{kind}"))
    for match in _assignment().finditer(line):
        group = 1 if match[1] is not None else 2
        start = match.start(group)
        if _NO_SECRET_NAME.search(line, max(0, match.start() - 20), start):
            continue
        if group == 2 and _EXPRESSION.search(match[2]):
            continue
        if _is_secret(match[group], 5):
            found.append((*match.span(group), "secret.password"))
    return found


def _is_secret(value: bytes, shortest: int) -> bool:
    """Whether a value is a secret and not its name, a variable, a path, a word or a placeholder."""
    if not _is_value(value, shortest) or value.isdigit():
        return False
    letters = sum(65 <= byte & ~32 <= 90 for byte in value)
    digits = sum(48 <= byte <= 57 for byte in value)
    if not digits:
        return _is_gibberish(value)
    marks = len(value) - letters - digits
    return letters + marks >= 2 and _entropy(value) >= (2.8 if marks and letters < 2 else 2.3)


def _is_value(value: bytes, shortest: int) -> bool:
    """Whether something is a value that could be secret: long enough, and nothing that is filled in elsewhere."""
    if len(value) < shortest or b" " in value.strip() or _NO_VALUE.match(value):
        return False
    return not (_is_shown(value) or _is_placeholder(value)) and _holds_secret(_decoded(value))


def _is_gibberish(value: bytes) -> bool:
    """Letters and marks that are no words: capitals inside, or consonants in a row."""
    if len(value) < 8 or _entropy(value) < 2.8:
        return False
    return (len(_INSIDE.findall(value)) >= 3 and not _WORDS.fullmatch(value)) or bool(_CONSONANTS.search(value))


def _is_placeholder(value: bytes) -> bool:
    """Whether a part of a value, or its beginning, says that it is none."""
    lowered = value.lower()
    words = [part for part in re.split(rb"[^a-z]+", lowered) if len(part) > 3]
    words += re.split(rb"[^a-z0-9]+", lowered)  # a short word between digits is of a random text
    return not _no_secret().isdisjoint(words) or _is_published(value)


def _is_published(value: bytes) -> bool:
    """Whether a value is one that manuals publish, or says that it is made up."""
    lowered = value.lower()
    return (
        lowered in _no_secret()
        or lowered.startswith(_no_secret_begin())
        or bool(_SAYS_SO.search(value) or _SAID_ODDLY.fullmatch(value.translate(_AS_WORDS)))
    )


def _holds_secret(text: bytes) -> bool:
    """Whether what a value encodes may be secret: nothing that is known, or something with a secret password."""
    password = text.strip().rpartition(b":")[2]
    return not text or (not _is_placeholder(text) and _is_secret(password, 4))


def _decoded(value: bytes) -> bytes:
    """The text that a value is in base64, such as `user:password`; empty where it is none."""
    try:
        text = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except ValueError:
        return b""
    return text if text.isascii() and text.strip().decode().isprintable() else b""


def _is_shown(value: bytes) -> bool:
    """Whether a key is one that documentation shows."""
    return bool(_SAMPLES.search(value)) or _is_masked(value) or len(set(value)) < min(5, len(value))


def _is_masked(value: bytes) -> bool:
    return bool(_MASKED.fullmatch(value))


def _is_mixed(value: bytes) -> bool:
    """Whether capitals, small letters and digits alternate as in random text; `sk-ecdsa-sha2-nistp256` does not."""
    if all(byte in b"0123456789abcdef" for byte in value):
        return sum(48 <= byte <= 57 for byte in value) >= 3
    return len(_INSIDE.findall(value)) >= 3 and (any(48 <= byte <= 57 for byte in value) or len(value) >= 32)


def _entropy(value: bytes) -> float:
    """Bits a byte."""
    counts = [value.count(byte) for byte in set(value)]
    return -sum(count / len(value) * log2(count / len(value)) for count in counts)
