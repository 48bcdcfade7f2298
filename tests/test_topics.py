"""What the models of topics read, and that they answer as fastText does."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.stream import read_stream
from filters.topics import ModelError, PageForm, load, read_bags
from filters.topics.bags import place_tokens
from filters.topics.cues import CueError, cue_rows, cue_tokens
from filters.topics.lookup import index_of, sum_rows
from filters.topics.model import Head, Model, dump, softmax
from filters.topics.tokens import NUMBER, PROSE, of_value
from filters.topics.words import HEAD, MOST
from pipelines.fasttext_head import END, HeadSettings, _write_vectors, collapse, fit
from pipelines.held_out import by_label, cuts, folds, macro_f1, reliability

FORUM = "[12:01] <ann> my disk is full\n[12:02] <bob> try df -h\n"
ESSAY = "# On disks\n\nA disk that is full refuses to write. We look at why, and what an engineer can do.\n"
CODE = "# site.yml\n\n```yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: disk\nspec:\n  containers: []\n```\n"


def bags(*texts, pages=()):
    return read_bags(read_stream(pa.array(texts, pa.large_string())), pages)


def tokens(text, name="words"):
    found, offsets = bags(text).tokens[name]
    assert offsets[-1] == len(found)
    return set(found.tolist())


@given(st.lists(st.text(alphabet="aB9 \n#`-|[]:<é", max_size=80), max_size=6))
@settings(deadline=None, max_examples=60)
def test_a_document_has_the_same_tokens_in_any_batch(texts):
    together = bags(*texts)
    for name in ("words", "forms"):
        found, offsets = together.tokens[name]
        for index, text in enumerate(texts):
            alone, _ = bags(text).tokens[name]
            assert found[offsets[index] : offsets[index + 1]].tolist() == alone.tolist()
            assert len(set(alone.tolist())) == len(alone)


def test_words_of_code_and_of_examples_are_told_from_prose():
    assert set(cue_tokens("code kind")) <= tokens(CODE)
    text = "Long prose about pods that goes on and on, far beyond its example. " * 5 + "\n\n```yaml\nkind: Pod\n```\n"
    assert set(cue_tokens("example kind")) <= tokens(text)
    assert not set(cue_tokens("code kind")) & tokens(text)
    assert set(cue_tokens("block yaml")) <= tokens(text, "forms")
    assert set(cue_tokens("fence yaml")) <= tokens(CODE, "forms")


def test_a_heading_and_a_phrase_are_cues_and_three_words_are_none():
    assert set(cue_tokens("heading on disks")) <= tokens(ESSAY, "forms")
    assert set(cue_tokens("disk that")) <= tokens(ESSAY)
    with pytest.raises(CueError, match="three"):
        cue_tokens("one two three")


def test_a_word_in_capitals_is_a_cue_of_its_own_in_prose_alone():
    assert set(cue_tokens("upper must")) <= tokens("A client MUST answer.\n", "forms")
    for text in ("A client must answer.\n", "A client MUSTER answer.\n", "A client MUSTer it.\n", "A MUST_2 name.\n"):
        assert not set(cue_tokens("upper must")) & tokens(text, "forms")
    assert not set(cue_tokens("upper must")) & tokens("```sh\nMUST=1\n```\n", "forms")


def test_shapes_tell_a_chat_from_an_essay_about_the_same_thing():
    chat, other = tokens(FORUM, "forms"), tokens("[09:44] <zed> Kernel panics\n[09:45] <kim> logs?\n", "forms")
    essay = tokens(ESSAY, "forms")
    assert len(chat & other) / len(chat | other) > 2 * len(chat & essay) / len(chat | essay)


def test_numbers_are_one_token():
    number = of_value(int(NUMBER), PROSE)
    assert number in tokens("port 8080 is open\n") and number in tokens("port 9 is open\n")
    assert number not in tokens("port nine is open\n")


def test_a_long_document_is_read_at_its_beginning_and_in_places():
    lines = [
        f"word{chr(97 + index % 26)}{chr(97 + index // 26 % 26)}{chr(97 + index // 676)} goes here"
        for index in range(6_000)
    ]
    found, _ = bags("\n".join(lines)).tokens["words"]
    assert len(found) <= MOST
    assert set(cue_tokens("wordaaa")[:1]) <= set(found.tolist())
    late = sum(cue_tokens(line.split()[0])[0] in set(found.tolist()) for line in lines[HEAD:])
    assert 100 < late < 1_500


@pytest.mark.parametrize(
    "text",
    ["", "\n", "`" * 1_000_000, "a" * 1_000_000, "[" * 1_000_000, "# " * 500_000, "a\n" * 500_000, "é" * 500_000],
)
def test_hostile_texts_give_few_tokens(text):
    found = bags(text)
    assert len(found) == 1
    assert len(found.tokens["words"][0]) <= MOST
    assert len(found.tokens["forms"][0]) <= 3_600


def test_places_leave_out_the_host():
    assert place_tokens(PageForm("https://a.org/blog/post.html")) == place_tokens(
        PageForm("https://b.net/blog/post.html")
    )
    assert place_tokens(PageForm("https://a.org/")) and place_tokens(PageForm(""))
    found, offsets = bags("x\n", "y\n", pages=[PageForm("a/b.yml", "source"), PageForm()]).tokens["places"]
    assert offsets.tolist()[0] == 0 and offsets[-1] == len(found) and offsets[1] > 0


# ---------------------------------------------------------------- the model


@given(st.sets(st.integers(0, 2**64 - 1), max_size=300), st.sets(st.integers(0, 2**64 - 1), max_size=50))
@settings(deadline=None, max_examples=40)
def test_a_table_finds_its_keys_and_no_others(known, strange):
    keys = np.array(sorted(known), np.uint64)
    rows = np.arange(1, len(keys) + 1, dtype=np.float32)[:, None]
    asked = np.array(sorted(known | strange), np.uint64)
    for token in asked:
        sums, hits = np.zeros((1, 1), np.float32), np.zeros(1, np.int64)
        sum_rows(np.array([token], np.uint64), np.array([0, 1]), index_of(keys), rows.reshape(-1, 1), sums, hits)
        assert hits[0] == (int(token) in known)
        assert sums[0, 0] == (sorted(known).index(int(token)) + 1 if int(token) in known else 0)


def test_a_head_answers_as_fasttext_does(tmp_path):
    """Trains fastText on tokens, and compares its own predict with ours."""
    random = np.random.default_rng(5)
    keys = np.sort(random.integers(0, 2**63, 60, dtype=np.uint64))
    documents = [random.choice(np.arange(30 * (index % 2), 30 * (index % 2) + 35) % 60, 12) for index in range(80)]
    corpus, vectors = tmp_path / "corpus", tmp_path / "vectors"
    corpus.write_text(
        "".join(f"__label__{index % 2} {' '.join(f'{t:x}' for t in row)}\n" for index, row in enumerate(documents))
    )
    options = HeadSettings(dimensions=8, epochs=20)
    _write_vectors(vectors, [*(f"{index:x}" for index in range(60)), END], options, np.random.default_rng(1))
    trained = fit(corpus, vectors, options)
    found, rows, end = collapse(trained, keys, 2)
    ours = Head("words", ("words",), 1.0, found, rows, end)
    for row in [*documents, np.array([], np.int64)]:
        sums, hits = np.zeros((1, 2), np.float32), np.zeros(1, np.int64)
        asked = np.append(keys[row], np.uint64(7)) if len(row) else keys[:0]  # 7 is no token that it knows
        sum_rows(asked, np.array([0, len(asked)]), ours.index, ours.rows, sums, hits)
        mine = softmax((sums + end) / (hits + 1)[:, None].astype(np.float32))[0]
        names, theirs = trained.predict([" ".join(f"{t:x}" for t in row)], k=2)
        by_name = {int(name.removeprefix("__label__")): p for name, p in zip(names[0], theirs[0], strict=True)}
        assert abs(mine[0] - by_name[0]) < 2e-5 and abs(mine[1] - by_name[1]) < 2e-5


def a_model():
    keys, rows = cue_rows(
        {"chat": {"strong": ["try"], "weak": ["my"]}, "text": {"strong": ["engineer"], "weak": ["we"]}},
        ["chat", "text"],
    )
    return Model(("chat", "text"), "text", 1.0, 0.5, "", (Head("cues", ("words", "forms"), 1.0, keys, rows, None),))


def test_cues_decide_and_nothing_known_leaves_it_open():
    found = a_model().predict(bags(FORUM, ESSAY, "neither of them\n"))
    assert found.first.tolist()[:2] == [0, 1] and found.second.tolist()[:2] == [1, 0]
    assert found.p_first[0] > 0.9 and found.p_first[2] == pytest.approx(0.5)
    assert np.allclose(found.p_first + found.p_second, 1)


def test_a_model_file_is_the_same_bytes_and_the_same_answers(tmp_path):
    model = a_model()
    content = dump(model)
    assert content == dump(model)
    (tmp_path / "m.npz").write_bytes(content)
    loaded = load(tmp_path / "m.npz")
    assert loaded.sha256 == hashlib.sha256(content).hexdigest()
    assert loaded.labels == model.labels and loaded.threshold == 0.5
    assert np.allclose(loaded.probabilities(bags(FORUM)), model.probabilities(bags(FORUM)), atol=1e-3)


def test_a_correction_scales_by_the_length_and_leaves_code_alone(tmp_path):
    keys = np.array(sorted({*cue_tokens("disk")[:1], *cue_tokens("we")[:1]}), np.uint64)
    rows = np.array([[1, 0, 4], [1, 0, 4]], np.float32)
    end = np.array([0.5, -0.5], np.float32)
    each = Head("correction", ("words",), 2.0, keys, rows, end)
    model = Model(("a", "b"), "text", 1.0, 0.0, "", (each,))
    (tmp_path / "m.npz").write_bytes(dump(model))
    (found,) = load(tmp_path / "m.npz").heads
    assert found.corrects
    scores = found.scores(bags("we have a disk\n", "neither\n", CODE))
    assert scores[0] == pytest.approx([2 * (2 / 8**0.5 + 0.5), -1.0], abs=1e-3)
    assert scores[1] == pytest.approx([1.0, -1.0]) and scores[2].tolist() == [0, 0]


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04", "cut"])
def test_a_damaged_model_is_told(tmp_path, content):
    path = tmp_path / "m.npz"
    path.write_bytes(dump(a_model())[:-40] if content == "cut" else content)
    with pytest.raises(ModelError, match=r"m\.npz"):
        load(path)
    with pytest.raises(ModelError):
        load(tmp_path / "absent.npz")


def test_a_model_of_objects_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "m.npz", about=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError):
        load(tmp_path / "m.npz")


# ---------------------------------------------------------------- measures


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=80))
def test_a_source_is_in_one_fold(rows):
    groups, labels = [str(group) for group, _ in rows], np.array([label for _, label in rows])
    found = folds(groups, labels, 5)
    for group in set(groups):
        assert len({fold for fold, each in zip(found.tolist(), groups, strict=True) if each == group}) == 1


def test_only_labels_with_enough_sources_count():
    labels = np.repeat([0, 1], 60)
    sources = np.concatenate([np.arange(60) % 4, np.full(60, 9)])
    rows = by_label(np.where(np.arange(120) < 30, 0, 1), labels, sources, ["a", "b"])
    assert [row["counts"] for row in rows] == [True, False]
    assert rows[0]["precision"] == 1 and rows[0]["recall"] == 0.5
    assert macro_f1(rows) == rows[0]["f1"] == pytest.approx(0.667)


def test_a_cut_says_what_of_each_label_it_keeps():
    second = np.array([0.01, 0.4] * 20 + [0.95, 0.15] * 20, np.float32)
    labels, sources = np.repeat([0, 1], 40), ["a"] * 40 + ["b", "c"] * 20
    rows = {
        row["threshold"]: row for row in cuts(np.stack([1 - second, second], axis=1), labels, ["no", "yes"], sources)
    }
    assert rows[0.1] == {"threshold": 0.1, "no": 0.5, "yes": 1.0, "sources_below_0.99": {}}
    assert rows[0.2] == {"threshold": 0.2, "no": 0.5, "yes": 0.5, "sources_below_0.99": {"c": 0.0}}


def test_calibration_is_perfect_where_confidence_is_accuracy():
    probabilities = np.tile(np.array([[0.75, 0.25]], np.float32), (100, 1))
    labels = np.array([0] * 75 + [1] * 25)
    error, rows = reliability(probabilities, labels)
    assert error == pytest.approx(0, abs=1e-6) and rows[0]["documents"] == 100
    assert reliability(probabilities, 1 - labels)[0] == pytest.approx(0.5)
