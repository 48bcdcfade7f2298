"""Personal data and secrets: planted in configurations, logs, sessions, prose and mail, found, and replaced in kind.

Every value is drawn anew; what the rules list is never planted. Code blocks are read by real parsers before and after.
False replacements are counted twice: on texts written for it that look like personal data and are none, class by class
(`look_alikes.yaml`), and on clean documentation, where every span was judged by eye. `verdicts.txt` keeps the verdicts
by a digest of each span and of the text around it, so that no text of others lies here; what has no verdict counts as
false. Verdicts: `right`, of a person or as secret as any; `random`, a random value in an example, which nobody could
tell from a secret in use; `false`. Beside ours stands datatrove's PIIFormatter: addresses of mail and of hosts.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import io
import json
import random
import string
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import yaml
from datatrove.pipeline.formatters.pii import PIIFormatter

from benchmarks.extract.report import Held
from benchmarks.filter.targets import at_least
from filters.privacy.placeholders import redact
from filters.privacy.spans import Span, find_spans, spans_of
from filters.stream import read_stream

LOOK_ALIKES = Path(__file__).with_name("look_alikes.yaml")
VERDICTS = Path(__file__).with_name("verdicts.txt")
ROUNDS = 24  # each form of each kind is planted so often
SHOWN = 40
_AROUND = 24  # bytes on each side of a span that its digest is of
_BATCH = 500

GIVEN = [
    "petra",
    "marek",
    "ingrid",
    "tomasz",
    "chidi",
    "yuki",
    "leila",
    "ondrej",
    "fatima",
    "kwame",
    "niamh",
    "ruslan",
    "sibel",
    "thiago",
    "wanjiru",
    "arjun",
    "mei",
    "dagmar",
]
FAMILY = [
    "lindqvist",
    "kowalczyk",
    "okonkwo",
    "haraldsen",
    "brzezinski",
    "yamashita",
    "rahimi",
    "dvorak",
    "benali",
    "asante",
    "oconnor",
    "petrenko",
    "yilmaz",
    "ferreira",
    "njoroge",
    "venkatesan",
    "zhao",
    "hoffmeister",
]
HOSTS = [
    "rackfarm-hosting.net",
    "kettlebrook.io",
    "nordlicht-systeme.de",
    "quillon.co.uk",
    "tarvos.fr",
    "blueheron.dev",
]

Draw = Callable[[random.Random], str]


class Planted(NamedTuple):
    """One planted value: its kind, the text around it, and the parser that reads the text (none: no code)."""

    kind: str
    text: str
    value: str
    parser: str


def _chars(letters: str, length: int) -> Draw:
    return lambda r: "".join(r.choice(letters) for _ in range(length))


_ALNUM, _HEX, _URL64 = (
    string.ascii_letters + string.digits,
    "0123456789abcdef",
    string.ascii_letters + string.digits + "-_",
)
_BASE32 = string.ascii_uppercase + "234567"


def _prefixed(begin: str, letters: str, length: int) -> Draw:
    return lambda r: begin + _chars(letters, length)(r)


def _password(r: random.Random) -> str:
    return _chars(_ALNUM + "!#*+-_.", r.randint(9, 20))(r)


def _plain_password(r: random.Random) -> str:
    return _chars(_ALNUM, r.randint(10, 18))(r)


def _jwt(r: random.Random) -> str:
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")  # noqa: E731
    claims = {"sub": str(r.randint(1, 10**6)), "iss": r.choice(HOSTS), "exp": r.randint(10**9, 2 * 10**9)}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{_chars(_URL64, 43)(r)}"


def _private_key(r: random.Random) -> str:
    kind = r.choice(["RSA ", "EC ", "OPENSSH ", ""])
    body = "\n".join(base64.b64encode(r.randbytes(48)).decode() for _ in range(r.randint(4, 12)))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


KEYS: Mapping[str, Draw] = {
    "aws access key": _prefixed("AK" + "IA", _BASE32, 16),
    "aws session key": _prefixed("AS" + "IA", _BASE32, 16),
    "github token": _prefixed("gh" + "p_", _ALNUM, 36),
    "github app token": _prefixed("gh" + "s_", _ALNUM, 36),
    "gitlab token": _prefixed("gl" + "pat-", _ALNUM + "_", 20),
    "slack token": lambda r: (
        "xo" + f"xb-{r.randint(10**10, 10**11)}-{r.randint(10**11, 10**12)}-{_chars(_ALNUM, 24)(r)}"
    ),
    "stripe key": _prefixed("sk_" + "live_", _ALNUM, 24),
    "google api key": _prefixed("AI" + "za", _ALNUM + "_", 35),
    "npm token": _prefixed("npm" + "_", _ALNUM, 36),
    "pypi token": _prefixed("pypi-" + "AgEIcHlwaS5vcmc", _URL64[:-2], 120),
    "hugging face token": _prefixed("hf" + "_", _ALNUM, 34),
    "openai key": _prefixed("sk-" + "proj-", _ALNUM, 48),
    "anthropic key": _prefixed("sk-" + "ant-api03-", _ALNUM, 93),
    "digitalocean token": _prefixed("dop" + "_v1_", _HEX, 64),
    "sendgrid key": lambda r: "S" + f"G.{_chars(_ALNUM, 22)(r)}.{_chars(_ALNUM, 43)(r)}",
    "vault token": _prefixed("hv" + "s.", _ALNUM, 24),
    "docker token": _prefixed("dckr" + "_pat_", _ALNUM, 27),
    "grafana token": _prefixed("gl" + "sa_", _ALNUM, 41),
    "jwt": _jwt,
}

# A form holds `{}` for the value; the parser reads the whole text.
KEY_FORMS = [
    ("export SERVICE_KEY={}\n", "shell"),
    ('{{"service": {{"id": 7, "key": "{}"}}}}', "json"),
    ("service:\n  key: {}\n  id: 7\n", "yaml"),
    ('[service]\nkey = "{}"\n', "toml"),
    ("[service]\nkey = {}\n", "ini"),
    ("The job failed until we replaced {} by a new one.", ""),
    ("2026-03-01T10:00:00Z gateway auth: rejected key={} from pool", ""),
]
PASSWORD_FORMS = [
    ("DB_PASSWORD={}\n", "shell"),
    ("export PGPASSWORD='{}'\n", "shell"),
    ('{{"db": {{"user": "app", "password": "{}"}}}}', "json"),
    ("db:\n  user: app\n  password: '{}'\n", "yaml"),
    ('[db]\npassword = "{}"\n', "toml"),
    ("[db]\npassword = {}\n", "ini"),
    ("<db><password>{}</password></db>", "xml"),
    ("$ mysqldump --user=app --password={} shop\n", ""),
    ("$ curl -u deploy:{} https://quillon.co.uk/api\n", ""),
    ("Server=db1;Database=shop;User Id=app;Password={};Encrypt=yes", ""),
    ("$ sshpass -p '{}' ssh app@db1\n", ""),
    ("machine quillon.co.uk login app password {}\n", ""),
    ("db1.quillon.co.uk:5432:shop:app:{}\n", ""),
    ("spring.datasource.password={}\n", ""),
]
URL_FORMS = [
    ("DATABASE_URL=postgres://app:{}@db1.tarvos.fr:5432/shop\n", "shell"),
    ('{{"broker": "amqp://app:{}@mq.tarvos.fr/prod"}}', "json"),
    ("cache:\n  url: redis://default:{}@cache.tarvos.fr:6379/0\n", "yaml"),
    ("It connects to mongodb+srv://app:{}@cluster0.tarvos.fr/shop and waits.", ""),
]
TOKEN_FORMS = [
    ("$ curl -H 'Authorization: Bearer {}' https://quillon.co.uk/api\n", ""),
    (
        "AZURE_STORAGE_CONNECTION_STRING='DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};EndpointSuffix=core'\n",
        "shell",
    ),
    ('{{"auths": {{"registry.tarvos.fr": {{"auth": "{}"}}}}}}', "json"),
    ("aws_secret_access_key = {}\n", ""),
    ("client_secret: {}\n", "yaml"),
]


def _secrets(r: random.Random) -> list[Planted]:
    found = []
    for kind, draw in KEYS.items():
        for form, parser in KEY_FORMS:
            value = draw(r)
            found.append(Planted(f"secret: {kind}", form.format(value), value, parser))
    for form, parser in PASSWORD_FORMS:
        value = _plain_password(r) if parser in ("ini", "xml", "shell") or not parser else _password(r)
        found.append(Planted("secret: password", form.format(value), value, parser))
    for form, parser in URL_FORMS:
        value = _plain_password(r)
        found.append(Planted("secret: password in an address", form.format(value), value, parser))
    for form, parser in TOKEN_FORMS:
        value = base64.b64encode(r.randbytes(30)).decode()
        found.append(Planted("secret: token", form.format(value), value, parser))
    key = _private_key(r)
    body = key.split("\n")[2]
    found += [
        Planted("secret: private key", f"```\n{key}\n```\n", body, ""),
        Planted(
            "secret: private key", json.dumps({"type": "service_account", "private_key": key + "\n"}), body, "json"
        ),
        Planted(
            "secret: private key",
            "tls:\n  key: |\n" + "".join(f"    {line}\n" for line in key.split("\n")),
            body,
            "yaml",
        ),
    ]
    return found


def _personal(r: random.Random) -> list[Planted]:
    given, family, host = r.choice(GIVEN), r.choice(FAMILY), r.choice(HOSTS)
    mail = r.choice([f"{given}.{family}", f"{given[0]}{family}", f"{family}{r.randint(1, 99)}"]) + "@" + host
    user = r.choice([f"{given[0]}{family}", f"{given}.{family}", f"{family}"])
    name = f"{given.capitalize()} {family.capitalize()}"
    phone = r.choice([
        f"+49 {r.randint(30, 89)} {r.randint(1000000, 9999999)}", f"+44 20 {r.randint(2000, 7999)} {r.randint(1000, 9999)}",
        f"({r.randint(201, 989)}) {r.randint(200, 554)}-{r.randint(1000, 9999)}", f"{r.randint(201, 989)}-{r.randint(200, 554)}-{r.randint(1000, 9999)}",
        f"+33 {r.randint(1, 9)} {r.randint(10, 99)} {r.randint(10, 99)} {r.randint(10, 99)} {r.randint(10, 99)}",
    ])  # fmt: skip
    ip = f"{r.choice([23, 46, 62, 78, 89, 91, 109, 151, 176, 185, 212])}.{r.randint(11, 250)}.{r.randint(11, 250)}.{r.randint(2, 250)}"
    ip6 = f"2a02:{r.randint(0x1000, 0x9999):x}:{r.randint(0x1000, 0x9999):x}:{r.randint(1, 0xFFFF):x}::{r.randint(2, 0xFFFF):x}"
    mac = f"{r.choice(['3c:22:fb', 'f4:5c:89', 'b8:27:eb', 'a4:83:e7'])}:{r.randint(16, 255):02x}:{r.randint(16, 255):02x}:{r.randint(16, 255):02x}"
    forms: list[tuple[str, str, str, str]] = [
        ("email", f"Ask {mail} before you merge it.", mail, ""),
        ("email", f'{{"owner": {{"name": "x", "mail": "{mail}"}}}}', mail, "json"),
        ("email", f"maintainer:\n  mail: {mail}\n", mail, "yaml"),
        ("email", f"[alerts]\nto = {mail}\n", mail, "ini"),
        ("email", f"```python\n# {mail} wrote this\nx = 1\n```\n", mail, ""),
        ("email", f"Mar  3 10:11:12 mx1 postfix/smtp[2211]: to=<{mail}>, relay=mx, status=sent", mail, ""),
        ("phone", f"You reach the office under {phone} until five.", phone, ""),
        ("phone", f"oncall:\n  phone: '{phone}'\n", phone, "yaml"),
        ("person", f"Signed-off-by: {name} <{mail}>\n", name, ""),
        ("person", f"It works now, thank you.\n\nBest regards,\n{name}\n", name, ""),
        ("person", f"From: {name} <{mail}>\nTo: dev\n\nHello\n", name, ""),
        ("username", f"```console\n$ ls /home/{user}/src\nmain.c\n```\n", user, ""),
        ("username", f"IncludeDir = C:\\Users\\{user}\\AppData\n", user, ""),
        ("username", f'Traceback:\n  File "/Users/{user}/src/app.py", line 3\n', user, ""),
        ("username", f"```\n{user}@build-07:~/src$ make\n```\n", user, ""),
        ("ip", f'{ip} - - [03/Mar/2026:10:11:12 +0000] "GET /a HTTP/1.1" 200 512', ip, ""),
        ("ip", f"Mar  3 10:11:12 gw sshd[811]: Failed password for root from {ip} port 4022 ssh2", ip, ""),
        ("ip", f"```console\n$ ssh {ip}\nlast login from {ip}\n```\n", ip, ""),
        ("ip", f"2026-03-03T10:11:12Z INFO accepted connection from {ip6}", ip6, ""),
        ("ip", f"{mail} logged in from {ip}.", ip, ""),
        ("mac", f"Mar  3 10:11:12 gw dhcpd[99]: DHCPACK on 10.0.0.7 to {mac} via eth0", mac, ""),
        ("mac", f"```console\n$ ip link\n    link/ether {mac} brd ff:ff:ff:ff:ff:ff\n```\n", mac, ""),
    ]
    return [Planted(kind, text, value, parser) for kind, text, value, parser in forms]


def planted(seed: int = 5) -> list[Planted]:
    """The set; the seed decides it."""
    r = random.Random(seed)
    return [item for _ in range(ROUNDS) for item in (*_secrets(r), *_personal(r))]


# ---------------------------------------------------------------- parsers


def _ini(text: str) -> Any:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_file(io.StringIO(text))
    return {name: sorted(parser[name]) for name in parser}


def _shell(text: str) -> Any:
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    return done.returncode


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(each) for key, each in value.items()}
    return [_shape(each) for each in value] if isinstance(value, list) else type(value).__name__


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "json": lambda text: _shape(json.loads(text)),
    "yaml": lambda text: _shape(yaml.safe_load(text)),
    "toml": lambda text: _shape(tomllib.loads(text)),
    "xml": lambda text: [each.tag for each in ElementTree.fromstring(text).iter()],
    "ini": _ini,
    "shell": _shell,
}


def _reads(parser: str, before: str, after: str) -> bool:
    """Whether a text reads after as it did before: the same keys and types."""
    try:
        return bool(PARSERS[parser](after) == PARSERS[parser](before))
    except (ValueError, yaml.YAMLError, ElementTree.ParseError, configparser.Error):
        return False


# ---------------------------------------------------------------- measure


def measure(clean: pa.Table) -> dict[str, Any]:
    """Recall by kind, parsing, look-alikes that were hit, and what was found in clean documents (a column `text`)."""
    result = _recall() | {"look_alikes": hit_look_alikes()} | _clean(clean)
    return result | {"targets": _targets(result)}


def _recall() -> dict[str, Any]:
    """How many planted values are gone: found and whole by kind, and beside them how many datatrove takes."""
    found, theirs, whole, parsed, parsable = Counter[str](), Counter[str](), Counter[str](), 0, 0
    datatrove = PIIFormatter()
    for item in planted():
        text = redact(item.text.encode(), spans_of(item.text)).decode()
        whole[item.kind] += 1
        found[item.kind] += item.value not in text
        theirs[item.kind] += item.value not in datatrove.format(item.text)
        if item.parser:
            parsable += 1
            parsed += _reads(item.parser, item.text, text)
    return {
        "kinds": {kind: [found[kind], whole[kind], theirs[kind]] for kind in whole},
        "parsed": parsed,
        "parsable": parsable,
    }


def look_alikes() -> Mapping[str, list[str]]:
    """Texts in which nothing may be replaced, by what they look like."""
    classes: Mapping[str, list[str]] = yaml.safe_load(LOOK_ALIKES.read_text(encoding="utf-8"))
    return classes


def hit_look_alikes() -> dict[str, list[int]]:
    """For each class of look-alikes how many are hit by us, how many there are, and how many datatrove hits."""
    datatrove = PIIFormatter()
    return {
        name: [
            sum(bool(spans_of(text)) for text in texts),
            len(texts),
            sum(datatrove.format(text) != text for text in texts),
        ]
        for name, texts in look_alikes().items()
    }


def found_in(documents: pa.Table) -> Iterator[tuple[bytes, Span]]:
    """Each span of documents, with the document's text."""
    texts = documents["text"]
    for first in range(0, len(texts), _BATCH):
        stream = read_stream(texts.slice(first, _BATCH))
        raw = stream.data.tobytes()
        for number, spans in enumerate(find_spans(stream)):
            text = raw[int(stream.offsets[number]) : int(stream.offsets[number + 1])]
            for span in spans:
                yield text, span


def digest_of(text: bytes, span: Span) -> str:
    """What a span's verdict is kept under: 16 hexadecimal digits of a hash over its kind and the text around."""
    around = text[max(0, span[0] - _AROUND) : span[1] + _AROUND]
    return hashlib.sha256(span[2].encode() + b"\0" + around).hexdigest()[:16]


def _clean(clean: pa.Table) -> dict[str, Any]:
    verdicts = dict(line.split() for line in VERDICTS.read_text(encoding="ascii").splitlines())
    judged: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    shown = []
    for text, span in found_in(clean):
        verdict = verdicts.get(digest_of(text, span), "none")
        judged[verdict] += 1
        kinds[f"{span[2].partition('.')[0]}, {verdict}"] += 1
        if verdict in ("false", "none"):
            shown.append(f"{span[2]}: {text[max(0, span[0] - 30) : span[1] + 10].decode('utf-8', 'replace')!r}")
    datatrove = PIIFormatter()
    replacers = (datatrove.emails_replacer, datatrove.ip_replacer)
    theirs = [0, 0]
    for text in clean["text"].to_pylist():
        for at, each in enumerate(replacers):
            hits = [match[0] for match in each.regex.finditer(text)]
            theirs[at] += sum(not each.validator or each.validator(hit) for hit in hits)
    return {
        "clean_mb": sum(len(text.encode()) for text in clean["text"].to_pylist()) / 1e6,
        "clean_judged": dict(judged),
        "clean_kinds": dict(sorted(kinds.items())),
        "clean_shown": shown,
        "clean_datatrove": {"email": theirs[0], "ip": theirs[1]},
    }


def _targets(found: Mapping[str, Any]) -> list[Held]:
    counts = {True: [0, 0], False: [0, 0]}
    for kind, (hit, number, _) in found["kinds"].items():
        total = counts[kind.startswith("secret")]
        total[0], total[1] = total[0] + hit, total[1] + number
    number = counts[True][1] + counts[False][1]
    hits, texts = (sum(each[at] for each in found["look_alikes"].values()) for at in (0, 1))
    judged = found["clean_judged"]
    rate = (judged.get("false", 0) + judged.get("none", 0)) / found["clean_mb"]
    return [
        Held("planted items", f"{number:,}", ">= 2,000", number >= 2000),
        at_least("planted secrets gone", *counts[True], 99),
        at_least("planted personal data gone", *counts[False], 97),
        at_least("configurations that read as before", found["parsed"], found["parsable"], 99.9),
        at_least("look-alikes that stay", texts - hits, texts, 99),
        Held("false replacements in clean documents, for each MB", f"{rate:.2f}", "<= 1", rate <= 1),
    ]


def table(found: Mapping[str, Any]) -> None:
    """Prints the figures."""
    print("\npersonal data and secrets: planted, gone after redaction, and gone after datatrove's")
    for kind, (hit, number, theirs) in sorted(found["kinds"].items()):
        print(f"  {kind:<34} {hit:>5} of {number:>5} {theirs:>8}")
    print(f"  read as before: {found['parsed']} of {found['parsable']}")
    print("look-alikes: hit, and hit by datatrove's")
    for name, (hit, number, theirs) in found["look_alikes"].items():
        print(f"  {name:<50} {hit:>5} of {number:>5} {theirs:>8}")
    size = found["clean_mb"]
    print(f"in {size:.1f} MB of clean documentation, judged by eye:")
    for kind, number in found["clean_kinds"].items():
        print(f"  {kind:<34} {number:>5} {number / size:>8.2f} for each MB")
    print(f"  datatrove's replaces there: {found['clean_datatrove']}; what is false, or not judged yet:")
    for line in found["clean_shown"][:SHOWN]:
        print(f"    {line}")
