"""Mailboxes of persons and secrets are found; what only looks like them stays, and nothing takes for ever."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.spans import apply_edits, find_spans

# Put together here, so that no scanner of repositories takes them for real.
ACCESS_KEY = "AK" + "IA" + "Q3EGRJ7WPLX2VNTZ"
HUB_TOKEN = "gh" + "p_" + "9aK2mQ7xW4vT1zR8bN5cL3dJ6fH0gS2pYeUi"
CHAT_TOKEN = "xo" + "xb-" + "102938475610-" + "Ab3dEf6hIj9k"
LAB_TOKEN = "gl" + "pat-" + "a8Kd03mZq1Xw7Rt5Yb2n"
PRIVATE_KEY = (
    "-----BEGIN RSA " + "PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n\n"
    + "MIIEpAIBAAKCAQEA3Tz2mr7SZiAMfQyuvBjM9Oi\n" * 4
    + "-----END RSA "
    + "PRIVATE KEY-----"
)
MAILBOX = "jane.doe" + "@" + "northwind.de"


def kinds(text: str) -> list[str]:
    return [kind for _, _, kind in find_spans(text.encode())]


def redacted(text: str) -> str:
    return apply_edits(text.encode(), find_spans(text.encode())).decode()


@pytest.mark.parametrize(
    "text",
    [
        "git clone git@github.com:torvalds/linux.git",
        "spack install gcc@10.3.0",
        "dig @8.8.8.8 kernel.org",
        "Write to user@example.com or ops@host.example",
        "ssh://git@code.northwind.de/x.git",
        "https://bob@northwind.de/path",
        "key = AKIA" + "IOSFODNN7EXAMPLE",
        "AKIA" + "A" * 16,
        "ghp_" + "x" * 36,
        "root@localhost and me@mail.localdomain",
        "your.name@your-company.com",
        "The decorator @app.route, the tag @v1.2, an @-sign.",
        "-----BEGIN CERTIFICATE-----\n" + "MIIEpAIBAAKCAQEA3Tz2mr7S\n" * 4 + "-----END CERTIFICATE-----",
    ],
)
def test_what_manuals_write_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize("unit", ["wg-quick@wg0.service", "systemd-fsck@dev-sda1.service", "apt-daily@x.timer"])
def test_a_unit_of_systemd_stays(unit):
    assert redacted(f"Then enable {unit} at boot.") == f"Then enable {unit} at boot."


@pytest.mark.parametrize(
    "secret", [ACCESS_KEY, HUB_TOKEN, CHAT_TOKEN, LAB_TOKEN, PRIVATE_KEY], ids=lambda text: text[:11]
)
@pytest.mark.parametrize("around", ["It was {} once.", "```\nexport KEY={}\n```\n", "`{}`", "ключ: {}\n"])
def test_secrets_are_spans_in_prose_and_in_code(secret, around):
    assert redacted(around.format(secret)) == around.format("<SECRET>")


@pytest.mark.parametrize("around", ["Ask {} first.", "<{}>", "({})", "Größe: {}.", "- {}\n", "| {} |", "“{}”"])
def test_a_mailbox_in_prose_is_a_span(around):
    assert redacted(around.format(MAILBOX)) == around.format("<EMAIL>")


@pytest.mark.parametrize(
    "text",
    [
        f"```\nFrom: {MAILBOX}\n```\n",
        f"~~~ini\nadmin = {MAILBOX}\n~~~\n",
        f"> ```\n> {MAILBOX}\n> ```\n",
        f"Set `{MAILBOX}` there.",
        f"```\n{MAILBOX}\nthe fence is never closed",
    ],
)
def test_a_mailbox_in_code_is_none(text):
    assert kinds(text) == []


def test_a_mailbox_after_code_is_a_span():
    assert kinds(f"```\n{MAILBOX}\n```\n{MAILBOX}\n\n`code` {MAILBOX}") == ["email", "email"]


@pytest.mark.parametrize("text", [f"[Jane](mailto:{MAILBOX})", f"Author:{MAILBOX}"])
def test_a_mailbox_after_a_colon_is_a_span(text):
    assert kinds(text) == ["email"]


def test_a_secret_that_holds_a_mailbox_is_one_span():
    holder = PRIVATE_KEY.replace("Proc-Type: 4,ENCRYPTED", "Proc-Type: 4,ENCRYPTED\n")
    assert kinds(f"{holder}\n{MAILBOX}") == ["secret", "email"]


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [MAILBOX, ACCESS_KEY, HUB_TOKEN, PRIVATE_KEY, "```", "`", "\n", " ", "> ", "@", ".", "git@github.com"]
        ),
        st.text(max_size=10),
    ),
    max_size=15,
).map("".join)


@given(PIECES)
def test_spans_are_in_order_do_not_overlap_and_cut_no_character(text):
    raw = text.encode()
    at = 0
    for start, end, kind in find_spans(raw):
        assert at <= start < end <= len(raw)
        assert raw[start:end].decode()
        assert kind in ("email", "secret")
        at = end


@given(PIECES)
def test_an_edit_can_be_undone_from_its_spans_and_leaves_nothing_to_find(text):
    raw = text.encode()
    spans = find_spans(raw)
    edited = apply_edits(raw, spans)
    at, moved, pieces = 0, 0, []
    for start, end, kind in spans:
        mark = f"<{kind.upper()}>".encode()
        place = start + moved
        assert edited[place : place + len(mark)] == mark
        pieces += [edited[at:place], raw[start:end]]
        at, moved = place + len(mark), moved + len(mark) - (end - start)
    assert b"".join([*pieces, edited[at:]]) == raw
    edited.decode()


def test_no_span_is_no_edit():
    assert apply_edits(b"as it was", []) == b"as it was"


# ---------------------------------------------------------------- hostile text

_SCAN = """
import sys
from filters.spans import find_spans
head, repeated, size = sys.argv[1].encode(), sys.argv[2].encode(), int(sys.argv[3])
print(len(find_spans(head + repeated * (size // len(repeated)))))
"""
_CPU_S = 5


def scan(head: str, repeated: str, size: int = 1_000_000) -> int:
    """Number of spans of `head` and then `repeated` again and again; a scan without end is killed."""
    command = [sys.executable, "-c", _SCAN, head, repeated, str(size)]
    limit = (_CPU_S, _CPU_S)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, limit),
    )
    return int(done.stdout)


@pytest.mark.parametrize(
    ("head", "repeated"),
    [
        ("", "a@a.a@a."),
        ("", "a."),
        ("a@", "a."),
        ("@", "```\n"),
        ("@\n```x\n", "> "),
        ("", "-----BEGIN "),
        ("-----BEGIN ", "PRIVATE KEY "),
        ("@", "`a\n"),
        ("gh" + "p_", "a"),
        ("xo" + "xb-1234567890-", "-"),
    ],
)
def test_hostile_text_is_scanned_to_its_end(head, repeated):
    assert scan(head, repeated) == 0


@pytest.mark.parametrize(
    ("head", "repeated", "spans"),
    [
        pytest.param(f"{MAILBOX}\n", "`", 1, id="one-line-of-backticks"),
        pytest.param("", f"`x` {MAILBOX}\n", 1_000_000 // len(f"`x` {MAILBOX}\n"), id="much-code-and-many-mailboxes"),
        pytest.param("", "-----BEGIN " + "PRIVATE KEY-----\n", 0, id="keys-that-never-end"),
    ],
)
def test_very_hostile_text_is_scanned_to_its_end(head, repeated, spans):
    assert scan(head, repeated) == spans
