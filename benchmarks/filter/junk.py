"""A labelled set of junk, made by recipe: what a crawl of system sites brings along that is no document.

Every kind has some wordings that the rules were written against and some that they were not (`held_out`). Pages are
HTML that goes through the extractor where a page would; noise is text. The seed decides everything.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

PER_KIND = 90

SITES = [
    "Kernel Notes",
    "opsdocs.example",
    "The Cluster Times",
    "Packet Weekly",
    "DevHub",
    "StorageWiki",
    "Rackspace Q&A",
]
TOPICS = [
    "nginx reverse proxy", "Kubernetes networking", "PostgreSQL replication", "ext4 tuning", "systemd timers", "Ceph OSDs",
    "BGP route reflectors", "eBPF tracing", "Slurm accounting", "Redis persistence", "TLS certificates", "cgroup limits",
    "RAID rebuilds", "DNS resolvers", "kubectl debug", "NUMA balancing", "iptables rules", "Docker volumes", "GPU drivers",
    "log rotation", "Ansible roles", "Terraform state", "Kafka partitions", "ZFS snapshots", "SELinux policies",
]  # fmt: skip
SENTENCES = [
    "The scheduler keeps a queue for each processor and moves tasks between them when one runs dry.",
    "A write is acknowledged once two of the three replicas have it on disk.",
    "Set the limit before the service starts, because it is read only once.",
    "When the primary fails, the standby is promoted and clients reconnect within seconds.",
    "Each segment is compacted in the background, and deleted records vanish with it.",
    "The driver maps the ring buffer into user space so that packets need not be copied.",
    "If the lock is held for longer than the lease, another node may take it.",
    "Metrics are scraped every fifteen seconds and kept for two weeks.",
    "The installer asks for a partition, formats it and copies the base system.",
    "A reload keeps open connections, whereas a restart drops them.",
]


class Item(NamedTuple):
    """One junk page: what it is, its text (HTML where `is_html`), whether its wording was kept from the rules."""

    kind: str
    body: str
    is_html: bool
    held_out: bool
    url: str


Make = Callable[[random.Random, bool], tuple[str, bool]]


def items(seed: int = 4) -> Iterator[Item]:
    """The set: PER_KIND of each kind, a third of them in wordings that are held out."""
    for kind, make in KINDS.items():
        chosen = random.Random(f"{seed} {kind}")
        for number in range(PER_KIND):
            held_out = number % 3 == 2
            body, is_html = make(chosen, held_out)
            yield Item(kind, body, is_html, held_out, f"https://{kind.replace('_', '-')}.example/{number}.html")


# ---------------------------------------------------------------- pages


def _page(r: random.Random, title: str, body: str, chrome: bool = True) -> str:
    """A page around a body, with a menu and a footer as sites have them."""
    menu = r.sample(["Home", "Docs", "Blog", "Downloads", "Community", "Pricing", "About", "Support", "Contact"], 5)
    nav = "<nav><ul>" + "".join(f'<li><a href="/{name.lower()}">{name}</a></li>' for name in menu) + "</ul></nav>"
    footer = f"<footer><p>© {r.randint(2009, 2026)} {r.choice(SITES)}</p></footer>"
    head = f"<html><head><title>{title}</title></head><body>"
    main = r.choice(["<main>{}</main>", "<div id=content>{}</div>", "<div class=container>{}</div>"]).format(body)
    return head + (nav + main + footer if chrome and r.random() < 0.7 else main) + "</body></html>"


def _said(r: random.Random, held_out: bool, seen: Sequence[str], unseen: Sequence[str]) -> str:
    """One of the wordings, its slots filled."""
    text = r.choice(unseen if held_out else seen)
    fill = {
        "topic": r.choice(TOPICS), "site": r.choice(SITES), "n": r.randint(2, 900), "path": _path(r), "year": r.randint(2010, 2026),
        "host": f"{r.choice(['www', 'docs', 'wiki'])}.{r.choice(['example', 'test'])}", "hex": f"{r.getrandbits(64):016x}",
    }  # fmt: skip
    return text.format(**fill)


def _path(r: random.Random) -> str:
    return "/" + "/".join(r.choice(TOPICS).lower().replace(" ", "-") for _ in range(r.randint(1, 3))) + ".html"


def _wording(seen: Sequence[str], unseen: Sequence[str]) -> Make:
    """A kind that is one of some wordings on a page."""

    def make(r: random.Random, held_out: bool) -> tuple[str, bool]:
        lines = _said(r, held_out, seen, unseen).split("|")
        title, *rest = lines
        body = f"<h1>{title}</h1>" + "".join(f"<p>{line}</p>" for line in rest)
        return _page(r, title, body), True

    return make


ERROR_PAGES = [
    "404 Not Found|The requested URL {path} was not found on this server.|Apache/2.4.57 (Debian) Server at {host} Port 443",
    "Page not found|Sorry, the page you are looking for does not exist. It may have been moved or deleted.|Go back to the home page or use the search.",
    "403 Forbidden|You don't have permission to access {path} on this server.",
    "Internal Server Error|The server encountered an internal error or misconfiguration and was unable to complete your request.|Please contact the server administrator.",
    "502 Bad Gateway|nginx/1.22.1",
    "Oops! Something went wrong|An unexpected error occurred. Please try again later. Reference: {hex}",
    "Error 404|We can't find the page you requested. Check the address and try again, or return to the home page.",
    "Service Unavailable|The server is temporarily unavailable. We are down for maintenance and will be back soon.",
    "This page doesn't exist|The link you followed may be broken, or the page may have been removed.|Back to home",
    "410 Gone|The requested resource {path} is no longer available on this server and there is no forwarding address.",
    "Access denied|You are not authorized to view this page. Contact the site owner if you believe this is an error.",
    "Whoops, 500|Something went wrong on our end. Our team has been notified. Try refreshing the page.",
]
ERROR_PAGES_UNSEEN = [
    "Not Found|Nothing lives at {path}. It could be that the address was typed wrong, or that we deleted what was here. Try the search or go home.",
    "Sorry|We looked everywhere and the page you requested is not here (HTTP error 404). Please check the URL.",
    "503|Our site is under maintenance. Please try again in a few minutes.",
    "Error|The application could not process your request. Please go back and try again later. Error id {hex}",
    "We hit a snag|An error has occurred while loading this page. Reload the page or report a broken link to the webmaster.",
]
LOGIN_WALLS = [
    "Sign in to continue|Email address|Password|Forgot your password?|Sign in|Don't have an account? Sign up",
    "Log in|You must be logged in to view this page.|Username|Password|Remember me|Log in|Lost your password?",
    "{site} - Login required|This content is restricted to registered users. Please log in or create an account to view it.",
    "Sign in to your account|Continue with Google|Continue with GitHub|Single sign on|Trouble signing in?",
    "Members only|To access this page you need to sign in. Not a member? Register for free.",
    "Authentication required|Enter your username and password to access {path}.|Keep me signed in",
    "Please login|Username or email|Password|Show password|Login|New user? Register here",
    "Welcome back|Enter your email and password to log in to your account.|Forgot password?|No account yet? Create one.",
]
LOGIN_WALLS_UNSEEN = [
    "Restricted area|Access to this article is for registered users. Sign in with your company account or ask your administrator. Need help signing in?",
    "Log on to {site}|User name|Password|Stay signed in|Log on|Reset password",
    "You need to sign in|Only members of {site} can read this thread. Sign in or sign up, it takes a minute. Already have an account? Log in.",
]
COOKIE_WALLS = [
    "We use cookies|We and our partners use cookies to store and/or access information on a device. By clicking accept you consent to this.|Accept all|Reject all|Manage preferences",
    "We value your privacy|This site uses cookies to improve your experience, analyse traffic and show personalised ads. You can withdraw your consent at any time.|Accept all cookies|Cookie settings|Cookie policy",
    "Cookie preferences|Strictly necessary cookies|Performance cookies|Functional cookies|Targeting cookies|Save preferences|Allow all",
    "Before you continue|By continuing to use this site you agree to our use of cookies and our privacy policy.|Only necessary|Accept cookies",
    "Your privacy is important to us|{n} partners, third parties and advertising networks process your data on the basis of consent or legitimate interest.|Confirm my choices|Deny all",
]
COOKIE_WALLS_UNSEEN = [
    "Your choices|This website stores cookies on your computer. Some are necessary, others help us with statistics and marketing. Allow selection, allow all cookies, or decline all.",
    "Privacy notice|Cookies let {site} remember you. Manage cookies or see our cookie notice. By continuing to browse you consent to analytics cookies.|OK",
]
REDIRECTS = [
    "Redirecting|You are being redirected to {path}. If you are not redirected automatically, click here.",
    "This page has moved|This document has moved to https://{host}{path}. Please update your bookmarks.",
    "301 Moved Permanently|The document has moved here.",
    "Redirecting...|If your browser does not redirect you in 5 seconds, follow this link.",
    "Moved|The node you are looking for is at {topic}.",
    "Page moved|{topic} has moved to a new location. You will be redirected in a few seconds.",
]
REDIRECTS_UNSEEN = [
    "Please wait|We will take you there in a moment. If nothing happens, use the link below to go to https://{host}{path}.",
    "New address|Our pages on {topic} have moved to https://{host}. Update your links; click here if the page does not load.",
]
PARKED = [
    "{host}|This domain is for sale. Buy this domain or make an offer today.|Related searches|Web hosting|Domain name",
    "Domain parked|This domain is parked free, courtesy of the domain registrar.|Sponsored listings",
    "Welcome to nginx!|If you see this page, the nginx web server is successfully installed and working. Further configuration is required.",
    "Apache2 Debian Default Page|It works! This is the default web page for this server. The web server software is running but no content has been added yet.",
    "Account suspended|This account has been suspended. Contact your hosting provider for more information.",
    "Website coming soon|Future home of something quite cool. If you are the owner of this site, log in to launch it.|Powered by {site}",
]
PARKED_UNSEEN = [
    "{host} has expired|This domain has expired. If you are the domain owner, renew it at your registrar. Others may get this domain for sale soon.",
    "Test Page|This test page is shown because the web server works. If you are the website owner, replace this default page.",
]
CAPTCHAS = [
    "Just a moment...|Checking your browser before accessing {host}. This may take a few seconds. Ray ID: {hex}",
    "Verify you are human|Complete the security check to access {host}. Enable JavaScript and cookies to continue.|Performance and security by {site}",
    "Are you a robot?|We have detected unusual traffic from your network. Please solve the challenge to prove you are human.|I'm not a robot",
    "Access to this page has been blocked|We need to verify that you are not a robot. Press and hold to confirm you are human. Reference ID {hex}",
    "JavaScript is disabled|This site requires JavaScript. Please enable JavaScript and reload the page.",
]
CAPTCHAS_UNSEEN = [
    "One more step|Please complete the captcha. Automated queries from your IP triggered our bot detection. Request ID: {hex}",
    "{host}|Security challenge in progress, please stand by. Your browser must support cookies: turn on JavaScript before you continue.",
]
PAYWALLS = [
    "{topic}: what nobody tells you|It began with a page at three in the morning.|Subscribe to continue reading. Already a subscriber? Log in to read the full article.|Start your free trial, cancel anytime.",
    "Lessons from {topic}|This article is for subscribers only. Unlock this article with unlimited access for $1 per week.|Subscribe now",
    "Inside {topic}|Most teams get this wrong ...|You have reached your limit of free articles. Become a subscriber to keep reading.",
    "Premium content: {topic}|Upgrade your plan to get full access to this premium article and {n} others for premium members.",
    "The story of {topic}|The first outage lasted [...]|Read more|Continue reading|Read the full story",
]
PAYWALLS_UNSEEN = [
    "{topic} at scale|We had {n} nodes and no plan ...|The rest of this article is exclusive to subscribers. Get access per month or per year; purchase access to this issue alone.",
    "Members read on: {topic}|This is a preview. Sign in to read, or start a subscription. {n} articles remaining this month.",
]
PLACEHOLDERS = [
    "{topic}|Coming soon. Check back later.",
    "{topic}|TODO: document this.|This section is empty.",
    "Sample Page|This is an example page. Welcome to WordPress. This is your first post. Edit or delete it, then start writing!",
    "Lorem ipsum|Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua.",
    "{topic}|This page is a stub. You can help by expanding it.",
    "{topic}|Documentation is missing. This page is under construction, work in progress.",
]
PLACEHOLDERS_UNSEEN = [
    "{topic}|To be written. Content will be added here soon.",
    "{topic}|No documentation available yet. TBD. Stay tuned.",
]
SPAM_PARTS = [
    "Looking for the best price on {topic}? Look no further!", "Buy now and get a discount with our coupon code.",
    "Our team of experts offers affordable {topic} services near me.", "Free download {topic} full version with crack and serial key.",
    "Order online today, limited time special offer, money back guarantee.", "Visit our website and call us today for a free quote.",
    "Top rated {topic} provider with years of experience.", "Rank on Google with our SEO services and cheap backlinks.",
    "Play online casino slots and win the jackpot bonus.", "Pass your exam with real exam questions and {topic} dumps, pass guarantee.",
    "Make money online from home with {topic}, earn money fast, guaranteed.", "Cheap {topic} deals, free shipping, order now.",
    "Boost your sales with our world class one stop solution.", "Get {topic} keygen and activation key 100% free, download now.",
]  # fmt: skip
SPAM_UNSEEN = [
    "Hurry! {topic} at the lowest price, act now and don't miss this exclusive deal.", "Contact us today, our experts will skyrocket your {topic}.",
    "Payday loans and credit score help for {topic} fans, click here.", "Nulled {topic} themes, torrent and apk, download free.",
    "Essay writing and assignment help on {topic}, cheapest essays, satisfaction guaranteed.", "Shop now for replica {topic} pills at our pharmacy, discount voucher inside.",
    "Investment in crypto and forex beats {topic}: passive income, get started today, visit us today.",
]  # fmt: skip


def _spam(r: random.Random, held_out: bool) -> tuple[str, bool]:
    topic = r.choice(TOPICS)
    parts = [r.choice(SPAM_UNSEEN if held_out else SPAM_PARTS).format(topic=topic) for _ in range(r.randint(6, 16))]
    paragraphs = [" ".join(parts[at : at + 3]) for at in range(0, len(parts), 3)]
    return _page(
        r,
        f"Best {topic}",
        f"<h1>Best {topic} {r.randint(2019, 2026)}</h1>" + "".join(f"<p>{p}</p>" for p in paragraphs),
    ), True


def _stuffing(r: random.Random, held_out: bool) -> tuple[str, bool]:
    phrase = r.choice(TOPICS)
    forms = [
        "{p} is the key to {p}.", "If you need {p}, our {p} guide on {p} has {p} tips.", "Learn {p} with the {p} tutorial.",
        "{p} tools and {p} tricks for {p} users.", "Why {p}? Because {p} makes {p} simple.", "{p} {p} {p} online.",
    ] if not held_out else [
        "Everything on {p}: {p} basics, {p} examples, {p} answers.", "People who like {p} also like {p} and {p} news.",
        "{p} help, {p} forum, {p} videos, {p} price.",
    ]  # fmt: skip
    text = " ".join(r.choice(forms).format(p=phrase) for _ in range(r.randint(12, 40)))
    return _page(r, phrase, f"<h1>{phrase}</h1><p>{text}</p>"), True


def _links(r: random.Random, held_out: bool) -> tuple[str, bool]:
    names = [
        f"{r.choice(['Guide to', 'Notes on', 'All about', 'Part 2:', 'FAQ:', 'Intro to'])} {r.choice(TOPICS)}"
        for _ in range(r.randint(15, 60))
    ]
    if held_out:
        rows = "".join(
            f'<p><a href="https://{i}.example{_path(r)}">https://{i}.example{_path(r)}</a></p>'
            for i, _ in enumerate(names)
        )
        return _page(r, "Links", f"<h1>Useful links</h1>{rows}"), True
    rows = "".join(f'<li><a href="{_path(r)}">{name}</a></li>' for name in names)
    return _page(r, "Links", f"<h1>Links</h1><ul>{rows}</ul>", chrome=False), True


def _search(r: random.Random, held_out: bool) -> tuple[str, bool]:
    topic, n = r.choice(TOPICS), r.randint(0, 400)
    hits = "".join(
        f"<li><a href='{_path(r)}'>{r.choice(TOPICS)}</a> ... {r.choice(SENTENCES)[:40]} ...</li>"
        for _ in range(r.randint(0, 5))
    )
    said = [
        f"<h1>Search results for {topic}</h1><p>Showing 1 - 10 of {n} results. Sort by relevance. Filter by date posted.</p><ul>{hits}</ul><p>Previous page Next page</p>",
        f"<h1>Search</h1><p>No results found for {topic}. Try different keywords or check your spelling.</p><p>Did you mean {r.choice(TOPICS)}?</p>",
        "<h1>Search</h1><p>Please activate JavaScript to enable the search functionality. From here you can search these documents. Enter your search words into the box below.</p>",
    ]  # fmt: skip
    unseen = [
        f"<h1>Results</h1><p>Your search for {topic} did not match any pages. Search again, or use the advanced search.</p>",
        f"<h1>{n} results found</h1><p>Searching for: {topic}. 20 results per page, newest first. Clear filters.</p><ul>{hits}</ul>",
    ]  # fmt: skip
    return _page(r, "Search", r.choice(unseen if held_out else said)), True


def _tags(r: random.Random, held_out: bool) -> tuple[str, bool]:
    topic = r.choice(TOPICS)
    posts = "".join(
        f"<h2><a href='{_path(r)}'>{r.choice(TOPICS)}</a></h2><p>Posted in {r.choice(TOPICS)}. Tags: {r.choice(TOPICS)}. {r.choice(['Read more', 'Continue reading', 'Leave a comment'])}</p>"
        for _ in range(r.randint(3, 9))
    )
    said = [
        f"<h1>Posts tagged {topic}</h1>{posts}<p>Older posts Newer posts</p>",
        f"<h1>Category archives: {topic}</h1>{posts}<p>Page 2 of {r.randint(3, 40)}</p>",
    ]
    unseen = [
        f"<h1>All posts in {topic}</h1>{posts}<p>Browse by tag. Tag cloud. View archive</p>",
        f"<h1>Archive for {r.randint(2008, 2026)}</h1>{posts}<p>Older entries</p>",
    ]
    return _page(r, topic, r.choice(unseen if held_out else said)), True


def _directory(r: random.Random, held_out: bool) -> tuple[str, bool]:
    names = [
        f"{r.choice(TOPICS).split()[0].lower()}-{r.randint(1, 9)}.{r.randint(0, 30)}.{r.choice(['tar.gz', 'zip', 'deb', 'rpm', 'iso'])}"
        for _ in range(r.randint(8, 40))
    ]
    rows = "\n".join(
        f"{name:<40} {r.randint(1, 28):02}-{r.choice(['Jan', 'May', 'Oct'])}-{r.randint(2009, 2026)} 1{r.randint(0, 9)}:{r.randint(10, 59)}  {r.randint(1, 900)}{r.choice('KM')}"
        for name in names
    )
    if held_out:
        items_ = "".join(f"<li><a href='{name}'>{name}</a></li>" for name in names)
        return (
            f"<html><title>Directory listing for /pub/</title><body><h1>Directory listing for /pub/</h1><hr><ul>{items_}</ul><hr></body></html>",
            True,
        )
    return (
        f"<html><title>Index of /pub</title><body><h1>Index of /pub</h1><pre>Name  Last modified  Size  Description\nParent Directory\n{rows}</pre><address>Apache/2.4 Server at www.example Port 80</address></body></html>",
        True,
    )


def _identifier(r: random.Random) -> str:
    return "_".join(
        r.choice(["get", "set", "io", "buf", "ctx", "node", "init", "free", "lock", "map", "page", "irq"])
        for _ in range(r.randint(2, 4))
    )


def _genindex(r: random.Random, held_out: bool) -> tuple[str, bool]:
    title = (
        r.choice(["Class Index", "File Members", "Full list of members"])
        if held_out
        else r.choice(["Index", "General Index", "Module Index"])
    )
    letters = string.ascii_uppercase[: r.randint(8, 26)]
    body = "".join(
        f"<h2>{letter}</h2><ul>"
        + "".join(f"<li><a href='#'>{letter.lower()}{_identifier(r)}</a></li>" for _ in range(r.randint(2, 9)))
        + "</ul>"
        for letter in letters
    )
    return _page(r, title, f"<h1>{title}</h1><p>{' | '.join(letters)}</p>{body}", chrome=False), True


def _empty_api(r: random.Random, held_out: bool) -> tuple[str, bool]:
    name = _identifier(r)
    rows = "".join(
        f"<dt><code>{_identifier(r)}({', '.join(_identifier(r) for _ in range(r.randint(0, 3)))})</code></dt><dd></dd>"
        for _ in range(r.randint(4, 25))
    )
    if held_out:
        cells = "".join(
            f"<tr><td><code>int {_identifier(r)} (void)</code></td><td></td></tr>" for _ in range(r.randint(5, 25))
        )
        return _page(
            r,
            name,
            f"<h1>{name}.h</h1><h2>Functions</h2><table><tr><th>Function</th><th>Description</th></tr>{cells}</table>",
            chrome=False,
        ), True
    return _page(r, name, f"<h1>{name} module</h1><h2>Methods</h2><dl>{rows}</dl>", chrome=False), True


def _garbled(r: random.Random, held_out: bool) -> tuple[str, bool]:
    text = " ".join(r.sample(SENTENCES, 5) * 2)
    accented = text.replace("e", "é").replace("a", "ä").replace("'", "’").replace("o", "ö")
    ways = [
        lambda: accented.encode().decode("latin-1"),
        lambda: accented.encode().decode("cp1252", "replace"),
        lambda: "".join(c if r.random() > 0.2 else "\ufffd" for c in text),
    ]
    unseen = [
        lambda: " ".join("".join(r.sample(word, len(word))) for word in text.split()),
        lambda: " ".join(text.replace(" ", "")),
        lambda: "Настройка сервера и сети ".encode().decode("latin-1") * 12,
    ]
    return r.choice(unseen if held_out else ways)(), False


def _noise(r: random.Random, held_out: bool) -> tuple[str, bool]:
    blob = r.randbytes(r.randint(600, 4000))
    ways = [
        lambda: base64.b64encode(blob).decode(),
        lambda: "\n".join(f"{at:08x}  {blob[at : at + 16].hex(' ')}" for at in range(0, len(blob), 16)),
        lambda: "\n".join(",".join(str(r.randint(0, 99999)) for _ in range(8)) for _ in range(r.randint(40, 200))),
    ]
    unseen = [
        lambda: "\n".join(base64.b64encode(blob[at : at + 57]).decode() for at in range(0, len(blob), 57)),
        lambda: "\n".join(f"{r.getrandbits(128):032x}" for _ in range(r.randint(40, 200))),
        lambda: "\n".join(" ".join(f"{r.random():.6f}" for _ in range(6)) for _ in range(r.randint(40, 200))),
    ]
    text = r.choice(unseen if held_out else ways)()
    return (f"# Data\n\n```\n{text}\n```\n" if r.random() < 0.5 else text), False


def _minified(r: random.Random, held_out: bool) -> tuple[str, bool]:
    names = [f"{r.choice(string.ascii_letters)}{r.choice(string.ascii_letters)}" for _ in range(40)]
    if held_out:
        rules = [
            f".{r.choice(names)}{{margin:{r.randint(0, 40)}px;color:#{r.getrandbits(24):06x}}}"
            for _ in range(r.randint(100, 300))
        ]
        return f"```css\n{''.join(rules)}\n```\n", False
    parts = [
        f"function {r.choice(names)}({r.choice(names)}){{return {r.choice(names)}.{r.choice(names)}({r.randint(0, 99)})}}"
        for _ in range(r.randint(60, 200))
    ]
    return f"```js\n!{';'.join(parts)}\n```\n", False


def _repeated(r: random.Random, held_out: bool) -> tuple[str, bool]:
    line = r.choice(SENTENCES)
    if held_out:
        block = "\n\n".join(r.sample(SENTENCES, 2))
        return (block + "\n\n") * r.randint(8, 30), False
    return (line + "\n") * r.randint(12, 60), False


def _log(r: random.Random, held_out: bool) -> tuple[str, bool]:
    text = r.choice(
        ["worker heartbeat ok", "GET /healthz 200", "poll: no new messages"]
        if not held_out
        else ["keepalive sent to peer", "tick"]
    )
    rows = "\n".join(
        f"2026-01-{r.randint(1, 28):02}T{r.randint(10, 23)}:{r.randint(10, 59)}:{r.randint(10, 59)}Z node-{r.randint(1, 9)} {text} in {r.randint(1, 99)} ms"
        for _ in range(r.randint(200, 900))
    )
    return (f"```\n{rows}\n```\n" if r.random() < 0.5 else rows + "\n"), False


def _menu(r: random.Random, held_out: bool) -> tuple[str, bool]:
    seen = [
        "Home",
        "About us",
        "Contact",
        "Careers",
        "Privacy policy",
        "Terms of service",
        "Blog",
        "Newsletter",
        "Follow us",
        "Sign in",
        "Products",
        "Solutions",
        "Resources",
        "Pricing",
        "Sitemap",
        "Cookie settings",
        "Support",
        "Partners",
        "Events",
        "Press",
        "English",
        "Deutsch",
        "Facebook",
        "Twitter",
        "YouTube",
    ]
    more = [
        "Help center",
        "Investor relations",
        "Accessibility statement",
        "Legal notice",
        "Skip to content",
        "Back to top",
        "Share on LinkedIn",
        "Recent posts",
        "Leave a reply",
        "Webinars",
        "Learn more",
        "View all",
        "Downloads",
        "Community",
        "Español",
    ]
    names = r.sample(more if held_out else seen, r.randint(10, 15))
    return "\n\n".join(
        f"- {name}" if r.random() < 0.5 else name for name in names
    ) + f"\n\n© {r.randint(2009, 2026)} All rights reserved\n", False


def _versions(r: random.Random, held_out: bool) -> tuple[str, bool]:
    lines = [
        f"{r.choice(['v', ''])}{r.randint(0, 9)}.{r.randint(0, 40)}.{r.randint(0, 40)}"
        for _ in range(r.randint(30, 120))
    ]
    if held_out:
        return "# Releases\n\n" + "\n".join(
            f"- {line} ({r.randint(2010, 2026)}-0{r.randint(1, 9)}-1{r.randint(0, 9)})" for line in lines
        ), False
    return "# Tags\n\n" + "\n".join(f"- {line}" for line in lines), False


def _calendar(r: random.Random, held_out: bool) -> tuple[str, bool]:
    head = (
        "| Mo | Tu | We | Th | Fr | Sa | Su |\n|---|---|---|---|---|---|---|\n"
        if not held_out
        else "Mon Tue Wed Thu Fri Sat Sun\n\n"
    )
    days = [str(day) for day in range(1, 32)]
    weeks = [days[at : at + 7] for at in range(0, 31, 7)]
    body = "\n".join(("| " + " | ".join(week) + " |") if not held_out else " ".join(week) for week in weeks)
    months = r.sample(["January", "February", "March", "April", "May", "June", "July"], 3)
    return "\n\n".join(f"## {month} {r.randint(2009, 2026)}\n\n{head}{body}" for month in months) + "\n", False


KINDS: dict[str, Make] = {
    "error_page": _wording(ERROR_PAGES, ERROR_PAGES_UNSEEN),
    "login_wall": _wording(LOGIN_WALLS, LOGIN_WALLS_UNSEEN),
    "cookie_wall": _wording(COOKIE_WALLS, COOKIE_WALLS_UNSEEN),
    "redirect_stub": _wording(REDIRECTS, REDIRECTS_UNSEEN),
    "parked_domain": _wording(PARKED, PARKED_UNSEEN),
    "captcha": _wording(CAPTCHAS, CAPTCHAS_UNSEEN),
    "paywall": _wording(PAYWALLS, PAYWALLS_UNSEEN),
    "placeholder": _wording(PLACEHOLDERS, PLACEHOLDERS_UNSEEN),
    "spam": _spam,
    "keyword_stuffing": _stuffing,
    "link_list": _links,
    "search_listing": _search,
    "tag_listing": _tags,
    "directory_listing": _directory,
    "index_page": _genindex,
    "empty_api": _empty_api,
    "garbled": _garbled,
    "machine_noise": _noise,
    "minified_code": _minified,
    "repeated_text": _repeated,
    "repeated_log": _log,
    "menu": _menu,
    "version_list": _versions,
    "calendar": _calendar,
}
