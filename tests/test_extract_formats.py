"""Which format a file has: by its name, and by its first lines where the name says no more than that it is text."""

from __future__ import annotations

import pytest

from pipelines.extract.readers import format_of

RST = ".. _a:\n\nTitle\n=====\n\n.. note::\n\n   x\n"
ADOC = "git-x(1)\n========\n\nNAME\n----\n[verse]\n'git x'\n\nSee linkgit:git-y[1].\n"


@pytest.mark.parametrize(
    ("content_type", "name", "body", "expected"),
    [
        (None, "source/a.txt", RST, "rst"),
        (None, "Documentation/git-x.txt", ADOC, "asciidoc"),
        (None, "a.txt", "= Title\n:toc:\n\n== Section\n", "asciidoc"),
        (None, "a.txt", "Title\n=====\n\nText, :x: and .. y\n", "plain"),
        (None, "a.log", "== 1 ==\n.. a\n", "plain"),
        ("text/plain", "https://example.org/a.txt", RST, "rst"),
        ("text/plain", "https://example.org/a", RST, "plain"),
        (None, "README.rmd", "x", "markdown"),
        (None, "ls.ronn", "x", "markdown"),
        (None, "pom.xml", '<?xml version="1.0"?>\n<!-- <rss> -->\n<project>', "source"),
        (None, "schema/C_v1.xml", '<edmx:Edmx Version="4.0">', "source"),
        (None, "feed.xml", '<?xml version="1.0"?><rss version="2.0">', None),
        (None, "Posts.xml", "\ufeff<posts>\n<row Id='1'/>", None),
        (None, "manual.xml", '<!DOCTYPE book PUBLIC "x">\n<book>', None),
        (None, "a.xml", "", None),
        (None, "https://example.org/pom.xml", "<project>", None),
        ("application/xml", "pom.xml", "<project>", None),
        (None, "table.csv", "a,b\n", None),
        (None, "workloads/workloada", "# Workload A\n#\n\nrecordcount=1000\nworkload=site.x.Core\n", "source"),
        (None, "workloads/notes", "# Workload A\na=1\nSome text here\n\nb=2\n", None),
        (None, "LICENSE", "Copyright = all\nreserved\n", None),
        (None, "refs.bib", "@misc{a}", None),
        (None, "plot.eps", "%!PS-Adobe", None),
    ],
)
def test_formats(content_type: str | None, name: str, body: str, expected: str | None) -> None:
    assert format_of(content_type, name, body.encode()) == expected
