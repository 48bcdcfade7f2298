"""Threads of mailing lists: packing, MIME, charsets, quotes, signatures, patches, code and logs."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.mail.reader import extract_thread, pack_thread, unpack_thread
from pipelines.extract.mail.text import typed_markdown
from pipelines.extract.page import NoText, Page, Unreadable

LIMITS = ExtractSettings()
PARSER = MarkdownIt("commonmark").enable("table")


def mail(body: str, *, name: str = "Ann Author <ann@example.org>", hour: int = 1, **more: str) -> bytes:
    fields = {"From": name, "Date": f"Mon, 06 May 2024 {hour:02}:30:00 +0000", "Subject": "Locks"}
    fields |= {key.replace("_", "-"): value for key, value in more.items()}
    return ("".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n" + body).encode()


def read(*messages: bytes) -> Page:
    return extract_thread(pack_thread(messages), None, "list/1", LIMITS)


def said(*messages: bytes) -> str:
    """What the last message says in the page of a thread, behind the line with its author."""
    return read(*messages).text.rpartition("**")[2].partition("\n\n")[2].removesuffix("\n")


def text(body: str, **more: Any) -> str:
    return said(mail(body, **more))


def fences(markdown: str) -> list[tuple[str, str]]:
    return [(token.info, token.content) for token in PARSER.parse(markdown) if token.type == "fence"]


# ---------------------------------------------------------------- the thread


def test_a_thread() -> None:
    page = read(
        mail("A question?\n"),
        mail("An answer.\n", name='"Bo Ek via list" <list@example.org>', hour=2, Subject="Re: Locks"),
        mail("A patch.\n", name="ann at example.org (Ann Author)", hour=3, Subject="[PATCH 1/2] locks: fix"),
        mail("Nameless.\n", name="cy@example.org", hour=4, Date="no date"),
    )
    assert page.text == (
        "# Locks\n\n**Ann Author** (2024-05-06 01:30):\n\nA question?\n\n**Bo Ek** (2024-05-06 02:30):\n\nAn answer.\n\n"
        "**Ann Author** (2024-05-06 03:30): [PATCH 1/2] locks: fix\n\nA patch.\n\n**Unknown**:\n\nNameless.\n"
    )
    assert (page.title, page.date, page.authors, page.method) == (
        "Locks",
        "2024-05-06",
        ("Ann Author", "Bo Ek"),
        "mail",
    )
    assert page.found == {"date": "mail", "authors": "mail"}
    assert "@" not in page.text


def test_packing() -> None:
    messages = [b"", b"a\nb\n12\n", bytes(range(256))]
    assert unpack_thread(pack_thread(messages)) == messages
    for damaged in (
        b"none",
        pack_thread(messages)[:-3],
        b"thread 1\nx\nabc",
        b"thread 1\n99999999999999999999999\nabc",
    ):
        with pytest.raises(Unreadable, match="not_text"):
            unpack_thread(damaged)


def test_a_single_mail_and_nothing_to_say() -> None:
    assert extract_thread(mail("Alone.\n"), "message/rfc822", "x.eml", LIMITS).text.endswith("\n\nAlone.\n")
    with pytest.raises(NoText):
        read(mail("-- \nAnn\n"))
    with pytest.raises(NoText):
        read(mail("Secret.\n", X_No_Archive="Yes"))


def test_encoded_headers() -> None:
    page = read(
        mail(
            "Text.\n", name="=?iso-8859-1?Q?J=F6rg?= <j@example.org>", Subject="=?utf-8?B?TMO2Y2tz?=\n =?utf-8?Q?_on?="
        )
    )
    assert (page.title, page.authors) == ("Löcks on", ("Jörg",))


# ---------------------------------------------------------------- quotes, signatures


QUESTION = (
    "First point of a long mail that says\nhow it is and what it was before that.\n\nDoes it lock?\n\nDoes it fork?\n"
)


def quoted(body: str) -> str:
    return "".join(f"> {line}\n".replace("> \n", ">\n") for line in body.splitlines())


def test_top_posting_loses_the_quote() -> None:
    for attribution in (
        "On Mon, 6 May 2024 at 01:30, Ann Author <ann@example.org> wrote:\n",
        "On Mon, 6 May 2024 at 01:30, Ann Author\n<ann@example.org> wrote:\n\n",
        "Am 06.05.24 um 01:30 schrieb Ann Author:\n",
        "Le 6 mai 2024, Ann Author a écrit :\n",
        "",
    ):
        assert said(mail(QUESTION), mail("Yes to both.\n\n" + attribution + quoted(QUESTION))) == "Yes to both."


def test_answers_keep_what_they_answer() -> None:
    body = "Ann Author wrote:\n" + quoted(QUESTION).replace(
        "> Does it fork?\n", "\nIt does.\n\n> Does it fork?\n\nNo.\n"
    )
    assert said(mail(QUESTION), mail(body)) == "> Does it lock?\n\nIt does.\n\n> Does it fork?\n\nNo."


def test_a_quote_that_is_new_stays() -> None:
    assert said(mail("Hm.\n"), mail("See:\n\n> From another list\n> with two lines.\n")) == (
        "See:\n\n> From another list\n> with two lines."
    )


def test_nested_quotes() -> None:
    second = mail("Ann wrote:\n" + quoted("Does it lock?\n") + "\nIt does.\n")
    third = mail("Bo wrote:\n> Ann wrote:\n>> Does it lock?\n>\n> It does.\n\nThanks.\n")
    assert said(mail(QUESTION), second, third) == "> It does.\n\nThanks."


def test_a_mail_quoted_whole() -> None:
    body = f"Thanks.\n\n-----Original Message-----\nFrom: Ann\nSent: Monday\nSubject: Locks\n\n{QUESTION}"
    assert said(mail(QUESTION), mail(body)) == "Thanks."


@pytest.mark.parametrize(
    "end",
    [
        "-- \nAnn Author\nExample Ltd\n",
        "_" * 47 + "\nlocks mailing list\nlocks@lists.example.org\nhttps://lists.example.org/mailman/listinfo/locks\n",
        '--\nTo unsubscribe from this list: send the line "unsubscribe locks" in\nthe body of a message to majordomo@example.org\n',
        "-- \nYou received this message because you are subscribed to the group.\n",
    ],
)
def test_signatures_and_footers(end: str) -> None:
    assert text("Text.\n\n" + end) == "Text."


def test_a_rule_in_the_text_is_no_footer() -> None:
    assert "after it" in text("Before.\n\n" + "_" * 40 + "\n\nWhat comes after it counts.\n")


def test_a_quoted_mail_of_outlook_leaves_without_a_rule_above_it() -> None:
    flowed = " ".join(QUESTION.split("\n\n")[0].split())  # its lines are broken anew
    for head in (
        "From: List <list@example.org> On Behalf Of Ann\nSent: Monday, May 6, 2024\nTo: Bo\nSubject: Locks\n",
        "Von: Ann Author\nGesendet: Montag, 6. Mai 2024\nAn: Bo\nBetreff: Locks\n",
    ):
        body = (
            f"It does.\n\nBest regards,\nBo Ek\nExample GmbH\nPhone: +49 000 000\n\n{head}\n{flowed}\n\nDoes it lock?\n"
        )
        assert said(mail(QUESTION), mail(body)) == "It does."
    assert "From: where" in text("From: where it stands\nI could not tell.\n")


def test_farewells() -> None:
    assert text("Text.\n\nThanks,\nAnn\n") == "Text."
    assert text("Text.\n\nThanks!\n") == "Text.\n\nThanks!"
    assert "Why" in text(
        "Text.\n\nThanks,\nAnn\n\nPS: Why is it that the lock is held there for so long, at line 12 of the file?\n"
    )


# ---------------------------------------------------------------- prose, code, patches


def test_tables_of_databases_and_logs_of_tools_are_code() -> None:
    table = " id | name\n----+------\n  1 | a\n(1 row)\n"
    assert fences(text("It says\n\n" + table)) == [("", table)]
    log = "srun: error: node03: task 0: Out Of Memory in a line that is long\nslurmstepd: error: Detected 1 oom_kill event in it\n"
    assert fences(text("It says\n\n" + log)) == [("", log)]


def test_an_underlined_title_is_no_table() -> None:
    assert fences(text("Summary\n=======\nIt is slower than it was.\n")) == []


@pytest.mark.parametrize(
    "line", ["-" * 60_000 + "x", "-=" * 30_000 + "'", "|" * 60_000 + "x", "From: a\nTo: b\n" * 5_000]
)
def test_long_lines_are_read_at_once(line: str) -> None:
    start = time.process_time()
    text(f"Text.\n\n{line}\n")
    assert time.process_time() - start < 3


def test_code_and_lists_right_below_a_line_of_text() -> None:
    assert text("Run this:\n    make -j8\n    make test\nand wait.\n") == (
        "Run this:\n\n```\n    make -j8\n    make test\n```\n\nand wait."
    )
    assert text("Changes:\n- one\n- two\n") == "Changes:\n\n- one\n- two"


def test_lines_of_fields_stay_apart() -> None:
    fields = "v2: take the lock in the function itself, not in what calls it\nv1: https://lore.example.org/all/20240501/1234567890\n"
    assert text(fields) == fields.removesuffix("\n").replace("\n", "  \n")


def test_code_in_quotes_keeps_its_columns() -> None:
    made = said(mail("Hm.\n"), mail("> -\tmutex_unlock(&l);\n> +\tmutex_lock(&l);\n>  \treturn;\n\nWhy?\n"))
    assert made == "> ```diff\n> -\tmutex_unlock(&l);\n> +\tmutex_lock(&l);\n>  \treturn;\n> ```\n\nWhy?"
    assert fences(made) == [("diff", "-\tmutex_unlock(&l);\n+\tmutex_lock(&l);\n \treturn;\n")]


def test_a_change_without_its_head_is_a_diff() -> None:
    assert fences(text("How about\n\n-    free(a);\n+    put(a);\n")) == [("diff", "-    free(a);\n+    put(a);\n")]
    assert text("-   one\n-   two\n") == "-   one\n-   two"


def test_prose_flows_and_short_lines_stay() -> None:
    prose = "This is a paragraph of prose whose lines were broken by hand at\nsome column near the seventieth, and it goes on.\n"
    assert text(prose) == " ".join(prose.split())
    assert text("Ann Author\nExample Street\n") == "Ann Author  \nExample Street"
    assert text(" - one that goes\n   on\n - two\n") == "- one that goes on\n- two"


def test_code_and_logs_keep_their_lines() -> None:
    assert fences(text("Run:\n\n    make  -j8\n\n    # done\n\nand see.\n")) == [("", "    make  -j8\n\n    # done\n")]
    log = "[  12.345678] nvme: timeout\n[  12.345679] nvme:   reset\n"
    assert fences(text("It says\n\n" + log)) == [("", log)]
    assert fences(text("$ ls -l\ntotal 0\n$ exit\n")) == [("", "$ ls -l\ntotal 0\n$ exit\n")]


DIFF = """diff --git a/x.c b/x.c
index 1111111..2222222 100644
--- a/x.c
+++ b/x.c
@@ -1,5 +1,5 @@ int f(void)
 int f(void) {
-\treturn 0;
+\treturn `1`;  /* ``` */

-- 
+--
 }
"""


def test_patches_are_kept_exactly() -> None:
    message = mail(
        "Fix it.\n\nSigned-off-by: Ann Author <ann@example.org>\n---\n x.c | 2 +-\n 1 file changed\n\n"
        + DIFF
        + "-- \n2.43.0\n"
    )
    made = said(message)
    assert fences(made)[-1] == ("diff", DIFF)
    assert "2.43.0" not in made
    assert made.startswith("Fix it.\n\nSigned-off-by: ")


def test_a_patch_between_words() -> None:
    made = text("Try this:\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\nDoes it help?\n")
    assert fences(made) == [("diff", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")]
    assert made.endswith("\n\nDoes it help?")


# ---------------------------------------------------------------- MIME


def multipart(kind: str, *parts: str) -> tuple[str, str]:
    return "".join(f"--b\n{part}\n" for part in parts) + "--b--\n", f'multipart/{kind}; boundary="b"'


def test_alternatives_and_attachments() -> None:
    body, kind = multipart(
        "mixed",
        "Content-Type: text/plain\n\nThe text.",
        "Content-Type: text/html\n\n<p>The <b>text</b>.</p>",
        'Content-Type: text/x-patch; name="x.patch"\nContent-Disposition: attachment\n\n' + DIFF,
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAAA",
        'Content-Type: text/plain; name="dmesg.txt"\nContent-Disposition: attachment\n\nlong log',
    )
    made = text(body, Content_Type=kind)
    assert made.startswith("The text.\n\n")
    assert fences(made) == [("diff", DIFF)]
    assert "log" not in made


def test_patches_of_any_type_are_kept() -> None:
    body, kind = multipart(
        "mixed",
        "Content-Type: text/plain\n\nThe text.",
        'Content-Type: application/octet-stream; name="v3-0001-fix.patch"\nContent-Transfer-Encoding: base64\n\n'
        + base64.b64encode((DIFF + "-- \n2.43.0\n").encode()).decode(),
        'Content-Type: application/octet-stream; name="x.patch"\nContent-Transfer-Encoding: base64\n\nAAAA',
    )
    assert fences(text(body, Content_Type=kind)) == [("diff", DIFF)]


def test_bytes_of_old_charsets_in_headers() -> None:
    assert read(mail("Text.\n").replace(b"Ann", b"Andr\xe9")).authors == ("André Author",)


def test_only_html() -> None:
    made = text("<p>Run <code>ls</code>:</p><pre>a\n  b</pre>", Content_Type="text/html; charset=utf-8")
    assert made.startswith("Run `ls`:")
    assert fences(made) == [("", "a\n  b\n")]


def test_transfer_encodings_and_charsets() -> None:
    assert (
        text(
            "caf=C3=A9 =3D 1=\n00\n",
            Content_Transfer_Encoding="quoted-printable",
            Content_Type="text/plain; charset=utf-8",
        )
        == "café = 100"
    )
    packed = base64.b64encode("Grüße\n".encode("latin-1")).decode()
    assert text(packed, Content_Transfer_Encoding="base64", Content_Type="text/plain; charset=iso-8859-1") == "Grüße"
    japanese = "ロック".encode("iso-2022-jp").decode("ascii")
    assert text(japanese, Content_Type="text/plain; charset=iso-2022-jp") == "ロック"


def test_utf_7_is_not_decoded() -> None:
    assert text("+ADw-script+AD4-\n", Content_Type="text/plain; charset=utf-7") == "+ADw-script+AD4-"


def test_flowed_lines() -> None:
    body = "This is one \nlong line.\n> quoted \n> text here\n code\n-- \nAnn\n"
    made = text(body, Content_Type="text/plain; charset=utf-8; format=flowed")
    assert "This is one long line." in made
    assert "> quoted text here" in made
    assert "Ann" not in made


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize(
    "message",
    [
        b"From: \xff\xfe\nSubject: =?x?q?=\nDate: 99\n\nText.\n",
        b"From: " + b"<" * 5000 + b"\n\nText.\n",
        b"Subject: " + b"=?utf-8?q?" * 500 + b"\n\nText.\n",
        b'Content-Type: text/plain; charset="\xff*0\n\nText.\n',
        b"Content-Type: text/plain; charset*=x''%ff; format*0*=flowed\n\nText.\n",
        b"A: b\nContent-Transfer-Encoding: base64\n\n!!!Text.\n",
        b"A: b\nContent-Transfer-Encoding: uuencode\n\nbegin 644 x\n#\nText.\n",
        b"From: a\nDate: Mon, 06 May 99999 01:00:00 +9999\n\nText.\n",
        b"From: a\n\n" + b"> " * 50_000 + b"\nText.\n",
        b"From: a\n\n" + b"@@ -1,999999999 +1,999999999 @@\n" * 100 + b"Text.\n",
        b"From: a\n\n" + b"--- a\n+++ b\n@@ -1,9 +1,9 @@\n" * 2000 + b"Text.\n",
    ],
)
def test_damaged_mails_are_read(message: bytes) -> None:
    good = mail("Good.\n")
    assert "Good." in read(good, message).text


def test_deep_multiparts_end() -> None:
    message = b"From: a\n" + b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(3000)
    )
    assert "Good." in read(mail("Good.\n"), message + b"\nText\n").text


@given(
    st.lists(
        st.sampled_from(
            [
                "> > a",
                "> a",
                "a",
                "-- ",
                "---",
                "+++ b",
                "@@ -1,2 +1 @@",
                "+x",
                " y",
                "On a wrote:",
                "    code",
                "",
                "- item",
                "____",
                "diff --git a b",
            ]
        ),
        max_size=25,
    )
)
def test_no_text_breaks_the_reader(lines: list[str]) -> None:
    page = read(mail("Good.\n"), mail("\n".join(lines) + "\n"))
    assert page.text.startswith("# Locks\n\n**Ann Author** (2024-05-06 01:30):\n\nGood.\n")


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    assert "Good." in read(mail("Good.\n"), b"From: a\n" + body).text


def test_a_hunk_that_is_pasted_alone_is_one_block() -> None:
    hunk = "@@ -12,2 +12,3 @@\n \tring->head = head;\n-\twake(r);\n+\tif (full)\n+\t\twake(r);"
    assert typed_markdown(f"Once will do:\n\n{hunk}\n\nSigne\n") == f"Once will do:\n\n```diff\n{hunk}\n```\n\nSigne"
