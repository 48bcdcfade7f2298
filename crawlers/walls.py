"""Pages that stand before a page: sign-in, consent, a challenge, scripts, payment. They are told, never got round.

A wall has little to say: only a page with little text can be one, whatever it speaks of or embeds. So a manual of
login forms is no wall, and neither is a thread with a box for a password above it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from crawlers.http import Headers, header, joined_header

#: Bytes of a page that are looked at, and tags before a page is taken for a page.
MAX_BYTES = 256 * 1024
_MAX_TAGS = 5000
#: Bytes of visible text: a page with as many is no wall; a challenge, a notice and an empty application have fewer.
_WALL_TEXT = 3000
_CHALLENGE_TEXT = 1500
_NOTICE_TEXT = 750
_EMPTY_TEXT = 200

_STATUSES = frozenset({401, 402, 403, 405, 429, 503})

# ---------------------------------------------------------------- what tells a wall

#: Headers by which a service in front of a site says that it challenges (its own documentation says so).
_CHALLENGE_HEADERS = {
    "cf-mitigated": ("challenge",),
    "x-amzn-waf-action": ("challenge", "captcha"),
    "x-vercel-mitigated": ("challenge",),
}
#: Of the document that challenges, in lower case. What the same services put into every page is not among them.
_CHALLENGE = (
    b"_cf_chl_opt",
    b"cf-browser-verification",
    b"/.well-known/ddos-guard/js-challenge/",
    b"/.well-known/ddos-guard/ddg-captcha-page/",
    b"anubis_challenge",
    b"px-captcha",
    b"sec-cpt-if",
    b".captcha-delivery.com/",
    b"sucuri_cloudproxy_js",
    b"window.gokuprops",
    b"_incapsula_resource?swudnsai=",
    b"_incapsula_resource?cwudnsai=",
)
#: A widget to prove oneself with: alone it may belong to a form for comments.
_WIDGET = (
    b"g-recaptcha",
    b"h-captcha",
    b"cf-turnstile",
    b"frc-captcha",
    b"altcha-widget",
    b"captcha-container",
    b"google.com/recaptcha/",
    b"recaptcha.net/",
    b"js.hcaptcha.com/",
    b"challenges.cloudflare.com/",
)
_PROVE = re.compile(
    rb"verify (?:that )?you(?:'|&#39;|\xe2\x80\x99| a)re (?:a )?(?:human|not a (?:ro)?bot)"
    rb"|\bare you (?:a robot|human)\b"
    rb"|i(?:'|&#39;|\xe2\x80\x99)m not a robot|unusual (?:traffic|activity)|checking (?:your|if the site) "
    rb"|security (?:check|verification)"
    rb"|complete the captcha|solve the captcha|prove (?:that )?you"
)

_SIGN_IN = re.compile(
    r"\b(?:log|sign)[ -]?(?:in|on)\b|\bauthentication required\b|\banmeld(?:en|ung)\b|\bse connecter\b|\bconnexion\b"
    r"|\biniciar sesi\xf3n\b|\bвход\b|登录|登錄|登入|ログイン|로그인"
)
_ASKS_TO_SIGN_IN = re.compile(
    rb"\b(?:must|need to|have to|please) (?:be logged in|log ?in|sign in|authenticate)\b"
    rb"|\b(?:log|sign) ?in (?:is )?required\b"
)

_CONSENT_TITLE = re.compile(
    r"before you continue|bevor sie fortfahren|avant de continuer|\bcookie[ -]?wall\b|\bprivacy gate\b"
    r"|\b(?:cookies?|consent) required\b"
)
_CONSENT_ACTION = re.compile(
    rb"//(?:[a-z0-9-]+\.)*(?:consent|guce|privacy-mgmt|cookiewall)\.[a-z0-9.-]+/|/(?:cookie-?wall|collectconsent)\b"
)
_AGREE = re.compile(rb"\b(?:accept|agree|allow)\b|\balles? (?:akzeptieren|zulassen)\b|\btout accepter\b|\baceptar\b")
_COOKIES_OFF = re.compile(
    rb"\bcookies (?:are|must be|need to be|should be) (?:enabled|disabled|required|turned on)\b"
    rb"|\benable cookies (?:and|to|in)\b|\brequires? cookies\b"
)

_APP_ROOT = re.compile(
    rb"""<(?:div|main|section)\b[^<>]{0,200}\bid=["']?(?:root|app|__next|__nuxt|q-app|app-root|react-root|main-app"""
    rb"""|___gatsby|svelte|ember-app|application)["']?[^<>]{0,200}>\s{0,200}</(?:div|main|section)>|<app-root\b"""
)
_SCRIPTS_WANTED = re.compile(
    rb"\b(?:enable|activate|turn on|needs?|requires?|without) javascript\b"
    rb"|\bjavascript (?:is required|to run|enabled|to be enabled|must be)"
    rb"|\bjavascript[^.<]{0,60} required\b"
)

#: Kinds of schema.org whose page is the work itself, not a shop that has it.
_WORKS = re.compile(
    r"(?:article|posting|webpage|creativework|report|book|chapter|course|howto|dataset)$", re.IGNORECASE
)
_FREE = "isAccessibleForFree"
_PAID_ATTRIBUTE = re.compile(
    rb"""<(?:meta|link)\b[^<>]{0,300}itemprop=["']?isaccessibleforfree["']?\s[^<>]{0,100}content=["']?(?:false|no)\b"""
)
_LD_JSON = re.compile(rb"""<script\b[^<>]{0,300}application/ld\+json[^<>]{0,300}>""", re.IGNORECASE)


def wall_of(status: int, headers: Headers, body: bytes) -> str | None:
    """What a response stands for instead of its page, None where it is the page, or no page at all.

    `body` is without its Content-Encoding; its first 256 KiB are looked at, once. The answers: `login_wall`,
    `cookie_wall`, `challenge` (a proof of being human, or a browser), `javascript_only` (an empty application),
    `paywall` (said by the status, or by the page: https://schema.org/isAccessibleForFree).
    """
    if any(_says(headers, name, values) for name, values in _CHALLENGE_HEADERS.items()):
        return "challenge"
    if status == 401 and header(headers, "www-authenticate"):
        return "login_wall"
    if status == 402:
        return "paywall"
    if not (200 <= status < 300 or status in _STATUSES) or not _is_html(headers, body):
        return None
    page = body[:MAX_BYTES]
    if _is_paid(page):
        return "paywall"
    page = page.lower()
    seen = None if _has_much_text(page) else _look(page)
    return None if seen is None else _wall(status, page, seen)


def is_login_url(url: str) -> bool:
    """Whether a canonical URL is one that a site redirects to for signing in.

    A manual has pages called `login`: a path counts where it is all of the path, or where the query says what to
    return to, or where nobody calls a page so.
    """
    host, _, target = url.partition("://")[2].partition("/")
    path, _, query = target.lower().partition("?")
    if _LOGIN_HOST.match(host.lower()) or _LOGIN_PATH.search("/" + path) or _LOGIN_QUERY.search("?" + query):
        return True
    return bool(_LOGIN_NAME.search("/" + path)) and bool(_ALONE.match("/" + path) or _RETURN.search("?" + query))


_LOGIN_HOST = re.compile(
    r"(?:log-?in|sign-?in|sso|idp|auth|accounts?)\.[a-z0-9-]+\.[a-z.]+$|[a-z0-9-]+\.(?:okta|auth0|onelogin)\.com$"
    r"|login\.microsoftonline\.com$"
)
_LOGIN_PATH = re.compile(
    r"/users/sign_in$|/wp-login\.php$|/oauth2?/(?:v\d/)?authori[sz]e$|/adfs/ls/?$|/saml2?/(?:sso|login|idp)\b"
    r"|/realms/[^/]+/protocol/|/cas/login$|/special:userlogin$|/session/new$|/\.auth/login\b"
)
_LOGIN_QUERY = re.compile(r"[?&](?:title=special:userlogin\b|mode=login\b|samlrequest=|action=login\b)")
_LOGIN_NAME = re.compile(
    r"/(?:log[-_]?in|sign[-_]?in|log[-_]?on|sign[-_]?on|authenticate)(?:\.(?:php|jsp|jspa|aspx?|do|action|cgi|html?))?/?$"
)
_ALONE = re.compile(
    r"/(?:(?:[a-z]{2}(?:-[a-z]{2})?|users?|accounts?|auth|members?|session|customer)/)?[a-z_-]+(?:\.(?:php|jsp|jspa|aspx?|do|action|cgi))?/?$"
)
_RETURN = re.compile(
    r"[?&](?:return|redirect|next|continue|goto|dest|service|from|back|origin|relaystate|came_?from|os_destination|target|rd|ref|url|success)"
    r"[a-z_.]*="
)


# ---------------------------------------------------------------- the page at a glance


@dataclass(slots=True)
class _Seen:
    """What a page of little text shows, in lower case."""

    text: bytearray = field(default_factory=bytearray)
    title: bytes = b""
    #: What is there where there are no scripts.
    noscript: bytes = b""
    scripts: int = 0
    passwords: int = 0
    #: Samples of code, frames and immediate redirects: a page that has them is one.
    content: bool = False
    actions: list[bytes] = field(default_factory=list)


#: Of a tag; `!` and `?` begin a declaration.
_NAME = re.compile(rb"[!?]|/?[a-z][a-z0-9-]*")
_PASSWORD = re.compile(rb"\btype=[\"']?password\b")
_ACTION = re.compile(rb"\baction=[\"']?([^\"'\s>]{1,500})")
_REFRESH = re.compile(rb"\bhttp-equiv=[\"']?refresh\b")
#: Elements whose content is no markup, or not shown.
_OPAQUE = frozenset({b"script", b"style", b"noscript", b"template", b"title", b"svg", b"textarea"})
#: Of the others, those that tell something.
_NOTED = frozenset({b"input", b"form", b"meta", b"pre", b"frameset", b"frame"})
_OPAQUE_BEGIN = re.compile(rb"<(?:script|style|noscript|template|svg|textarea)\b")
_OPAQUE_END = re.compile(rb"</(?:script|style|noscript|template|svg|textarea)\b")
_RUN = re.compile(rb">[^<>]{20,}")


def _has_much_text(page: bytes) -> bool:
    """Whether the longer runs of text of a page in lower case are more than a wall has: so with nearly every page."""
    size = position = 0
    while True:
        opaque = _OPAQUE_BEGIN.search(page, position)
        for run in _RUN.finditer(page, position, opaque.start() if opaque else len(page)):
            size += len(b" ".join(run[0].split()))
            if size > _WALL_TEXT:
                return True
        close = _OPAQUE_END.search(page, opaque.end()) if opaque else None
        if close is None:
            return False
        position = close.end()


def _look(page: bytes) -> _Seen | None:
    """A glance at a page in lower case; None as soon as it has too much text, or tags, for a wall."""
    seen = _Seen()
    position = 0
    for _ in range(_MAX_TAGS):
        start = page.find(b"<", position)
        if start != position:
            seen.text += b" ".join(page[position : start if start >= 0 else len(page)].split()) + b" "
            if len(seen.text) > _WALL_TEXT:
                return None
        if start < 0:
            return seen
        if page.startswith(b"<!--", start):
            position = _after(page, b"-->", start + 4)
            continue
        name = _NAME.match(page, start + 1)
        if name is None:
            position = start + 1
            continue
        end = position = _after(page, b">", start + 1)
        if name[0] in _OPAQUE:
            close = page.find(b"</" + name[0], end)
            close = len(page) if close < 0 else close
            _note_opaque(seen, name[0], page[end:close])
            position = close
        elif name[0] in _NOTED:
            _note(seen, name[0], page[start:end])
    return None


def _after(page: bytes, what: bytes, start: int) -> int:
    found = page.find(what, start)
    return len(page) if found < 0 else found + len(what)


def _note_opaque(seen: _Seen, name: bytes, content: bytes) -> None:
    if name == b"title" and not seen.title:
        seen.title = content.strip()[:300]
    elif name == b"noscript" and not seen.noscript:
        seen.noscript = content[:2000]
    elif name == b"script":
        seen.scripts += 1


def _note(seen: _Seen, name: bytes, tag: bytes) -> None:
    if name == b"input":
        seen.passwords += bool(_PASSWORD.search(tag))
    elif name == b"form":
        action = _ACTION.search(tag)
        if action:
            seen.actions.append(action[1])
    elif name != b"meta" or _REFRESH.search(tag):
        seen.content = True


# ---------------------------------------------------------------- which wall it is


def _wall(status: int, page: bytes, seen: _Seen) -> str | None:
    text, title = bytes(seen.text), seen.title.decode("utf-8", "replace")
    if len(text) < _CHALLENGE_TEXT and _is_challenge(page, seen.title + b" " + text):
        return "challenge"
    if seen.content:
        return None
    if _is_login(status, title, text, seen):
        return "login_wall"
    if _is_consent(title, text, seen):
        return "cookie_wall"
    if _is_empty_application(page, text, seen):
        return "javascript_only"
    return None


def _is_challenge(page: bytes, shown: bytes) -> bool:
    # A page that shows a marker speaks of challenges.
    if any(marker in page and marker not in shown for marker in _CHALLENGE):
        return True
    return any(marker in page for marker in _WIDGET) and bool(_PROVE.search(shown))


def _is_login(status: int, title: str, text: bytes, seen: _Seen) -> bool:
    if seen.passwords and _SIGN_IN.search(title):
        return True
    refused = status in (401, 403)
    return refused and bool(seen.passwords or _SIGN_IN.search(title) or _ASKS_TO_SIGN_IN.search(text))


def _is_consent(title: str, text: bytes, seen: _Seen) -> bool:
    if _AGREE.search(text) and (_CONSENT_TITLE.search(title) or any(map(_CONSENT_ACTION.search, seen.actions))):
        return True
    return len(text) < _NOTICE_TEXT and b"your browser" in text and bool(_COOKIES_OFF.search(text))


def _is_empty_application(page: bytes, text: bytes, seen: _Seen) -> bool:
    if len(text) >= _EMPTY_TEXT or not seen.scripts:
        return False
    return bool(_APP_ROOT.search(page) or _SCRIPTS_WANTED.search(seen.noscript))


def _says(headers: Headers, name: str, values: tuple[str, ...]) -> bool:
    return joined_header(headers, name).strip().lower() in values


def _is_html(headers: Headers, body: bytes) -> bool:
    media_type = (header(headers, "content-type") or "").partition(";")[0].strip().lower()
    if media_type:
        return media_type in ("text/html", "application/xhtml+xml")
    begin = body[:2048].lower()
    return b"<html" in begin or b"<!doctype html" in begin


# ---------------------------------------------------------------- payment


def _is_paid(page: bytes) -> bool:
    """Whether a page says of the work that it is that it has to be paid for; of works that it lists does not count."""
    if _FREE.encode() not in page:
        return False
    begin = _LD_JSON.search(page)
    while begin is not None:
        end = page.find(b"</script", begin.end())
        stated = page[begin.end() : end] if end >= 0 else b""
        if _FREE.encode() in stated and _states_payment(stated):
            return True
        begin = _LD_JSON.search(page, end) if end >= 0 else None
    return bool(_PAID_ATTRIBUTE.search(page.lower()))


def _states_payment(text: bytes) -> bool:
    try:
        stated = json.loads(text)
    except (ValueError, RecursionError):
        return False
    nodes = stated if isinstance(stated, list) else [stated]
    nodes = [inner for node in nodes for inner in (node, *_graph(node))]
    return any(isinstance(node, dict) and _is_paid_work(node) for node in nodes)


def _graph(node: Any) -> list[Any]:
    graph = node.get("@graph") if isinstance(node, dict) else None
    return graph if isinstance(graph, list) else []


def _is_paid_work(node: dict[str, Any]) -> bool:
    kinds = node.get("@type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    free = str(node.get(_FREE, "")).lower().rpartition("/")[2]
    return free in ("false", "no") and any(isinstance(kind, str) and _WORKS.search(kind) for kind in kinds)
