"""A thread as Markdown: every post is there, its code as it was written."""

from __future__ import annotations

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from crawlers.bulk.stackexchange import Comment, Post, Thread
from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.questions import extract_question

LIMITS = ExtractSettings()


def post(number: int, body: str, *comments: str, score: int = 0, changed: str = "") -> Post:
    said = tuple(Comment(0, text, "CC-BY-SA-4.0") for text in comments)
    return Post(number, score, f"2014-01-0{number}T00:00:00.000", changed, f"user {number}", "CC-BY-SA-3.0", body, said)


def thread(question: Post, *answers: Post, accepted: int = 0, title: str = "Why?", closed: str = "") -> Thread:
    return Thread(title, ("linux", "bash"), accepted, closed, question, answers)


def extract(found: Thread) -> Page:
    return extract_question(found.payload(), None, "dump", LIMITS)


def fences(text: str) -> list[tuple[str, str]]:
    return [(each.info, each.content) for each in MarkdownIt("commonmark").parse(text) if each.type == "fence"]


def test_a_whole_thread() -> None:
    page = extract(
        thread(
            post(
                1,
                "<p>How do I list?</p>\n\n<pre><code>ls -l\n</code></pre>\n",
                "Which shell?",
                "See [man](http://x.y/z).",
            ),
            post(3, "<p>So:</p><h1>First</h1><h3>Then</h3><p>Use <code>ls</code>.</p>", score=12),
            post(2, "<p>Never.</p>", score=-3),
            accepted=3,
            closed="2020-02-02T01:02:03.000",
        )
    )
    assert page.text == (
        "# Why?\n\nTags: linux, bash\n\nClosed: 2020-02-02\n\nHow do I list?\n\n```\nls -l\n```\n\n"
        "Comments:\n\n- Which shell?\n- See man.\n\n"
        "## Answer (score 12, accepted)\n\nSo:\n\n### First\n\n##### Then\n\nUse `ls`.\n\n"
        "## Answer (score -3)\n\nNever.\n"
    )
    assert (page.title, page.method, page.licence) == ("Why?", "questions", "CC-BY-SA-3.0 AND CC-BY-SA-4.0")
    assert page.authors == ("user 1", "user 3", "user 2")
    assert page.date == "2014-01-03T00:00:00.000"


def test_the_date_is_the_last_change() -> None:
    assert extract(thread(post(1, "x", changed="2022-05-05T00:00:00.000"), post(2, "y"))).date[:4] == "2022"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h2>a</h2><h3>b</h3>", "## a\n\n### b"),
        ("<h1>a</h1><h6>b</h6>", "## a\n\n###### b"),
        ("<h4>a</h4>", "## a"),
    ],
)
def test_headings_stand_below_the_question(body: str, expected: str) -> None:
    assert extract(thread(post(1, body))).text.partition("bash\n\n")[2] == expected + "\n"


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("two\nlines", "two lines"),
        ('`[a](http://b.c)` and [d `e`](https://f.g "h")', "`[a](http://b.c)` and d `e`"),
        ("# no heading", "\\# no heading"),
        ("a[0](x)", "a[0](x)"),
    ],
)
def test_comments(comment: str, expected: str) -> None:
    assert extract(thread(post(1, "x", comment))).text.endswith(f"Comments:\n\n- {expected}\n")


code = st.text(st.sampled_from("`~ \t\n<>/&;#*-_|\\ab1.é日"), min_size=1).filter(lambda text: text.strip())


@settings(max_examples=60, deadline=None)
@given(blocks=st.lists(code, min_size=1, max_size=4), comment=code)
def test_code_is_as_it_was_written(blocks: list[str], comment: str) -> None:
    pres = [
        f'<p>x</p><pre class="lang-sh prettyprint-override"><code>{html.escape(each)}</code></pre>' for each in blocks
    ]
    page = extract(thread(post(1, pres[0], comment), *(post(2, each) for each in pres[1:])))
    assert fences(page.text) == [("sh", each.removesuffix("\n") + "\n") for each in blocks]


def test_no_text() -> None:
    with pytest.raises(NoText):
        extract(thread(post(1, " "), post(2, "<script>x</script>")))


@pytest.mark.parametrize("body", [b"{}", b"[[[[", b"\xff\xfe", b'{"title":"x"}'])
def test_other_bytes_are_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        extract_question(body, None, "dump", LIMITS)
    assert caught.value.reason == "parser_error"


def test_hostile_posts_meet_the_limits() -> None:
    for body, reason in (("<div>" * 5000, "too_deep"), ("<br>" * 1_000_001, "too_many_tags")):
        with pytest.raises(Unreadable) as caught:
            extract(thread(post(1, body)))
        assert caught.value.reason == reason
