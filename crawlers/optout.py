"""Opt-out signals: what a site's robots.txt, tdmrep.json and ai.txt say of a URL, and a page's headers and metas.

Pure functions of hostile bytes: bounded, and none raises. Signals are words in lower case; recipes say which they obey.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crawlers import PRODUCT_TOKEN
from crawlers.patterns import Longest, PathPattern, path_and_query
from crawlers.robots import MAX_ROBOTS_BYTES, Line, RobotsRules, group_of, robots_lines

#: Where a site keeps the files that speak for it, beside robots.txt.
TDMREP_PATH = "/.well-known/tdmrep.json"
AI_TXT_PATH = "/ai.txt"
#: Bytes of a file or a header that are read.
MAX_SIGNAL_BYTES = MAX_ROBOTS_BYTES
_MAX_HEADER = 8192

#: That text and data mining is reserved, or not: the second lifts what a less specific place says.
TDM_RESERVED, TDM_FREE = "tdm-reservation", "tdm-reservation-0"
_TDM_POLICY = "tdm-policy"
_RSL = "rsl-licence"
_AI_TXT = "ai-txt-disallow"

#: Directives of X-Robots-Tag that carry a value after a colon, and so look like the name of an agent.
_VALUED = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
#: Fields that say what a site's content may be used for: https://contentsignals.org, draft-ietf-aipref-attach.
_USES = ("content-signal", "content-usage")
_CLOSING = frozenset({"allow", "disallow", *_USES})
_TOKEN = re.compile(r"[a-z][a-z0-9_-]*\Z")
_LINK = re.compile(r"<[^<>]*>([^<]*)")
_REL_LICENSE = re.compile(r"""\brel\s*=\s*(?:"[^"]*\blicen[sc]e\b|licen[sc]e\b)""")


class SiteSignals:
    """What the files of one origin say of its URLs, to us.

    `faults`: files that are not what they should be, one line each; nothing in them is obeyed, as TDMRep has it.
    """

    def __init__(self, robots_txt: bytes = b"", tdmrep: bytes | None = None, ai_txt: bytes | None = None) -> None:
        lines = list(robots_lines(robots_txt))
        before = [line for line in _before_groups(lines) if line.name in _USES]
        said = [line for line in group_of(lines, PRODUCT_TOKEN, _CLOSING) if line.name in _USES]
        self._always = {_RSL} if any(line.name == "license" and line.value for line in lines) else set()
        self._uses = [Longest(_statements([*before, *said], name)) for name in _USES]
        self._tdm, faults = _tdm_rules(tdmrep) if tdmrep is not None else ([], ())
        self._ai_txt = RobotsRules(ai_txt or b"")
        self._has_ai_txt = bool(ai_txt)
        if ai_txt is not None and all(line.name != "user-agent" for line in robots_lines(ai_txt)):
            faults = (*faults, f"{AI_TXT_PATH} has no user-agent line")
        self.faults: tuple[str, ...] = faults

    def of(self, url: str) -> tuple[str, ...]:
        """Signals for a URL of the origin: sorted, each once.

        `Content-Signal: ai-train=no` (contentsignals.org) gives `content-signal-ai-train`, and
        `Content-Usage: / train-ai=n` (IETF AIPREF; the longest path that matches counts, all of that length)
        `content-usage-train-ai`; those of our own group in robots.txt count, else those for every agent, and such as
        stand before any group. A `License:` line (RSL) gives `rsl-licence`: its terms are for a person to read. The
        first rule of tdmrep.json that matches gives `tdm-reservation` and `tdm-policy`; what ai.txt (Spawning)
        disallows, by path or file type, `ai-txt-disallow`.
        """
        path = path_and_query(url)
        found = set(self._always)
        for uses in self._uses:
            found.update(*uses.of(path))
        found.update(next((rule.signals for rule in self._tdm if rule.pattern.matches(path)), ()))
        if not self._ai_txt.allows(url):
            found.add(_AI_TXT)
        return tuple(sorted(found))

    def says_nothing(self) -> bool:
        """Whether no URL of the origin can have a signal."""
        robots_txt = self._always or any(uses.all() for uses in self._uses)
        return not (robots_txt or self._tdm or self._has_ai_txt)


@dataclass(frozen=True, slots=True)
class _TdmRule:
    pattern: PathPattern
    signals: tuple[str, ...]


def merge(site: Iterable[str], header: Iterable[str], page: Iterable[str]) -> tuple[str, ...]:
    """The signals that count for a page, of those of its site, its headers and itself: sorted, each once.

    All of them, but for text and data mining: there the most specific place that says 0 or 1 speaks alone (TDMRep).
    """
    places = [set(place) for place in (site, header, page)]
    tdm: set[str] = set()
    for place in places:
        if {TDM_RESERVED, TDM_FREE} & place:
            # Who says both has not made it free.
            tdm = place & {TDM_RESERVED, _TDM_POLICY} if TDM_RESERVED in place else set()
        else:
            tdm |= place & {_TDM_POLICY}
    return tuple(sorted(tdm | set().union(*places) - {TDM_RESERVED, TDM_FREE, _TDM_POLICY}))


def header_signals(headers: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Signals for us in HTTP headers: lower-case, sorted, each once.

    X-Robots-Tag gives its tokens (`noindex`, `noai`, `unavailable_after` …), where they stand for every
    agent or for ours; `tdm-reservation: 1` (W3C TDM Reservation Protocol) gives `tdm-reservation`, 0 what `merge`
    lifts a site's with; Content-Signal and Content-Usage what `SiteSignals` makes of their lines; a Link to a licence
    of type application/rsl+xml `rsl-licence`.
    """
    found: set[str] = set()
    for name, value in headers:
        lowered, value = name.lower(), value.strip()[:_MAX_HEADER]
        if lowered == "x-robots-tag":
            found.update(_tag_tokens(value))
        elif lowered == "tdm-reservation":
            found.update({"1": {TDM_RESERVED}, "0": {TDM_FREE}}.get(value, ()))
        elif lowered == "tdm-policy" and value:
            found.add(_TDM_POLICY)
        elif lowered in _USES:
            found.update(_refused_uses(lowered, value))
        elif lowered == "link" and _links_to_rsl(value):
            found.add(_RSL)
    return tuple(sorted(found))


def signal_lines(robots_txt: bytes) -> bytes:
    """What of a robots.txt decides the signals of its site: another rule for robots leaves it as it is."""
    kept: list[bytes] = []
    for line in robots_lines(robots_txt):
        if line.name in ("allow", "disallow"):
            # It ends the list of agents of its group; which path it names does not matter.
            if not kept or kept[-1] != b"disallow:":
                kept.append(b"disallow:")
        elif line.name in ("user-agent", "license", *_USES):
            kept.append(f"{line.name}: ".encode() + line.value)
    return b"\n".join(kept)


def _before_groups(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        if line.name == "user-agent":
            return
        yield line


def _statements(lines: Iterable[Line], name: str) -> Iterator[tuple[PathPattern, tuple[str, ...]]]:
    """Path and refused uses of each line of a name; one without a path speaks of the whole site."""
    for line in lines:
        if line.name == name:
            value = line.value.decode("utf-8", "replace")
            path, uses = [*value.split(maxsplit=1), ""][:2] if value.startswith("/") else ("/", value)
            yield PathPattern(path.encode()), tuple(_refused_uses(name, uses))


def _tdm_rules(body: bytes) -> tuple[list[_TdmRule], tuple[str, ...]]:
    """The rules of a tdmrep.json in their order, and what is wrong with it."""
    if len(body) > MAX_SIGNAL_BYTES:
        return [], (f"{TDMREP_PATH} has more than {MAX_SIGNAL_BYTES} bytes",)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return [], (f"{TDMREP_PATH} is not JSON",)
    if not isinstance(value, list):
        return [], (f"{TDMREP_PATH} is not a list of rules",)
    rules = [rule for each in value if (rule := _tdm_rule(each))]
    wrong = len(value) - len(rules)
    return rules, (f"{TDMREP_PATH}: {wrong} of {len(value)} rules cannot be read",) if wrong else ()


def _tdm_rule(value: object) -> _TdmRule | None:
    """One rule of a tdmrep.json; None where it has no path, or neither 0 nor 1."""
    if not isinstance(value, dict):
        return None
    location, reserved = value.get("location"), value.get("tdm-reservation")
    if not isinstance(location, str) or not location.startswith(("/", "*")) or str(reserved) not in ("0", "1"):
        return None
    policy = (_TDM_POLICY,) if value.get("tdm-policy") else ()
    signals = (TDM_RESERVED, *policy) if str(reserved) == "1" else ()
    return _TdmRule(PathPattern(location.encode("utf-8", "surrogatepass")), signals)


def _links_to_rsl(value: str) -> bool:
    """Whether a Link header names a licence of RSL."""
    parameters = _LINK.findall(value.lower())
    return any(_REL_LICENSE.search(each) and "application/rsl+xml" in each for each in parameters)


def _refused_uses(name: str, value: str) -> Iterable[str]:
    """Uses that a list such as `search=yes, ai-train=no` refuses, with the signal's name before them."""
    for part in value.lower().split(","):
        use, equals, answer = part.strip().partition("=")
        if equals and answer.partition(";")[0].strip() in ("n", "no") and _TOKEN.match(use.strip()):
            yield f"{name}-{use.strip()}"


def robots_meta_signals(content_values: Iterable[str]) -> tuple[str, ...]:
    """Signals in the `content` of metas named `robots` or as our agent: lower-case, sorted, each once."""
    found: set[str] = set()
    for value in content_values:
        names = (part.partition(":")[0].strip() for part in value.lower().split(","))
        found.update(name for name in names if _TOKEN.match(name))
    return tuple(sorted(found))


def _tag_tokens(value: str) -> Iterable[str]:
    """Tokens of one X-Robots-Tag value that stand for us: `agent:` rules what follows it."""
    ours = True
    for part in value.lower().split(","):
        name, colon, rest = part.strip().partition(":")
        name = name.strip()
        if colon and name not in _VALUED:
            ours = name in (PRODUCT_TOKEN, "*")
            name = rest.partition(":")[0].strip()
        if ours and _TOKEN.match(name):
            yield name
