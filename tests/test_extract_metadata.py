"""What a page says of itself is read where it stands, and nothing is made up of what can be read in two ways."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract.html.metadata.date import iso_date, stated_dates
from pipelines.extract.html.metadata.jsonld import MAX_CHARACTERS, read_linked
from pipelines.extract.html.metadata.licence import spdx_of_text, spdx_of_url, spdx_of_value
from pipelines.extract.html.metadata.page import Element, Metadata, read_metadata

URL = "https://docs.example.org/guide/pods.html"


def meta(name: str, content: str, key: str = "name") -> Element:
    return Element("meta", {key: name, "content": content})


def linked(*values: Any) -> list[Element]:
    return [Element("script", {"type": "application/ld+json"}, json.dumps(value)) for value in values]


def read(*elements: Element, url: str = URL) -> Metadata:
    return read_metadata(elements, url)


# ---------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01T23:59:59-08:00", "2024-05-01"),
        ("2024-05-01 10:11:12 UTC", "2024-05-01"),
        ("20240501", "2024-05-01"),
        ("20240501T101112Z", "2024-05-01"),
        ("2024/5/1", "2024-05-01"),
        ("2024.05.01", "2024-05-01"),
        ("2024-05", "2024-05"),
        ("2024", "2024"),
        ("May 1, 2024", "2024-05-01"),
        ("Sept. 3rd, 2024", "2024-09-03"),
        ("Wednesday,\n 1st of May 2024", "2024-05-01"),
        ("01-May-2024", "2024-05-01"),
        ("Wed, 01 May 2024 12:00:00 GMT", "2024-05-01"),
        ("Tue Sep  3 12:00:00 2024 +0200", "2024-09-03"),
        ("Tue Sep 3 12:00:00 UTC 2024", "2024-09-03"),
        ("$Date: 2024/05/01 10:00:00 $", "2024-05-01"),
        ("2024年5月1日", "2024-05-01"),
        ("May 2024", "2024-05"),
        ("25/12/2024", "2024-12-25"),
        ("12/25/2024", "2024-12-25"),
        ("05.05.2024", "2024-05-05"),
        # Two readings, no such day, nobody's date, or no date at all.
        ("03/04/2024", ""),
        ("2024-02-30", ""),
        ("2024-13-01", ""),
        ("0001-01-01T00:00:00Z", ""),
        ("1970-01-01T00:00:00Z", ""),
        ("3024-01-01", ""),
        ("2019-2020", ""),
        ("10.2.2024-05-01", ""),
        ("May", ""),
        ("1714521600", ""),
        ("{{ page.date }}", ""),
        ("", ""),
    ],
)
def test_dates(written: str, expected: str) -> None:
    assert iso_date(written) == expected


@pytest.mark.parametrize(
    ("text", "changed", "published"),
    [
        ("© 2020 ACME. Last updated on Sep 03, 2024. Created using Sphinx 7.1.", "2024-09-03", ""),
        ("This page was last edited on 3 May 2024, at 10:11.", "2024-05-03", ""),
        ("Last modified: 2024/05/01 12:00 by admin", "2024-05-01", ""),
        ("Last updated 2024-05-01 10:00:00 UTC", "2024-05-01", ""),
        ("Published: Jan 1, 2020 · Updated: March 2, 2023", "2023-03-02", "2020-01-01"),
        ("最后更新于 2024年5月1日", "2024-05-01", ""),
        ("Last updated 2 days ago, built 2024-05-01", "", ""),
        ("The update of 2024-05-01 broke it", "", ""),
        ("Copyright 2024", "", ""),
    ],
)
def test_dates_in_sentences(text: str, changed: str, published: str) -> None:
    assert stated_dates(text) == (changed, published)


@given(st.dates(date(1971, 1, 1), date(2099, 12, 31)))
def test_every_day_in_every_form(day: date) -> None:
    month = day.strftime("%B")
    for written in (
        day.isoformat(),
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month[:3]} {day.year}",
        f"{day:%Y%m%d}",
    ):
        assert iso_date(written) == day.isoformat()


def test_the_last_change_is_the_date() -> None:
    published, modified = (
        meta("article:published_time", "2024-01-02T10:00:00Z", "property"),
        meta("last-modified", "2 May 2024"),
    )
    page = read(published, modified)
    assert (page.date, page.found["date"]) == ("2024-05-02", "last-modified")
    assert read(published).date == "2024-01-02"
    assert read(published, meta("last-modified", "2 May 1999")).date == "2024-01-02"
    assert read(published, meta("last-modified", "03/04/2024")).found["date"] == "article:published_time"
    assert (
        read(Element("time", {"itemprop": "dateModified", "datetime": "2024-05-02"}, "yesterday")).date == "2024-05-02"
    )
    assert read(Element("span", {"class": "git-revision-date"}, "\n May 1, 2024 \n")).date == "2024-05-01"


def test_times_of_a_list_are_not_the_date_of_the_page() -> None:
    times = [Element("time", {"datetime": f"2024-05-{day:02}T10:00:00Z"}) for day in (1, 2, 3)]
    assert read(*times).date == ""
    assert read(times[0], times[0]).date == "2024-05-01"
    assert (
        read(*times, Element("time", {"datetime": "2024-04-04", "class": "entry-date published"})).date == "2024-04-04"
    )


# ---------------------------------------------------------------- licences


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("Documentation Distributed under CC BY 4.0", "CC-BY-4.0"),
        ("user contributions licensed under CC BY-SA. rev 2025.1", "CC-BY-SA"),
        ("licensed under the CC-BY-NC-SA-4.0 license", "CC-BY-NC-SA-4.0"),
        ("available under the Creative Commons Attribution-ShareAlike 4.0 License;", "CC-BY-SA-4.0"),
        ("a Creative Commons Attribution-Noncommercial-Share alike 3.0 United States License", "CC-BY-NC-SA-3.0"),
        ("Creative Commons Attribution NonCommercial NoDerivatives 4.0 International", "CC-BY-NC-ND-4.0"),
        ("To the extent possible, released under CC0", "CC0-1.0"),
        (
            "licensed under the Creative Commons Attribution 4.0 License, and code samples under the Apache 2.0 License.",
            "CC-BY-4.0 AND Apache-2.0",
        ),
        ("Licensed under either of Apache License, Version 2.0 or MIT license at your option", "Apache-2.0 OR MIT"),
        (
            "under the terms of the GNU Free Documentation License, Version 1.3 or any later version",
            "GFDL-1.3-or-later",
        ),
        ("available under GNU Free Documentation License 1.3", "GFDL-1.3-only"),
        ("released under GPLv2+", "GPL-2.0-or-later"),
        ("licensed under the GNU General Public License (GPL), version 3", "GPL-3.0-only"),
        ("ACME is licensed under the 3-Clause BSD License.", "BSD-3-Clause"),
        ("License: MIT", "MIT"),
        ("Content available under a Creative Commons license.", ""),
        ("Copyright 2024 ACME. All rights reserved. MIT Press", ""),
        ("We compare the MIT License and GPL-3.0.", ""),
        ("Runs on Apache 2.4, under Linux", ""),
        ("cc by email", ""),
        ("", ""),
    ],
)
def test_licences_in_sentences(text: str, licence: str) -> None:
    assert spdx_of_text(text) == licence


@pytest.mark.parametrize(
    ("url", "licence"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("HTTP://www.creativecommons.org/licenses/by-sa/4.0/deed.fr", "CC-BY-SA-4.0"),
        ("https://creativecommons.org/licenses/by-sa/3.0/us/legalcode", "CC-BY-SA-3.0-US"),
        ("https://creativecommons.org/licenses/by-nc-nd/2.5/", "CC-BY-NC-ND-2.5"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/licenses/", ""),
        ("https://www.apache.org/licenses/LICENSE-2.0.html", "Apache-2.0"),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("https://www.gnu.org/licenses/fdl-1.3.html", "GFDL-1.3-only"),
        ("https://www.gnu.org/copyleft/fdl.html", "GFDL"),
        ("https://spdx.org/licenses/GFDL-1.3-or-later.html", "GFDL-1.3-or-later"),
        ("https://example.org/creativecommons.org/licenses/by/4.0/", ""),
        ("https://example.org/LICENSE", ""),
    ],
)
def test_licence_addresses(url: str, licence: str) -> None:
    assert spdx_of_url(url) == licence


def test_where_the_licence_stands() -> None:
    by = Element("a", {"rel": "license", "href": "//creativecommons.org/licenses/by/4.0/"}, "CC")
    page = read(Element("footer", {}, "Licensed under the MIT License"), by)
    assert (page.licence, page.found["licence"]) == ("CC-BY-4.0", "rel=license")
    assert (
        read(*linked({"@type": "TechArticle", "license": {"@id": "https://opensource.org/licenses/MIT"}})).licence
        == "MIT"
    )
    assert read(meta("dcterms.license", "CC BY-SA 4.0")).licence == "CC-BY-SA-4.0"
    assert read(meta("dc.rights", "Apache License 2.0")).licence == "Apache-2.0"
    assert read(meta("copyright", "Copyright (c) ACME")).licence == ""
    assert read(meta("copyright", "ACME, licensed under CC BY 4.0")).licence == "CC-BY-4.0"
    assert (
        read(Element("a", {"href": "https://creativecommons.org/licenses/by-sa/4.0/"}, "CC")).licence == "CC-BY-SA-4.0"
    )
    # One that is named with its version counts more than one without, and that more than an unknown address.
    gfdl = Element("link", {"rel": "license", "href": "https://www.gnu.org/copyleft/fdl.html"})
    assert read(gfdl).licence == "GFDL"
    assert (
        read(gfdl, Element("div", {}, "under GNU Free Documentation License 1.3 or later")).licence
        == "GFDL-1.3-or-later"
    )
    terms = Element("link", {"rel": "license", "href": "/terms"})
    assert read(terms).licence == "https://docs.example.org/terms"
    assert read(terms, Element("div", {}, "Licensed under CC BY 4.0")).licence == "CC-BY-4.0"


def test_a_list_of_licences_is_no_licence() -> None:
    names = ("by", "by-sa", "by-nc", "by-nd")
    links = [
        Element("a", {"rel": "license", "href": f"https://creativecommons.org/licenses/{name}/4.0/"}) for name in names
    ]
    assert read(*links[:2]).licence == "CC-BY-4.0 AND CC-BY-SA-4.0"
    assert read(*links).licence == ""


# ---------------------------------------------------------------- title, authors, address


@pytest.mark.parametrize(
    ("whole", "short", "title"),
    [
        ("Pods | Kubernetes", "Pods", "Pods"),
        ("Pods — Kubernetes 1.30", "Pods", "Pods"),
        ("shell - How to join files? - Unix Stack Exchange", "How to join files?", "How to join files?"),
        ("Manual » Pods", "Pods", "Pods"),
        ("Podsecurity | Kubernetes", "Pods", "Podsecurity | Kubernetes"),
        ("x-ray vision", "x", "x-ray vision"),
        ("Foo: the long way", "Foo", "Foo: the long way"),
        # The name of a site stands last; so does a title behind the name of its book, which says more.
        ("Pods | Kubernetes", "Kubernetes", "Pods | Kubernetes"),
        ("PostgreSQL: Documentation: 18: Indexes", "Indexes", "PostgreSQL: Documentation: 18: Indexes"),
        ("Pods | Kubernetes", "Something else", "Pods | Kubernetes"),
        ("", "Pods", "Pods"),
        (" A\n <b> e\u0301\x00 ", "", "A <b> é"),
    ],
)
def test_titles(whole: str, short: str, title: str) -> None:
    assert read(Element("title", {}, whole), meta("og:title", short, "property")).title == title
    assert read(Element("title", {}, whole), *linked({"@type": "Article", "headline": short})).title == title


def test_first_title_counts() -> None:
    page = read(Element("title", {}, "  "), Element("title", {}, "Pods"), Element("title", {}, "Icon"))
    assert (page.title, page.found["title"]) == ("Pods", "title")


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("By Jane Doe", ("Jane Doe",)),
        ("Jane Doe, John Q. Public and Ada Lovelace", ("Jane Doe", "John Q. Public", "Ada Lovelace")),
        ("Doe, Jane", ("Doe, Jane",)),
        ("Jane Doe; John Public; Jane Doe", ("Jane Doe", "John Public")),
        ("Bureau of Labor and Social Affairs", ("Bureau of Labor and Social Affairs",)),
        ("Jane Doe <jane@example.org>", ("Jane Doe",)),
        ("jane@example.org", ()),
        ("https://www.facebook.com/acme", ()),
        ("admin", ()),
        ("The PostgreSQL Global Development Group", ("The PostgreSQL Global Development Group",)),
        ("Byron Bay", ("Byron Bay",)),
        ("x" * 200, ()),
    ],
)
def test_authors(written: str, names: tuple[str, ...]) -> None:
    assert read(meta("author", written)).authors == names


def test_where_authors_stand() -> None:
    graph = {
        "@graph": [
            {"@type": "Article", "author": {"@id": "#jane"}},
            {"@type": "Person", "@id": "#jane", "name": "Jane Doe"},
        ]
    }
    assert read(*linked(graph), meta("author", "Someone Else")).authors == ("Jane Doe",)
    papers = [meta("citation_author", "Doe, Jane"), meta("citation_author", "Public, John")]
    assert read(*papers).authors == ("Doe, Jane", "Public, John")
    byline = Element("a", {"rel": "author", "href": "/jane"}, "\n Jane Doe\n 47k gold badges\n")
    assert read(byline, Element("a", {"rel": "author"}, "Answerer")).authors == ("Jane Doe",)
    assert read(Element("p", {"class": "byline"}, "By Jane Doe | May 1, 2024")).authors == ("Jane Doe",)
    assert read(Element("span", {"itemprop": "author"}, "Jane Doe")).found["authors"] == "itemprop"


def test_canonical() -> None:
    link = Element("link", {"rel": "Canonical", "href": " ../pods/?a=b#c "})
    assert read(link).canonical == "https://docs.example.org/pods/?a=b"
    assert read(Element("base", {"href": "/base/"}), link).canonical == "https://docs.example.org/pods/?a=b"
    assert (
        read(Element("base", {"href": "https://other.example/x/y/"}), link).canonical
        == "https://other.example/x/pods/?a=b"
    )
    page = read(
        meta("og:url", "https://docs.example.org/a", "property"),
        Element("link", {"rel": "canonical", "href": "{{ url }}"}),
    )
    assert (page.canonical, page.found["canonical"]) == ("https://docs.example.org/a", "og:url")
    for wrong in (
        "javascript:alert(1)",
        "ftp://x.example/",
        "http://localhost:1313/a",
        "http://127.0.0.1/",
        "",
        "https://",
    ):
        assert read(Element("link", {"rel": "canonical", "href": wrong})).canonical == ""
    assert read(Element("link", {"rel": "canonical", "href": "/a"}), url="manual/pods.html").canonical == ""


def test_language() -> None:
    assert read(Element("html", {"lang": "pt_BR"})).language == "pt-BR"
    assert read(Element("html", {"lang": "{{ lang }}"})).language == ""


# ---------------------------------------------------------------- opt-outs


def test_opt_outs() -> None:
    page = read(
        Element("meta", {"name": " ROBOTS ", "content": "noai, NOINDEX;noarchive"}),
        meta("robots", "nosnippet nofollow"),
        meta("robots", "max-image-preview:standard, unavailable_after: 25 Jun 2030 15:00:00 PST"),
        meta("syscorpus", "noimageai"),
        meta("googlebot", "none"),
        meta("googlebot-news", "noindex"),
        meta("tdm-reservation", "1"),
        meta("tdm-policy", "https://example.org/policy.json"),
        Element("link", {"rel": "license", "type": "application/rsl+xml", "href": "/license.xml"}),
    )
    assert page.opt_out == (
        *("max-image-preview:standard", "noai", "noarchive", "nofollow", "noimageai", "noindex", "nosnippet"),
        *("rsl-licence", "tdm-policy", "tdm-reservation", "unavailable_after: 25 jun 2030 15:00:00 pst"),
    )
    assert page.licence == ""
    assert read(meta("tdm-reservation", "0")).opt_out == ("tdm-reservation-0",)
    assert read(meta("tdm-reservation", "2")).opt_out == ()
    assert read(Element("script", {"type": "application/rsl+xml"}, "<rsl/>")).opt_out == ("rsl-licence",)


def test_a_paywall_is_noted() -> None:
    assert read(*linked({"@type": "NewsArticle", "isAccessibleForFree": "False"})).found["paywall"] == "json-ld"
    assert "paywall" not in read(*linked({"@type": "NewsArticle", "isAccessibleForFree": True})).found


# ---------------------------------------------------------------- JSON-LD


def test_a_work_speaks_before_its_web_page_and_others_not_at_all() -> None:
    page = {"@type": ["WebPage", "FAQPage"], "dateModified": "2020-02-02", "datePublished": "2020-01-01"}
    work = {"@type": "https://schema.org/TechArticle", "dateModified": "2024-05-01", "headline": "Pods &amp; more"}
    comment = {"@type": "Comment", "author": "Someone", "dateModified": "2025-01-01"}
    site = {"@type": "WebSite", "license": "https://opensource.org/licenses/MIT", "author": "Owner"}
    found = read_linked([json.dumps({"@graph": [site, page, comment, work]})])
    assert (found.modified, found.published, found.headline) == ("2024-05-01", "2020-01-01", "Pods & more")
    assert (found.authors, found.licence) == ((), "")
    question = {
        "@type": "QAPage",
        "mainEntity": {"@type": "Question", "author": {"name": "Jane"}, "dateCreated": "2024-01-01"},
    }
    assert read_linked([json.dumps(question)]).authors == ("Jane",)


@pytest.mark.parametrize(
    "script",
    [
        '<!-- {"@type": "Article", "author": "Jane Doe"} -->',
        '//<![CDATA[\n{"@type": "Article", "author": "Jane Doe"}\n//]]>',
        '/*<![CDATA[*/ {"@type": "Article", "author": "Jane Doe"} /*]]>*/',
        '{"@type": "Article", "author": "Jane Doe"};',
        '{"@type": "Article", "description": "a\nb\tc", "author": ["Jane Doe"]}',
        '[[{"@type": "Article", "author": [{"@type": "Person", "name": ["Jane Doe"]}]}]]',
    ],
)
def test_json_ld_as_it_is_written(script: str) -> None:
    assert read_linked([script]).authors == ("Jane Doe",)


@pytest.mark.parametrize(
    "script",
    [
        "",
        '{"author": ',
        '"author"',
        '{"author": null, "@type": {"a": []}, "license": [[]], "headline": 5, "datePublished": [7]}',
        '{"@type": "Article", "author": {"name": {"name": 1}}, "license": {"@id": 5}, "headline": [], "@id": []}',
        '{"@type": "Article", "author": {"@id": "#a"}, "@id": "#a"}',
        '{"@graph": {"author": 1}, "mainEntity": [1]}',
        '{"author":' + "[" * 100_000,
        '{"author":' + '{"a":' * 100_000,
        '{"author": ' + "9" * 100_000 + "}",
        '{"@type": "Article", "author": "' + "x" * MAX_CHARACTERS + '"}',
    ],
)
def test_hostile_json_ld_says_nothing(script: str) -> None:
    found = read_linked([script])
    assert (found.headline, found.modified, found.published, found.authors, found.licence) == ("", "", "", (), "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["@type", "@id", "@graph", "author", "name", "license", "dateModified", "headline", "mainEntity", "url"]
            ),
            inner | st.sampled_from(["Article", "WebPage", "2024-01-01", "https://opensource.org/licenses/MIT"]),
            max_size=6,
        )
    ),
    max_leaves=25,
)
names = st.sampled_from(["title", "meta", "link", "base", "html", "time", "a", "script", "span", "footer", "p"])
values = st.text(max_size=40) | st.sampled_from(
    [
        "license",
        "canonical",
        "author",
        "dateModified",
        "robots",
        "og:url",
        "og:title",
        "2024-05-01",
        "//[",
        "http://a:b@c.d/#",
        "x.y",
        "1",
        "\ud800",
    ]
)
attributes = st.dictionaries(
    st.sampled_from(["name", "property", "content", "rel", "href", "itemprop", "class", "type", "datetime", "lang"]),
    values,
    max_size=4,
)
elements = st.builds(Element, names, attributes, values | json_values.map(json.dumps))


@given(st.lists(elements, max_size=12), st.sampled_from([URL, "", "file.html", "http://["]))
def test_no_page_makes_it_fail(page: list[Element], url: str) -> None:
    found = read_metadata(page, url)
    for text in (found.title, found.date, found.canonical, found.licence, *found.authors):
        assert text == text.strip()
        assert "\n" not in text
        text.encode()
    assert set(found.found) <= {"title", "date", "authors", "canonical", "licence", "paywall"}
    assert all(getattr(found, column) for column in found.found if column != "paywall")


def test_values() -> None:
    assert spdx_of_value("MIT") == "MIT"
    assert spdx_of_value("//opensource.org/licenses/MIT") == "MIT"
    assert spdx_of_value("apache-2.0") == "Apache-2.0"
    assert spdx_of_value("All rights reserved") == ""
