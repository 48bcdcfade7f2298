"""Walls before pages: told where they are, and never where a page speaks of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.http import Headers
from crawlers.walls import MAX_BYTES, is_login_url, wall_of

HTML: Headers = [("Content-Type", "text/html; charset=utf-8")]
PROSE = "<p>" + "The scheduler places a task on the run queue of a processor that is idle. " * 60


def page(body: str, title: str = "A page", head: str = "") -> bytes:
    return f"<!DOCTYPE html><html><head><title>{title}</title>{head}</head><body>{body}</body></html>".encode()


def stated(value: Any) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


LOGIN_FORM = '<form action="/session" method="post"><input name="user"><input type="password" name="p"></form>'
APP = '<noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div><script src="/a.js">'
ANUBIS = '<script id="anubis_challenge" type="application/json">{"rules":{}}</script>'
PAID = {"@type": "NewsArticle", "isAccessibleForFree": False, "hasPart": {"cssSelector": ".paywall"}}

WALLS: list[tuple[int, bytes, str]] = [
    (200, page(LOGIN_FORM, "Sign in · GitLab"), "login_wall"),
    (200, page("<nav>Home Blog About</nav>" + LOGIN_FORM.upper(), "Log in - Confluence"), "login_wall"),
    (200, page(LOGIN_FORM, "用户登录"), "login_wall"),
    (403, page("<h1>Forbidden</h1><p>You must be logged in to see this page."), "login_wall"),
    (403, page(LOGIN_FORM, "Forum"), "login_wall"),
    (200, page("<form action='https://consent.google.com/save'><button>Accept all</button></form>"), "cookie_wall"),
    (200, page("<p>We use cookies.<a href=?>I agree</a>", "Before you continue"), "cookie_wall"),
    (200, page("<p>Cookies are disabled in your browser. Please enable cookies and try again."), "cookie_wall"),
    (403, page("<p>Enable JavaScript and cookies to continue<script>window._cf_chl_opt={a:1}</script>"), "challenge"),
    (200, page("Making sure you&#39;re not a bot!", head=ANUBIS), "challenge"),
    (403, page('<script src="/.well-known/ddos-guard/js-challenge/index.js"></script>', "DDoS-Guard"), "challenge"),
    (403, page('<script src="https://ct.captcha-delivery.com/c.js"></script>', "example.com"), "challenge"),
    (
        200,
        page('<iframe src="/_Incapsula_Resource?SWUDNSAI=31&xinfo=1">Incapsula incident ID: 1</iframe>'),
        "challenge",
    ),
    (429, page('<p>Unusual traffic from your network.<div class="g-recaptcha" data-sitekey="x">'), "challenge"),
    (200, page("<p>Verify you are human<div class=cf-turnstile></div>", "Security check"), "challenge"),
    (200, page(APP), "javascript_only"),
    (200, page('<div id="__next"> </div><script src=/x.js></script>'), "javascript_only"),
    (200, page("<script src=/x.js></script><app-root></app-root>"), "javascript_only"),
    (200, page("<noscript>This site requires JavaScript.</noscript><script src=/x.js></script>"), "javascript_only"),
    (200, page(PROSE, head=stated(PAID)), "paywall"),
    (200, page(PROSE, head=stated({"@graph": [{"@type": "Organization"}, PAID]})), "paywall"),
    (200, page(PROSE, head=stated([PAID | {"isAccessibleForFree": "False"}])), "paywall"),
    (200, page(PROSE, head='<meta itemprop="isAccessibleForFree" content="false">'), "paywall"),
    (402, b"", "paywall"),
]

QUOTED_FORM = LOGIN_FORM.replace("<", "&lt;")
PAGES: list[tuple[int, bytes]] = [
    (200, page(PROSE + LOGIN_FORM, "How to sign in")),
    (200, page(f"<h1>The login form</h1><pre>{QUOTED_FORM}</pre>", "Login form")),
    (200, page(f"<h1>The login form</h1>{LOGIN_FORM}<pre>{QUOTED_FORM}</pre>", "Login form")),
    (200, page("<p>Short answer to a short question." + LOGIN_FORM, "Re: kernel panic on boot")),
    (200, page("<p>You must be logged in as root to run this.", "shutdown(8)")),
    (404, page(LOGIN_FORM, "Sign in")),
    (200, page("<p>Cookies are required for sessions. See <code>session.use_cookies</code>.", "Session")),
    (200, page(PROSE + '<div id="cookie-banner"><button>Accept all cookies</button></div>')),
    (200, page("<p>Set <code>consent</code> to allow or accept.<form action=/search></form>", "Consent settings")),
    (200, page("<p>Look for <code>_cf_chl_opt</code> and <code>anubis_challenge</code> in the page.", "Challenges")),
    (200, page(PROSE + "<script>window._cf_chl_opt</script>")),
    (200, page("<p>Leave a comment<div class=g-recaptcha></div>", "Notes of release 1.2")),
    (200, page("<p>Hi.<script>(function(){window.__CF$cv$params={}})()</script>")),
    (200, page('<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script><p>A page')),
    (200, page('<div id="app"><h1>Rendered</h1>' + PROSE + "</div><script src=/x.js></script>")),
    (200, page('<frameset><frame src="a.html"></frameset><noscript>Please enable JavaScript.</noscript><script>1')),
    (
        200,
        page("<script>1</script>", head='<noscript>enable javascript</noscript><meta http-equiv="Refresh" content=0>'),
    ),
    (200, page("<p>An empty page.<div id=root></div>")),
    (200, page(PROSE, head=stated(PAID | {"isAccessibleForFree": True}))),
    (200, page(PROSE, head=stated({"@type": "ItemList", "itemListElement": [PAID]}))),
    (200, page(PROSE, head=stated({"@type": "Product", "isAccessibleForFree": False}))),
    (200, page(f"<pre>{stated(PAID).replace('<', '&lt;')}</pre>")),
    (200, page("", head='<script type="application/ld+json">{"isAccessibleForFree": false, broken')),
    (200, b""),
]


@pytest.mark.parametrize(("status", "body", "wall"), WALLS)
def test_walls(status: int, body: bytes, wall: str) -> None:
    assert wall_of(status, HTML, body) == wall
    assert wall_of(status, [], body) == wall


@pytest.mark.parametrize(("status", "body"), PAGES)
def test_pages_are_no_walls(status: int, body: bytes) -> None:
    assert wall_of(status, HTML, body) is None


@pytest.mark.parametrize(
    ("status", "line", "wall"),
    [
        (401, ("WWW-Authenticate", 'Basic realm="x"'), "login_wall"),
        (200, ("WWW-Authenticate", "Basic"), None),
        (403, ("CF-Mitigated", "challenge"), "challenge"),
        (202, ("x-amzn-waf-action", "challenge"), "challenge"),
        (405, ("x-amzn-waf-action", "captcha"), "challenge"),
        (403, ("cf-mitigated", "block"), None),
    ],
)
def test_headers_tell(status: int, line: tuple[str, str], wall: str | None) -> None:
    assert wall_of(status, [line, *HTML], page("<p>text")) == wall


def test_only_html_has_walls() -> None:
    assert wall_of(200, [("Content-Type", "text/plain")], page(LOGIN_FORM, "Sign in")) is None
    assert wall_of(200, [("Content-Type", "application/json")], json.dumps(PAID).encode()) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.example.org/users/sign_in",
        "https://login.example.com/x",
        "https://sso.example.org/",
        "https://example.okta.com/app/x",
        "https://login.microsoftonline.com/common/oauth2/authorize?client_id=1",
        "https://example.org/login",
        "https://example.org/en/login/",
        "https://example.org/login.php",
        "https://example.org/blog/wp-login.php?redirect_to=x",
        "https://example.org/docs/login?next=/docs/secret",
        "https://example.org/auth/realms/x/protocol/openid-connect/auth",
        "https://wiki.example.org/index.php?title=Special:UserLogin&returnto=A",
        "https://forum.example.org/ucp.php?mode=login",
        "https://example.org/idp/SSO?SAMLRequest=x",
    ],
)
def test_urls_of_signing_in(url: str) -> None:
    assert is_login_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.docker.com/reference/cli/docker/login/",
        "https://man7.org/linux/man-pages/man1/login.1.html",
        "https://docs.gitlab.com/cli/auth/login/",
        "https://example.org/docs/login.html",
        "https://example.org/blog/how-we-sign-in",
        "https://example.org/docs/authentication/",
        "https://www.postgresql.org/docs/current/client-authentication.html",
        "https://id.wikipedia.org/wiki/Linux",
        "https://example.org/?next=2",
        "https://example.org/",
    ],
)
def test_urls_of_pages_about_signing_in(url: str) -> None:
    assert not is_login_url(url)


PIECES = [
    b"<", b">", b"<!--", b"-->", b"<script>", b"</script>", b"<script type=application/ld+json>", b"<title>", b"<noscript>",
    b'"isAccessibleForFree":', b"[", b"{", b"<div id=root>", b"<input type=password>", b"text ", b"<pre>", b"<form action=",
    b"javascript is ", b"<meta itemprop=isAccessibleForFree ", b"\xff\x00", b" ",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=60), st.sampled_from([200, 403, 500]))
def test_any_body_has_an_answer(pieces: list[bytes], status: int) -> None:
    answer = wall_of(status, HTML, b"".join(pieces))
    assert answer in {None, "login_wall", "cookie_wall", "challenge", "javascript_only", "paywall"}


@pytest.mark.parametrize("pair", [(a, b) for a in PIECES[:12] for b in PIECES[:12] if a <= b])
def test_megabytes_of_anything_are_glanced_at(pair: tuple[bytes, bytes]) -> None:
    """Were it not for a time that grows with the length alone, this would not end."""
    wall_of(200, HTML, b'<script type="application/ld+json">isAccessibleForFree' + b"".join(pair) * MAX_BYTES)
