"""PDFs made from known text give it back: listings to the letter, prose in its order, nothing of the page itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fpdf import FPDF
from fpdf.enums import EncryptionMethod
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.pdf import glyphs as pdf_glyphs
from pipelines.extract.pdf.chars import Font
from pipelines.extract.pdf.reader import extract_pdf, iso_date
from pipelines.extract.pdf.words import Vocabulary, code_text, joins, markdown

LIMITS = ExtractSettings()
PROSE = (
    "The kernel keeps a queue of runnable tasks for every processor and chooses the next of them by its weight and the "
    "time that it has waited. A task that sleeps leaves the queue until an event wakes it again, and then it is placed "
    "near the front so that short work is soon done. Nothing of this is seen by the program itself."
)
LISTING = "int main(void)\n{\n    if (x86_64 && y != 0) {\n\n        return f(a[0],   b);\n    }\n    return 0;\n}"
SHELL = "$ ps aux | grep '[s]shd'\nroot   612  0.0  /usr/sbin/sshd -D\nroot  1042  0.1  sshd: user@pts/0"


class Paper:
    """A PDF of one or two columns: blocks go on below each other, and into the next column or page."""

    def __init__(self, columns: int = 1, size: float = 10, header: str = "") -> None:
        self.pdf = FPDF(unit="pt", format="A4")
        self.pdf.set_auto_page_break(False)
        self.pdf.set_margins(0, 0, 0)
        self.pdf.c_margin = 0
        self._columns, self._size, self._header = columns, size, header
        self._width = 480 if columns == 1 else 228
        self._column, self._y = columns - 1, 900.0

    def _room(self, height: float) -> tuple[float, float]:
        if self._y + height > 780:
            self._column = (self._column + 1) % self._columns
            self._y = 80
            if self._column == 0:
                self.pdf.add_page()
                self.pdf.set_font("Times", size=8)
                if self._header:
                    self.pdf.text(60, 40, f"{self._header} {self.pdf.page_no()}")
                self.pdf.text(290, 820, str(self.pdf.page_no()))
        x, y = 60 + self._column * 252, self._y
        self._y += height
        return x, y

    def lines(
        self, lines: list[str], font: str, style: str = "", size: float = 0, step: float = 1.2, by: float = 0
    ) -> None:
        size = size or self._size
        for line in lines:
            x, y = self._room(step * size)
            self.pdf.set_font(font, style, size)
            self.pdf.text(x + by, y, line)
        self._y += size

    def prose(self, text: str, by: float = 0) -> None:
        self._room(0)
        self.pdf.set_font("Times", size=self._size)
        wrapped = self.pdf.multi_cell(self._width - by, text=text, dry_run=True, output="LINES")  # type: ignore[call-overload]
        self.lines(wrapped, "Times", by=by)

    def head(self, text: str, size: float) -> None:
        self.lines([text], "Helvetica", "B", size)

    def code(self, text: str, by: float = 0) -> None:
        self.lines(text.split("\n"), "Courier", size=0.8 * self._size, by=by)

    def page(self) -> Page:
        return extract(bytes(self.pdf.output()))


def extract(body: bytes) -> Page:
    return extract_pdf(body, "application/pdf", "a.pdf", LIMITS)


def tokens(text: str) -> Iterator[Any]:
    yield from MarkdownIt("commonmark").enable("table").parse(text)


def fences(text: str) -> list[str]:
    return [token.content.removesuffix("\n") for token in tokens(text) if token.type == "fence"]


def headings(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith("#")]


@pytest.mark.parametrize("columns", [1, 2])
def test_an_article_comes_back(columns: int) -> None:
    paper = Paper(columns, header="Proceedings of Systems 2024, page")
    paper.head("On Queues", 18)
    for number in range(1, 9):
        paper.head(f"{number} Section", 13)
        paper.prose(f"Begin {number}. {PROSE}")
        paper.code(f"// {number}\n{LISTING}", by=12)
        paper.prose(f"Middle {number}. {PROSE}")
        paper.code(SHELL)
        paper.prose(f"End {number}. {PROSE}")
    page = paper.page()
    text = page.text
    assert page.title == "On Queues"
    assert headings(text) == ["# On Queues", *(f"## {number} Section" for number in range(1, 9))]
    assert "Proceedings" not in text and not re.search(r"^\d+$", text, re.MULTILINE)
    marks = re.findall(r"(Begin|Middle|End) (\d)\.", text)
    assert marks == [(each, str(number)) for number in range(1, 9) for each in ("Begin", "Middle", "End")]
    assert text.count(PROSE) == 24
    assert len(fences(text)) == 16
    for number in range(1, 9):
        found = fences(text)[2 * number - 2 : 2 * number]
        # A blank line that falls between two pages is not on either of them.
        assert [each.replace("\n\n", "\n") for each in found] == [
            f"// {number}\n{LISTING}".replace("\n\n", "\n"),
            SHELL,
        ]


code = st.lists(
    st.from_regex(r"[ ]{0,12}[!-~](?:[ ]{0,6}[!-~]){0,40}", fullmatch=True).filter(lambda text: len(text) < 70),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(lines=code, blank=st.integers(0, 3))
def test_listings_are_exact(lines: list[str], blank: int) -> None:
    lines = [line for each in lines for line in (each, *[""] * blank)][: len(lines) * (blank + 1) - blank]
    paper = Paper()
    paper.prose(PROSE)
    paper.code("int a;\nint b;")
    paper.prose(PROSE)
    paper.code("\n".join(lines))
    paper.prose(PROSE)
    left = min(len(line) - len(line.lstrip()) for line in lines if line)
    assert fences(paper.page().text)[1:] == ["\n".join(line[left:] for line in lines)]


def test_lists_and_terms() -> None:
    paper = Paper()
    paper.prose(PROSE)
    paper.prose("\x95 first thing")
    paper.prose("\x95 second thing: " + PROSE)
    paper.prose("1. one")
    paper.prose("2. two")
    paper.prose(PROSE)
    text = paper.page().text
    assert f"\n- first thing\n- second thing: {PROSE}\n1. one\n2. two\n\n{PROSE}\n" in text


def test_a_table_is_read_row_by_row() -> None:
    paper = Paper()
    paper.prose(PROSE)
    for row in (("Option", "Default", "Meaning"), ("-n", "10", "lines to show"), ("-q", "off", "no headers")):
        x, y = paper._room(14)
        for index, cell in enumerate(row):
            paper.pdf.set_font("Times", "B" if row[0] == "Option" else "", 10)
            paper.pdf.text(x + 120 * index, y, cell)
    paper.prose(PROSE)
    assert (
        "| Option | Default | Meaning |\n| --- | --- | --- |\n| -n | 10 | lines to show |\n| -q | off | no headers |"
        in (paper.page().text)
    )


def test_inline_code_and_styles() -> None:
    pdf = FPDF(unit="pt")
    pdf.add_page()
    pdf.set_left_margin(60)
    pdf.set_xy(60, 80)
    for text, font, style in (
        ("Call ", "Times", ""),
        ("open(2)", "Courier", ""),
        (" with ", "Times", ""),
        ("O_CREAT", "Courier", "B"),
        (" to make ", "Times", ""),
        ("path", "Times", "I"),
        (" anew, ", "Times", ""),
        ("always", "Times", "B"),
        (". " + PROSE, "Times", ""),
    ):
        pdf.set_font(font, style, 10)
        pdf.write(12, text)
    text = extract(bytes(pdf.output())).text
    assert text == f"Call `open(2)` with `O_CREAT` to make *path* anew, **always**. {PROSE}\n"


def test_letters_drawn_under_their_accents() -> None:
    pdf = FPDF(unit="pt")
    pdf.add_page()
    pdf.set_font("Times", size=10)
    x = 60.0
    for letters, accent in (("By J", ""), ("e", "\xb4"), ("r", ""), ("o", "\xa8"), ("me, 3 x 4", "")):
        if accent:
            pdf.text(x + (pdf.get_string_width(letters) - pdf.get_string_width(accent)) / 2, 100, accent)
        pdf.text(x, 100, letters)
        x += pdf.get_string_width(letters)
    assert extract(bytes(pdf.output())).text == "By Jéröme, 3 x 4\n"


def test_underscores_drawn_as_rules() -> None:
    pdf = FPDF(unit="pt")
    pdf.add_page()
    pdf.set_font("Times", size=10)
    pdf.text(60, 100, PROSE[:40])
    pdf.text(60, 112, "and call")
    pdf.set_font("Courier", size=10)
    x = 100.0
    for word in ("vm", "swappiness", "max"):
        pdf.text(x, 112, word)
        x += pdf.get_string_width(word)
        if word != "max":
            pdf.rect(x + 0.6, 111.6, 3, 0.4, style="F")
            x += 4.2
    pdf.rect(60, 118, 3, 0.4, style="F")
    pdf.set_font("Times", size=10)
    pdf.text(x + 4, 112, "then.")
    assert extract(bytes(pdf.output())).text == f"{PROSE[:40]} and call `vm_swappiness_max` then.\n"


def test_code_that_runs_over_the_edge_of_its_column() -> None:
    paper = Paper(2)
    listing = f'int a;\n\nputs("{"long " * 12}");\n\nint b;\nint c;'
    for _ in range(3):
        paper.prose(PROSE)
    paper.code(listing)
    for _ in range(14):
        paper.prose(PROSE)
    text = paper.page().text
    assert fences(text)[0].split("\n")[:3] == listing.split("\n")[:3]


def test_comments_of_code_in_the_font_of_prose() -> None:
    paper = Paper()
    paper.prose(PROSE)
    for code, comment in (("x = f(1)    #", "take the first one"), ("print(x)", ""), ("y = x + 1   #", "and the next")):
        x, y = paper._room(12)
        paper.pdf.set_font("Courier", size=10)
        paper.pdf.text(x + 12, y, code)
        paper.pdf.set_font("Times", size=10)
        paper.pdf.text(x + 12 + 6 * (len(code) + 1), y, comment)
    paper._y += 10
    paper.prose(PROSE)
    assert fences(paper.page().text) == ["x = f(1)    # take the first one\nprint(x)\ny = x + 1   # and the next"]


NOTES = ("By whom is not known", "This was found in an old book")


def test_footnotes_are_called_where_their_numbers_stand() -> None:
    pdf = FPDF(unit="pt")
    for number in (1, 2):
        pdf.add_page()
        pdf.set_font("Times", size=10)
        for line in range(8):
            pdf.text(60, 100 + 12 * line, f"{PROSE[40 * line : 40 * line + 70]} and more of page {number}")
        pdf.text(60, 196, f"It is said on page {number}.")
        width = pdf.get_string_width(f"It is said on page {number}.")
        pdf.set_font("Times", size=7)
        pdf.text(60 + width, 192, "1")
        pdf.set_font("Courier" if number == 1 else "Times", size=7)
        pdf.text(60, 697, "1")
        pdf.set_font("Times", size=8)
        pdf.text(66, 700, f"{NOTES[number - 1]}, and nobody has asked so far.")
    text = extract(bytes(pdf.output())).text
    for number in (1, 2):
        assert f"said on page {number}.[^{number}]" in text
        assert f"\n[^{number}]: {NOTES[number - 1]}, and nobody" in text


def test_a_table_of_contents_without_dots_leaves() -> None:
    paper = Paper()
    titles = ["Introduction", "Design of it", "Evaluation", "Conclusion"]
    for page, title in enumerate(titles, 1):
        x, y = paper._room(14)
        paper.pdf.set_font("Times", size=10)
        paper.pdf.text(x, y, title)
        paper.pdf.text(x + 460, y, str(page))
    for title in titles:
        paper.head(title, 16)
        paper.prose(PROSE)
    text = paper.page().text
    assert "|" not in text and headings(text) == [f"# {title}" for title in titles]


def test_stars_as_bullets() -> None:
    paper = Paper()
    paper.prose(PROSE)
    paper.prose("* one thing")
    paper.prose("* another")
    assert "\n- one thing\n- another\n" in paper.page().text


def test_numbers_of_lines_in_the_font_of_prose_leave() -> None:
    paper = Paper()
    paper.prose(PROSE)
    lines = LISTING.split("\n")
    for number, line in enumerate(lines, 7):
        x, y = paper._room(12)
        paper.pdf.set_font("Times", size=6)
        paper.pdf.text(x, y, str(number))
        # As listings are set by LaTeX: letters stand further apart than their font has them.
        paper.pdf.set_font("Courier", size=9)
        for column, letter in enumerate(line):
            paper.pdf.text(x + 20 + 6.2 * column, y, letter)
    paper._y += 10
    paper.prose(PROSE)
    assert fences(paper.page().text) == [LISTING]


def test_letters_set_closer_than_their_columns() -> None:
    paper = Paper()
    paper.prose(PROSE)
    pdf = paper.pdf
    for line in LISTING.split("\n"):
        x, y = paper._room(11)
        pdf.set_font("Courier", size=8)
        for word in re.finditer(r"\w+|[^\w ]", line):
            glue = (5.6 - 4.8) * len(word.group()) / (len(word.group()) + 1)
            for index, letter in enumerate(word.group()):
                pdf.text(x + 5.6 * word.start() + glue * (index + 1) + 4.8 * index, y, letter)
    paper._y += 10
    paper.prose(PROSE)
    assert fences(paper.page().text) == [LISTING]


def test_headers_that_name_the_section() -> None:
    pdf = FPDF(unit="pt")
    for number in range(12):
        pdf.add_page()
        pdf.set_font("Times", "I", size=9)
        pdf.text(60, 50, f"{'ABCDEFGHIJKL'[number]} {PROSE[5 * number : 5 * number + 9]}")
        pdf.set_font("Times", size=10)
        for line in range(40 if number % 2 else 53):
            pdf.text(60, 80 + 12 * line, f"It is {PROSE[number:60]} and so on until the end of line")
        # As high as the last line of the others, and alone.
        pdf.text(60, 704, f"Alone {PROSE[3 * number : 3 * number + 30]}" if number % 2 else "")
    text = extract(bytes(pdf.output())).text
    assert not re.search(r"^\*?[A-L] ", text, re.MULTILINE)
    assert text.count("Alone") == 6


def test_words_cut_at_line_ends() -> None:
    paper = Paper()
    lines = ["A scheduler may preempt a running task. The sched-", "uler runs on x86-", "64, in a multi-"]
    lines += ["core system with multi-core parts and an exam-", "ple of a read-", "only file. It is read only."]
    paper.lines(lines, "Times")
    text = " ".join(paper.page().text.split())
    assert "The scheduler runs on x86-64, in a multi-core system" in text
    assert "an example of a read-only file" in text


@pytest.mark.parametrize(
    ("left", "right", "known", "joined"),
    [
        ("the sched-", "uler", "scheduler", True),
        ("a man-", "page", "man page", False),
        ("a man-", "page", "man page manpage", True),
        ("a lock-", "free", "lock-free lockfree2", False),
        ("an exam-", "ple", "", True),
        ("on x86-", "64", "", False),
        ("see COP-", "ROC", "coproc", True),
        ("see Smith-", "Jones", "", False),
        ("a -", "b", "ab", False),
    ],
)
def test_joins(left: str, right: str, known: str, joined: bool) -> None:
    assert joins(left, right, Vocabulary(known.split())) is joined


def test_addresses_cut_at_line_ends() -> None:
    pdf = FPDF(unit="pt")
    pdf.add_page()
    pdf.set_font("Times", size=10)
    pdf.text(60, 100, "It stands at the well known address")
    pdf.set_font("Courier", size=10)
    pdf.text(205, 100, "https://www.example.")
    pdf.text(60, 112, "org/a/page.")
    pdf.set_font("Times", size=10)
    pdf.text(60, 124, "and at others that are as good as this one is.")
    text = extract(bytes(pdf.output())).text
    assert "`https://www.example.org/a/page.`" in text


def test_signs_that_a_typesetter_draws() -> None:
    assert code_text("echo \u2018a\u2019 \u2212n ˆx ˜/a") == "echo `a' -n ^x ~/a"
    plain, mono = Font(False, False, False), Font(True, False, False)
    assert markdown([("a", plain), (" ", plain), ("\u2019x\u2019", mono), (" b", plain)]) == "a `'x'` b"
    bold = Font(False, True, False)
    assert markdown(
        [("use ", plain), ("\u2212a", bold), (" or \u2212\u2212all, not a \u2212b or n\u22121", plain)]
    ) == ("use **-a** or --all, not a -b or n\u22121")
    assert markdown([("\u2018\u2018q\u2019\u2019", plain)]) == "“q”"
    assert markdown([("un", plain), ("bold", Font(False, True, False)), ("ed", plain)]) == "unbolded"


def test_page_numbers_alone_and_numbers_in_the_text() -> None:
    paper = Paper()
    for number in range(30):
        words = PROSE.split()
        paper.prose(f"{number} tasks. {' '.join(words[number:] + words[:number])}")
    text = paper.page().text
    assert [int(each) for each in re.findall(r"^(\d+) tasks", text, re.MULTILINE)] == list(range(30))
    assert not re.search(r"^\d+$", text, re.MULTILINE)


def test_metadata() -> None:
    paper = Paper()
    paper.prose(PROSE)
    paper.pdf.set_title("A  Title")
    paper.pdf.set_author("Ann Lee; Bo Kim and Cy")
    page = paper.page()
    assert (page.title, page.authors, page.method) == ("A Title", ("Ann Lee", "Bo Kim", "Cy"), "pdf")
    assert page.found == {"authors": "Author", "date": "CreationDate"}
    paper = Paper()
    paper.prose(PROSE)
    paper.pdf.set_title("Microsoft Word - report.doc")
    assert paper.page().title == ""


@pytest.mark.parametrize(
    ("stated", "date"),
    [
        ("D:20140829002639-07'00'", "2014-08-29T00:26:39-07:00"),
        ("D:20240102030405Z", "2024-01-02T03:04:05+00:00"),
        ("D:2024", "2024-01-01T00:00:00+00:00"),
        ("20240102", "2024-01-02T00:00:00+00:00"),
        ("D:20241301", ""),
        ("D:20240101000000+99'00'", ""),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_dates(stated: str, date: str) -> None:
    assert iso_date(stated) == date


def test_turned_pages() -> None:
    for angle in (90, 180, 270):
        pdf = FPDF(unit="pt")
        pdf.add_page()
        pdf.set_font("Times", size=10)
        with pdf.rotation(angle, 300, 400):
            for index in range(3):
                pdf.text(200, 400 + 12 * index, f"This is line {index} of the turned page,")
        assert extract(bytes(pdf.output())).text == (
            "This is line 0 of the turned page, This is line 1 of the turned page, This is line 2 of the turned page,\n"
        )


def test_no_text() -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.rect(10, 10, 50, 50)
    with pytest.raises(NoText):
        extract(bytes(pdf.output()))


def encrypted() -> bytes:
    paper = Paper()
    paper.prose(PROSE)
    paper.pdf.set_encryption("owner", "user", encryption_method=EncryptionMethod.RC4)
    return bytes(paper.pdf.output())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_body"),
        (b"hello", "parser_error"),
        (b"%PDF-1.7\nnothing", "parser_error"),
        (encrypted(), "parser_error"),
    ],
)
def test_unreadable(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        extract(body)
    assert caught.value.reason == reason


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = Paper()
    paper.prose(PROSE)
    body = bytes(paper.pdf.output())
    with pytest.raises(Unreadable) as caught:
        extract_pdf(body, None, "", ExtractSettings(max_body_bytes=1024) if len(body) > 1024 else LIMITS)
    assert caught.value.reason == "too_large"
    monkeypatch.setattr(pdf_glyphs, "MAX_CHARACTERS", 100)
    with pytest.raises(Unreadable) as caught:
        extract(body)
    assert caught.value.reason == "too_large"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_give_a_page_or_a_reason(data: st.DataObject) -> None:
    body = bytearray(BODY)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    try:
        assert extract(bytes(body)).text
    except (Unreadable, NoText):
        pass


def _sample() -> bytes:
    paper = Paper(2)
    paper.pdf.set_compression(False)
    paper.prose(PROSE)
    paper.code(LISTING)
    return bytes(paper.pdf.output())


BODY = _sample()
