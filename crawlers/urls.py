"""Canonical URLs, by the WHATWG URL standard, the document id made from one, and the pattern that it follows."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

from ada_url import URL

#: Characters of the longest URL we fetch; longer ones are traps or data.
MAX_URL_LENGTH = 4096

#: Parameters that say who sent a reader, and never what is read: of analytics (utm_, pk_ and mtm_ of Matomo), of
#: advertisers' clicks (…clid), of mailings (mc_ of Mailchimp, _hs of HubSpot, mkt_tok of Marketo, vero_, oly_) and of
#: portals (spm of Alibaba, vd_source of Bilibili). Words that a page may need, as ref and source, are not among them.
_TRACKERS = (
    "utm_[^=]*|pk_[^=]*|mtm_[^=]*|[a-z]{0,4}clid|gclsrc|gbraid|wbraid|gad_source|gad_campaignid|srsltid|_ga|_gl|msclkid"
    "|igshid|igsh|li_fat_id|mc_cid|mc_eid|_hsenc|_hsmi|__hstc|__hssc|__hsfp|hsctatracking|mkt_tok|vero_id|vero_conv"
    "|oly_anon_id|oly_enc_id|_openstat|s_kwcid|ef_id|wickedid|rb_clickid|spm|spm_id_from|vd_source"
)
#: Sessions of frameworks: PHP, Java, ASP, ColdFusion, Zen Cart, osCommerce. The same page has another one each time.
_SESSIONS = "phpsessid|jsessionid|aspsessionid[^=]*|cfid|cftoken|zenid|oscsid"
#: Names that are a session's only with a value like one: a talk has a sessionid too, and a station an sid.
_MAYBE_SESSIONS = "s|sid|session|sessid|sessionid|session_id"
_NO_IDENTITY = re.compile(
    rf"(?:(?:{_TRACKERS}|{_SESSIONS})(?:=.*)?|(?:{_MAYBE_SESSIONS})=(?:[0-9a-f]{{16,}}|(?=[a-z]*\d)[0-9a-z]{{26,}}))\Z",
    re.IGNORECASE | re.DOTALL,
)
_SESSION_IN_PATH = re.compile(r";(?:jsessionid|phpsessid)=[^/;]*", re.IGNORECASE)

#: Segments of a path, repeats of some in a row, and of one parameter, from which a URL is of a site without an end.
MAX_SEGMENTS = 20
_MAX_REPEATS = 3
_MAX_PARAMETER = 6
#: Segments that a pattern shows.
_SHOWN_SEGMENTS = 4
_VARIABLE = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|\d{4}([-_.])\d{1,2}\1\d{1,2}(?!\d)"  # a day
    r"|(?<![0-9a-z])(?=[a-f]*\d)[0-9a-f]{7,}(?![0-9a-z])"  # a hash, or an abbreviated one
    r"|\d+",
    re.IGNORECASE,
)
_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}\Z")


def canonical_url(url: str, base: str | None = None) -> str | None:
    """The one spelling of a URL that identifies what it names, or None where we do not fetch it.

    Parsed and serialised by https://url.spec.whatwg.org/ relative to `base`; http and https only; without fragment,
    user information and dots at the end of the host. A query is identity: its parameters are sorted by their names,
    values of one name in their order, without trackers and sessions; an empty one is none. A pure function that never
    raises, and that changes nothing when it is applied again.
    """
    if len(url) > MAX_URL_LENGTH:
        return None
    try:
        href = URL(url, base).href
        if not href.startswith(("http://", "https://")):
            return None
        if "#" in href:
            href = href[: href.index("#")]
        if "@" in href or "./" in href or ".:" in href:
            href = _plain_authority(href)
        if ";" in href or "?" in href:
            href = _identity(href)
    except (ValueError, UnicodeEncodeError):
        return None
    return href if len(href) <= MAX_URL_LENGTH else None


def _plain_authority(href: str) -> str:
    """A URL without user information and without dots after its host; ValueError where no host is left."""
    parsed = URL(href)
    if parsed.username or parsed.password:
        parsed.username = parsed.password = ""
    host = parsed.hostname
    if not host.endswith("."):
        return str(parsed.href)
    if not host.strip("."):
        raise ValueError("a host of dots")
    scheme, _, rest = str(parsed.href).partition("://")
    # Read again: without its dots a host may be a number, and so an address.
    return str(URL(f"{scheme}://{host.rstrip('.')}{rest[len(host) :]}").href)


def _identity(href: str) -> str:
    """A URL without sessions in its path, and its query in order, without what names nothing."""
    path, _, query = href.partition("?")
    if ";" in path:
        bare = _SESSION_IN_PATH.sub("", path)
        # Read again: a segment may be dots now.
        path = path if bare == path else str(URL(bare).href)
    if not query:
        return path
    kept = [part for part in query.split("&") if part and not _NO_IDENTITY.match(part)]
    if len(kept) > 1:
        kept.sort(key=_name)
    return f"{path}?{'&'.join(kept)}" if kept else path


def _name(parameter: str) -> str:
    return parameter.partition("=")[0]


def pattern_of(canonical: str) -> str:
    """The path that a canonical URL shares with its likes: what traps and budgets are counted by.

    Numbers, days, hashes and UUIDs are `#`; of the last segment only its ending counts, or that it is a number; of
    more than four segments the first three and the last are shown; of a query the names: `/docs/9.1/sql-select.html`
    is `/docs/#.#/*.html`, and `/calendar/2024/05?view=week` is `/calendar/#/#?view`.
    """
    path, _, query = canonical.split("/", 3)[3].partition("?")
    *directories, last = path.split("/")
    if len(directories) >= _SHOWN_SEGMENTS:
        directories = [*directories[: _SHOWN_SEGMENTS - 1], "**"]
    shown = [_VARIABLE.sub("#", each) for each in directories]
    names = sorted({_VARIABLE.sub("#", _name(part)) for part in query.split("&")})
    return "/" + "/".join([*shown, _last(last)]) + ("?" + "&".join(names) if query else "")


def _last(segment: str) -> str:
    ending = _ENDING.search(segment)
    if ending:
        return "*" + ending[0]
    bare = _VARIABLE.sub("#", segment)
    return bare if not bare.strip("#.-_") else "*"


def is_endless(canonical: str) -> bool:
    """Whether a canonical URL looks made by a site that links on and on.

    More than 20 segments, the same segments three times in a row, or one parameter given six times.
    """
    path, _, query = canonical.split("/", 3)[3].partition("?")
    segments = path.split("/")
    if len(segments) > MAX_SEGMENTS:
        return True
    for size in range(1, len(segments) // _MAX_REPEATS + 1):
        for start in range(len(segments) - size * _MAX_REPEATS + 1):
            first = segments[start : start + size]
            if segments[start : start + size * _MAX_REPEATS] == first * _MAX_REPEATS:
                return True
    return (
        query.count("&") >= _MAX_PARAMETER - 1 and max(Counter(map(_name, query.split("&"))).values()) >= _MAX_PARAMETER
    )


def origin_of(canonical: str) -> str:
    """Scheme, host and port of a canonical URL, e.g. `https://git-scm.com`: what a robots.txt rules."""
    return "/".join(canonical.split("/", 3)[:3])


def host_of(canonical: str) -> str:
    """Host name of a canonical URL, without its port; an IPv6 address keeps its brackets."""
    authority = canonical.split("/", 3)[2]
    if authority.startswith("["):
        return authority[: authority.index("]") + 1]
    return authority.partition(":")[0]


def path_of(canonical: str) -> str:
    """Path of a canonical URL, without its query."""
    return "/" + canonical.split("/", 3)[3].partition("?")[0]


def doc_id(canonical: str) -> str:
    """Document id of a web page: 32 hex digits, the same for every crawl of the same URL."""
    return hashlib.sha256(b"url:" + canonical.encode()).hexdigest()[:32]
