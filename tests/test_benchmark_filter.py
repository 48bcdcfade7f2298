"""The judge of the filter: what counts as a document, what is kept, and whether the figures are what they say."""

import io
import json
import shutil
import subprocess
import tarfile
import time

import pytest

from benchmarks.extract.report import Held
from benchmarks.filter import canonical, keep, memory, real, targets
from benchmarks.filter.__main__ import main
from benchmarks.filter.documents import batches, documents, page_of, row, text_bytes
from benchmarks.filter.profiler import profile
from benchmarks.filter.verdicts import datatrove_keeps, datatrove_stops, losses, sample, whole
from filters.stream import hash_words

SENTENCES = (
    "The daemon reads its settings when it starts and again when it receives a hangup signal.",
    "Each worker holds one connection to the store, and gives it back after the request.",
    "A lease that is not renewed in time expires, and another node may then become the leader.",
    "Use the option to print what would be changed without changing anything on disk.",
    "Errors go to the journal with the unit's name, so that a failed start can be found later.",
    "The kernel wakes one waiter for each event, which keeps the queue short under load.",
)


def prose(number):
    """A sound document of its own."""
    picked = [SENTENCES[(number + step) % len(SENTENCES)] for step in range(5)]
    return f"# Chapter {number}\n\n" + "\n\n".join(f"{each} See section {number}." for each in picked) + "\n"


def page(text, generator="sphinx"):
    html = "<html><body><main><h1>T</h1><p>" + text + "</p></main></body></html>"
    made, why = page_of(html.encode(), "text/html", "https://docs.example/a.html")
    assert made is not None, why
    return made


def rows(texts):
    made = []
    for number, text in enumerate(texts):
        each = row(page("words"), f"https://docs.example/{number}", "a" if number % 2 else "b", "engineering_blogs")
        made.append({**each, "text": text})
    return made


@pytest.mark.parametrize(
    ("name", "generator", "kind"),
    [
        ("search.html", "sphinx", "search"),
        ("genindex-all.html", "sphinx", "index"),
        ("py-modindex.html", "", "index"),
        ("functions_vars_r.xhtml", "doxygen", "index"),
        ("functions_vars_r.xhtml", "sphinx", ""),
        ("classpkgCache-members.xhtml", "doxygen", "index"),
        ("dir_856682b7343e2fce05054666afdef0e7.html", "doxygen", "index"),
        ("structrte__flow__tcp__dir__param.html", "doxygen", ""),
        ("package-summary.html", "javadoc", ""),
        ("package-tree.html", "javadoc", "index"),
        ("Concept-Index.html", "texinfo", "index"),
        ("git-index-pack.html", "asciidoctor", ""),
        ("index.html", "sphinx", ""),
        ("ch-option_index.html", "exim", "index"),
    ],
)
def test_pages_of_a_generators_own_tables_stand_apart(name, generator, kind):
    assert canonical.apart(name, generator, prose(1), b"") == kind


@pytest.mark.parametrize(
    ("text", "body", "kind"),
    [
        ("The node you are looking for is at [The zpty Module](x.html).\n", b"", "redirect"),
        ("# Moved\n\nGo there.\n", b'<meta http-equiv="refresh" content="0; url=x">', "redirect"),
        (prose(1), b'<meta http-equiv="refresh" content="600">', ""),
        (
            "# Part 2. Basics\n\n## A title that is long but is nothing beside a heading of a page that is empty\n",
            b"",
            "stub",
        ),
        ("# F\n\n" + "word " * canonical.OWN_WORDS, b"", ""),
        ("# F\n\n" + "word " * (canonical.OWN_WORDS - 1), b"", "stub"),
    ],
)
def test_pages_without_words_of_their_own_stand_apart(text, body, kind):
    assert canonical.apart("a.html", "sphinx", text, body) == kind


def make_package(cache, name, files):
    root = cache / f"tree-{name}"
    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: none\nDescription: test\n"
    for path, content in {"DEBIAN/control": control, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    (cache / "debs").mkdir(exist_ok=True)
    deb = cache / f"debs/{name}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, deb], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb")
def test_pages_of_a_package_are_read_once_and_anew_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(canonical, "entries", list)
    monkeypatch.setattr(
        canonical, "_lists", lambda: {"manuals": ["x-doc"], "apart": {"search": {"any": ["search.html"]}}}
    )
    monkeypatch.setattr(canonical, "PAGES", 3)
    canonical._patterns.cache_clear()
    html = "<html><body><main><h1>T</h1>" + "".join(f"<p>{each}</p>" for each in SENTENCES) + "</main></body></html>"
    files = {f"usr/share/doc/x/{number}.html": html for number in range(5)} | {"usr/share/doc/x/search.html": html}
    make_package(tmp_path, "x-doc", files)
    said = []
    first = canonical.load(tmp_path, said.append)
    assert canonical.is_document(first).num_rows == 3
    assert set(first["apart"].to_pylist()) <= {"", "search"}
    assert canonical.load(tmp_path, said.append).equals(first)
    assert len(said) == 1
    make_package(tmp_path, "x-doc", {"usr/share/doc/x/0.html": html.replace("daemon", "server")})
    canonical.load(tmp_path, said.append)
    assert len(said) == 2
    canonical._patterns.cache_clear()


def write_archive(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))


def test_real_files_by_category_and_form(tmp_path):
    data = tmp_path / "data"
    write_archive(
        data / "code_and_config/tool.tar.gz",
        {"a.md": prose(1), "run.log": "one line of a log\n" * 3, "b.yaml": "key: value\n" * 3, "LICENSE": "all rights"},
    )
    posts = (
        '<posts><row Id="1" PostTypeId="1" CreationDate="2020-01-01T00:00:00.000" Score="3" Title="Why is it slow?" '
        'Tags="&lt;io&gt;" Body="&lt;p&gt;It is slow when the disk is full.&lt;/p&gt;" AcceptedAnswerId="2" />'
        '<row Id="2" PostTypeId="2" ParentId="1" CreationDate="2020-01-02T00:00:00.000" Score="5" '
        'Body="&lt;p&gt;Free some space.&lt;/p&gt;" /></posts>'
    )
    write_archive(data / "qa_forums/dump.tar.gz", {"dump/Posts.xml": posts})
    (data / "index.csv").write_text(
        "category,source_id,path\ncode_and_config,tool,code_and_config/tool.tar.gz\n"
        "qa_forums,dump,qa_forums/dump.tar.gz\nformats/x,y,formats/x/y.json\n"
    )
    files = real.load(data, tmp_path, print)
    forms = dict(zip(files["url"].to_pylist(), files["form"].to_pylist(), strict=True))
    assert forms == {
        "tool/a.md": real.PROSE, "tool/run.log": real.CODE, "tool/b.yaml": real.CODE, "dump/Why is it slow?": real.PROSE,
    }  # fmt: skip
    assert real.load(data, tmp_path, print).equals(files)
    assert real.load(tmp_path / "absent", tmp_path, print).num_rows == 0


def test_what_is_lost_is_counted_where_it_was_lost():
    table = documents(rows([prose(1), prose(2), "a\n", prose(4)]))
    (lost,) = losses(table, "source")
    assert (lost.url, lost.group, lost.reason) == ("https://docs.example/2", "b", "too_few_words")
    pages = table.append_column("apart", [["", "", "", "index"]])
    found = keep.measure_canonical(pages, lambda line: None)
    assert (found["documents"], found["kept"]) == (3, 2)
    assert found["groups"] == {"a": {"documents": 1, "kept": 1}, "b": {"documents": 2, "kept": 1}}
    assert found["apart"] == {"index": ["https://docs.example/3"]}
    assert found["sample"]["ours"] == 2
    assert whole(table)["url"].to_pylist() == [f"https://docs.example/{number}" for number in (0, 1, 3)]


def test_the_chain_that_stops_decides_as_all_filters_do():
    texts = [prose(1), "a\n", " ".join(SENTENCES * 3), "{}" * 40]
    assert datatrove_stops(texts) == datatrove_keeps(texts)


def test_batches_hold_every_document_once():
    table = documents(rows([prose(number) * 20_000 for number in range(5)] + ["b\n"]))
    made = list(batches(table))
    assert len(made) > 1
    assert [url for batch in made for url in batch["url"].to_pylist()] == table["url"].to_pylist()
    assert text_bytes(table) == sum(len(text.encode()) for text in table["text"].to_pylist())


def test_a_draw_is_always_the_same():
    table = documents(rows([prose(number) for number in range(30)]))
    assert sample(table, 7).equals(sample(table, 7))
    assert len(set(sample(table, 7)["url"].to_pylist())) == 7
    assert sample(table, 99).equals(table)


def test_time_is_given_to_the_function_that_took_it():
    text = " ".join(SENTENCES) * 50

    def work():
        begin = time.process_time()
        while time.process_time() - begin < 0.3:
            hash_words(text)

    shares = profile(work, {__name__})
    assert max(shares, key=shares.get) == "filters.stream.hash_words"
    assert set(shares) <= {"filters.stream.hash_words", __name__, "elsewhere"}


def test_targets_hold_and_miss_at_their_bounds():
    assert targets.at_least("x", 99, 100, 99).holds
    assert not targets.at_least("x", 989, 1000, 99).holds
    assert not targets.at_least("x", 0, 0, 99).holds
    speed = {"ours_mb_per_s": 20.0, "datatrove_mb_per_s": 1.0}
    assert [each.holds for each in targets.targets({"speed": speed})] == [True, False]
    flat = {"parts": 4, "peak_mb_of_one": 100.0, "peak_mb_of_all": 116.0}
    assert [each.holds for each in targets.targets({"memory": flat})] == [False]
    own = Held("of a part", "1", ">= 2", False)
    assert targets.targets({"machine": {"cpu": "x"}, "junk": {"targets": [own]}}) == [own]


def test_memory_is_measured_in_a_process_of_its_own():
    found = memory.measure(documents(rows([prose(number) for number in range(40)])))
    assert 0 < found["megabytes_of_one"] < found["megabytes_of_all"]
    assert 0 < found["peak_mb_of_one"] <= 2 * found["peak_mb_of_all"]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb")
def test_a_missed_target_fails_only_where_it_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(canonical, "entries", list)
    monkeypatch.setattr(canonical, "_lists", lambda: {"manuals": ["y-doc"], "apart": {}})
    canonical._patterns.cache_clear()
    html = "<html><body><main><h1>T</h1>" + "".join(f"<p>{each}</p>" for each in SENTENCES) + "</main></body></html>"
    make_package(tmp_path, "y-doc", {f"usr/share/doc/y/{number}.html": html for number in range(2)})
    options = ["--only", "canonical", "--cache", str(tmp_path), "--data", str(tmp_path / "absent")]
    assert main(options) == 0
    assert main([*options, "--check"]) == 1
    assert "MISSED  canonical documents: 2" in capsys.readouterr().out
    written = json.loads((tmp_path / "filter-part.json").read_text())
    assert written["canonical"]["kept"] == 2
    canonical._patterns.cache_clear()
