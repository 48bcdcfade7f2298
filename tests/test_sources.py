"""The manifests of sources say all that a crawl or a reader needs; `syscorpus sources` tells it, and fetches nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest

from crawlers.scope import Scope
from crawlers.urls import canonical_url
from manifests.load import ManifestError, load_categories, load_recipe, load_sources
from manifests.models import CrawlSettings, ExtractSettings, LicencePolicy, Source
from pipelines.cli import main
from pipelines.extract.licences import allowed, class_of, normalised
from pipelines.sources import Asked, check, has_pages, is_complete, lacking, page_hosts

REPOSITORY = Path(__file__).parents[1]
SITES = REPOSITORY / "manifests/sites"
READERS = {
    *("dump", "file_tree", "git", "json_api", "mediawiki_dump", "oai_arxiv", "packages", "pdf_index", "pipermail"),
    *("public_inbox", "rfc_index", "stackexchange"),
}

SITE = """\
- id: guide
  name: A guide
  category: open_source_documentation
  kind: site
  format: sphinx
  status: on
  homepage: "https://docs.example.org/"
  seeds: ["https://docs.example.org/guide/"]
  scope: ['^https?://docs\\.example\\.org/guide/', '^https?://old\\.example\\.org/']
  exclude: ['[?&]print=']
  licence: CC-BY-4.0
  licence_evidence: foot of each page
  language: en
  expected_pages: 7200
  politeness: {delay_s: 2}
"""
REVIEWED = SITE.replace("status: on", "status: review\n  reason: its terms have to be read first")
CONFIRMED = REVIEWED.replace(
    "  seeds:", '  confirmed: {who: Ada, when: "2026-05-01", why: "the owner wrote to us"}\n  seeds:'
)


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return load_sources(SITES)


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(["sources", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def of(capsys, category: str, *arguments: str) -> str:
    """What a command says of the project's sources of one category."""
    code, told, _ = run(capsys, "--manifests", str(SITES / f"{category}.yaml"), *arguments)
    assert code == 0
    return told


def ours(capsys, path: Path, *arguments: str) -> tuple[int, str, str]:
    return run(capsys, "--manifests", str(path), *arguments)


def words(text: str) -> str:
    """A text as one line: where it was wrapped does not matter."""
    return " ".join(text.split())


@pytest.fixture
def manifest(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "own.yaml"
        path.write_text(text)
        return path

    return write


# ---------------------------------------------------------------- the manifests


def test_enough_sources_are_on_in_every_category(sources):
    on = [source for source in sources if source.is_on]
    assert len(on) >= 120
    assert {source.category for source in on} == set(load_categories())
    assert {source.kind for source in on} == {"site", "bulk"}


def test_enough_web_manifests_are_complete_and_no_entry_lacks_anything(sources):
    assert sum(has_pages(source) and is_complete(source) for source in sources) >= 120
    assert {source.id: lacking(source) for source in sources if not is_complete(source)} == {}


def test_no_source_is_on_whose_licence_forbids_training(sources):
    policy = LicencePolicy()
    on = [source for source in sources if source.is_on and not source.licence_each]
    assert [source.id for source in on if not allowed(source.licence, policy)] == []


def test_every_licence_is_an_expression_and_whatever_is_not_on_says_why(sources):
    stated = {source.licence for source in sources if source.licence}
    assert {licence for licence in stated if class_of(licence) == "unknown"} == set()
    assert {licence for licence in stated if normalised(licence) != licence} <= {
        licence
        for licence in stated
        if "-US" in licence  # which the parser takes for the unported one
    }
    assert [source.id for source in sources if source.status != "on" and not source.reason] == []


def test_the_entries_and_the_recipe_of_the_readme_can_be_copied(tmp_path):
    readme = (REPOSITORY / "README.md").read_text().partition("## Add a source")[2].partition("\n## ")[0]
    site, bulk, recipe = (dedent(block) for block in re.findall(r"```yaml\n(.*?) *```", readme, re.DOTALL))
    (tmp_path / "my-sources.yaml").write_text(site + bulk)
    (tmp_path / "my.yaml").write_text(recipe)
    used = load_recipe(tmp_path / "my.yaml").sources
    assert [(source.kind, source.is_on, lacking(source)) for source in used] == [("site", True, []), ("bulk", True, [])]


def test_ids_are_there_once_and_each_file_is_sorted_and_of_its_category():
    seen: Counter[str] = Counter()
    for path in sorted(SITES.glob("*.yaml")):
        ids = re.findall(r"^- id: (\w+)$", path.read_text(), re.MULTILINE)
        assert ids == sorted(ids), path.name
        assert {source.category for source in load_sources(path)} <= {path.stem}
        seen.update(ids)
    assert [name for name, times in seen.items() if times > 1] == []


def test_seeds_are_canonical_and_every_host_of_a_site_can_be_reached(sources):
    for source in sources:
        if source.kind == "site":
            for seed in source.seeds:
                assert canonical_url(seed) == seed, source.id
            scopes = " ".join(source.scope).replace("\\", "")
            assert all(host in scopes.replace("(?:www.)?", "www.") for host in source.further_hosts), source.id
            assert any(Scope(source).admits(seed) or "sitemap" in seed for seed in source.seeds), source.id


def test_bulk_sources_name_a_reader_that_is_known(sources):
    assert {source.bulk.reader for source in sources if source.bulk} == READERS


def test_no_dump_of_stack_exchange_is_newer_than_its_agreement_on_training(sources):
    dumps = [source.bulk for source in sources if source.bulk and source.bulk.reader == "stackexchange"]
    assert len(dumps) == 14
    assert all(bulk.dated == "2024-04-02" and bulk.agreement and bulk.checksums for bulk in dumps)


def test_the_full_recipe_loads_with_a_contact_and_uses_every_source_that_is_on(tmp_path, sources):
    text = (REPOSITORY / "manifests/recipes/full.yaml").read_text()
    text = text.replace("[../sites]", f"[{SITES}]").replace("  # contact:", "  contact:")
    (tmp_path / "full.yaml").write_text(text)
    used = load_recipe(tmp_path / "full.yaml").sources
    assert [source.id for source in used] == [source.id for source in sources if source.is_on]


# ---------------------------------------------------------------- the list


def test_the_list_fits_a_hundred_columns_and_its_summary_counts(capsys, sources):
    code, told, _ = run(capsys)
    assert code == 0
    assert max(map(len, told.splitlines())) <= 100
    for source in sources:
        assert re.search(rf"^  {source.id} +\w+ +{source.status}\b", told, re.MULTILINE)
    on = [source for source in sources if source.is_on]
    crawled = sum(source.kind == "site" for source in on)
    assert (
        f"{len(on)} of {len(sources)} sources are on, in 15 of 15 categories: "
        f"{crawled} crawled, {len(on) - crawled} read in bulk" in words(told)
    )
    assert "forbids training: none" in told


def test_a_list_can_be_of_one_category_licence_or_kind_or_of_what_is_on(capsys):
    told = run(capsys, "--category", "arxiv_preprints", "--on")[1]
    assert "\n  zenodo " in told and "techrxiv" not in told and "qa_forums" not in told
    told = of(capsys, "benchmarks_and_performance", "--licence", "non_commercial")
    assert "clickbench " in told and "fio_docs " not in told
    told = of(capsys, "open_source_documentation", "--licence", "Apache-2.0")
    assert "etcd_docs " in told and "ceph_docs " not in told
    told = of(capsys, "vendor_documentation", "--kind", "site", "--on")
    assert "gcp_docs " in told and "ms_azure_docs " not in told and "aws_docs " not in told


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--category", "cooking"), "--category cooking: must be one of academic_papers_ccf,"),
        (("--licence", "MTI"), "--licence MTI: no source is under it, and it is no class; classes are public_domain,"),
        (("check", "cephdocs"), "cephdocs is neither a URL nor the id of one of 478 sources; is it ceph_docs"),
        (("check", "ftp://example.org/"), "ftp://example.org/ is no http or https URL that can be fetched"),
        (("--manifests", "nowhere.yaml"), "nowhere.yaml: there is no such file"),
        (("--recipe", "nowhere.yaml", "check", "x"), "nowhere.yaml: there is no such file"),
    ],
)
def test_what_cannot_be_answered_is_one_line(capsys, sources, arguments, expected):
    code, told, error = run(capsys, *arguments)
    assert (code, told) == (1, "")
    assert error.startswith("error: " + expected.replace("478", str(len(sources))))
    assert len(error.splitlines()) == 1


def test_every_fault_of_a_manifest_is_a_line_with_its_place(capsys, manifest):
    path = manifest(SITE.replace("language: en", "langauge: en") + SITE.replace("guide\n", "other\n", 1) + SITE)
    path.write_text(path.read_text().replace("delay_s: 2}\n- id: guide", "delay_s: -2}\n- id: guide"))
    code, _, error = ours(capsys, path)
    assert code == 1
    lines = error.splitlines()
    assert lines[0].startswith(f"error: {path}:13: langauge: unknown key; allowed here: authority,")
    assert lines[1].startswith(f"error: {path}:30: politeness.delay_s: must be greater than or equal to 0")
    assert len(lines) == 2


def test_the_sources_of_a_recipe_are_listed_whether_or_not_it_could_run(capsys):
    code, told, _ = run(capsys, "--recipe", str(REPOSITORY / "manifests/recipes/full.yaml"), "check", "gcp_docs")
    assert code == 0
    assert "a request every 2 s to a host, 0.5 requests/s" in words(told)  # the recipe's, slower than the source's


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from pipelines.cli import main; main(['sources', 'check', 'gcp_docs'])\n"
        "print(sorted({'ray', 'scrapy', 'torch', 'trafilatura', 'lxml', 'fasttext'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert told.stdout.splitlines()[-1] == "[]"


# ---------------------------------------------------------------- one source


def test_a_site_is_told_with_pace_licence_and_signals(capsys, manifest):
    code, told, _ = ours(capsys, manifest(SITE), "check", "guide")
    assert code == 0
    assert max(map(len, told.splitlines())) <= 100
    for expected in (
        "fetched yes, it is on",
        "read crawled (sphinx), from https://docs.example.org/guide/",
        "but does not hold [?&]print=",
        "expected 7,200 pages; a request every 2 s to a host, 0.5 requests/s so about 4.0 hours",
        "licence CC-BY-4.0 (class attribution: may be trained on)",
        "evidence foot of each page (somebody has looked)",
        "signals robots.txt (RFC 9309: where it cannot be had, nothing is fetched)",
        "tdm-reservation, content-signal-ai-train",
    ):
        assert expected in words(told)


@pytest.mark.parametrize(
    ("politeness", "expected"),
    [
        ('{delay_s: 2, window: "22:00-02:00"}', "only from 22:00-02:00 UTC so about 1.0 days"),
        ("{delay_s: 2, pages_per_day: 720}", "at most 720 pages a day so about 10.0 days"),
        ("{delay_s: 0.25}", "a request every 1 s to a host, 1 requests/s so about 2.0 hours"),  # the recipe's is slower
    ],
)
def test_the_time_follows_from_what_a_source_asks_for(capsys, manifest, politeness, expected):
    told = ours(capsys, manifest(SITE.replace("{delay_s: 2}", politeness)), "check", "guide")[1]
    assert expected in words(told)


def test_a_recipe_takes_no_more_pages_than_it_says(manifest):
    path = manifest(SITE.replace("7200", "90000000"))
    told = check(Asked(load_sources(path), CrawlSettings(max_pages_per_source=1800), ExtractSettings()), "guide")
    assert "the recipe stops at 1,800 pages of a source (crawl.max_pages_per_source) so about 1.0 hours" in words(told)


def test_a_bulk_source_is_told_with_its_reader_and_what_it_takes(capsys):
    told = words(of(capsys, "qa_forums", "check", "serverfault"))
    assert "read in bulk (stackexchange), by the reader stackexchange, from https://archive.org/download/" in told
    assert "of 2024-04-02 handed out under: CC BY-SA alone" in told
    assert "programs are invited to it, robots.txt is not asked" in told
    told = words(of(capsys, "open_source_documentation", "check", "etcd_docs"))
    assert "names that match ^content/en/docs/ but not" in told
    assert "pages of etcd.io: known, not crawled, for the bulk has them" in told
    assert "documents, in one piece" in told


def test_what_is_not_fetched_says_why(capsys):
    told = words(of(capsys, "developer_forums", "check", "linuxquestions"))
    assert "fetched no, its status is off: its terms forbid automated crawling; nothing turns it on" in told
    told = words(of(capsys, "engineering_blogs", "check", "lwn"))
    assert "fetched no, its status is review: the licence is not confirmed" in told
    assert "a person may confirm it" in told
    assert "told from memory, nobody has looked" in told


def test_a_person_can_confirm_what_is_under_review_and_not_what_is_off(capsys, manifest):
    assert not load_sources(manifest(REVIEWED))[0].is_on
    path = manifest(CONFIRMED)
    assert load_sources(path)[0].is_on
    told = words(ours(capsys, path, "check", "guide")[1])
    assert "fetched yes, turned on by Ada on 2026-05-01: the owner wrote to us (under review, for its terms" in told
    told = words(ours(capsys, path)[1])
    assert "1 of 1 sources are on" in told and "turned on by a person (+): guide" in told
    _, _, error = ours(capsys, manifest(CONFIRMED.replace("status: review", "status: off")))
    assert "source guide is 'off': only one under review can be confirmed" in error


def test_a_confirmation_does_not_make_a_licence(capsys, manifest):
    told = words(ours(capsys, manifest(CONFIRMED.replace("CC-BY-4.0", "CC-BY-NC-4.0")))[1])
    assert "on although the class of the licence forbids training: guide" in told


def test_an_entry_that_says_too_little_is_told_what_it_lacks(capsys, manifest):
    text = re.sub(r"(?m)^  (?:language|expected_pages|politeness):.*\n", "", SITE)
    told = words(ours(capsys, manifest(text))[1])
    assert "0 of 1 web manifests are complete" in told
    assert "guide lacks language, expected_pages, politeness.delay_s of 1 or more" in told


# ---------------------------------------------------------------- one URL


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://docs.example.org/guide/a", "https://docs.example.org/guide/a in the scope of guide: guide: A guide"),
        ("HTTPS://docs.Example.org:443/x/../guide/#a", "(the canonical form of HTTPS://docs.Example.org:443/"),
        (
            "https://docs.example.org/guide/a?print=1",
            "guide has it in scope, and refuses it by its exclusion [?&]print=",
        ),
        ("https://docs.example.org/blog/", "guide lists its host, and has it out of scope: ^https?://docs"),
        ("https://old.example.org/", "guide has it in scope, and does not list its host: name it under further_hosts"),
        ("https://example.com/", "no source lists the host example.com: nothing of it is fetched"),
        ("https://docs.example.org/guide/a.zip", "its ending says that it holds no page: no crawl fetches it"),
    ],
)
def test_a_url_is_told_who_takes_it_or_why_nobody_does(capsys, manifest, url, expected):
    code, told, _ = ours(capsys, manifest(SITE), "check", url)
    assert code == 0
    assert expected in words(told)


def test_a_url_of_what_is_read_in_bulk_is_not_crawled(sources):
    asked = Asked(sources, CrawlSettings(), ExtractSettings())
    told = words(check(asked, "https://docs.ceph.com/en/latest/rados/"))
    assert "in the scope of ceph_docs" in told and "known, not crawled, for the bulk has them" in told
    assert "in the scope of ceph_docs" in words(check(asked, "https://github.com/ceph/ceph"))
    assert "ceph_docs" not in check(asked, "https://github.com/ceph/ceph-csi")


def test_what_is_said_of_a_url_is_what_the_crawler_does(sources):
    asked = Asked(sources, CrawlSettings(), ExtractSettings())
    for url in ("https://elinux.org/Main_Page", "https://elinux.org/index.php?title=x", "https://www.gnu.org/manual/"):
        takers = [s.id for s in sources if has_pages(s) and Scope(s).admits(url) and url.split("/")[2] in page_hosts(s)]
        told = re.findall(r"in the scope of (\w+):", check(asked, url))
        assert told == takers


def test_a_source_that_is_no_url_and_no_id_raises(sources):
    with pytest.raises(ManifestError, match="neither a URL nor the id"):
        check(Asked(sources, CrawlSettings(), ExtractSettings()), "nobody knows")
