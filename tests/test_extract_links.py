"""The targets of links, where a recipe keeps them; by default none is in a text."""

from __future__ import annotations

import pytest

from manifests.models import ExtractSettings
from pipelines.extract.readers import read

KEEPING = ExtractSettings(keep_links=True)


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        (
            "a.md",
            "[one](https://a.example/x_(y)), <https://b.example/>, [two][1], [three](other.md)\n\n[1]: https://c.example/\n",
            "[one](https://a.example/x_%28y%29), <https://b.example/>, [two](https://c.example/), three\n",
        ),
        (
            "a.rst",
            "`one <https://a.example/>`_, two_, https://c.example/, `three <other.html>`_\n\n.. _two: https://b.example/\n",
            "[one](https://a.example/), [two](https://b.example/), <https://c.example/>, three\n",
        ),
        (
            "a.adoc",
            "https://a.example/[one], link:https://b.example/?x=1&y=2[two], https://c.example/ and link:other.html[three]\n",
            "[one](https://a.example/), [two](https://b.example/?x=1&y=2), https://c.example/ and three\n",
        ),
        ("a.html", "<main><a href='https://a.example/'>one</a>, <a href='/two'>two</a>", "[one](https://a.example/), two\n"),
    ],
)  # fmt: skip
def test_links_of_each_format(name: str, body: str, text: str) -> None:
    kept = read(body.encode(), None, name, KEEPING).text
    assert kept == text
    dropped = read(body.encode(), None, name, ExtractSettings()).text
    assert "](" not in dropped
