"""LaTeX: listings, formulas, macros, tables, notes, papers of many files, and sources made to break the reader."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manifests.models import ExtractSettings
from pipelines.extract.latex.project import documents
from pipelines.extract.latex.reader import extract_latex
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.records import Raw, read_raw

LIMITS = ExtractSettings()
PARSER = MarkdownIt("commonmark").enable("table")


def read(source: str) -> Page:
    return extract_latex(source.encode(), None, "paper.tex", LIMITS)


def text(body: str) -> str:
    """The Markdown of a source behind a paragraph of its own, so that nothing is empty."""
    made = read("Start.\n\n" + body).text
    assert made.startswith("Start.\n")
    return made.removeprefix("Start.\n").removeprefix("\n")


def fences(markdown: str) -> list[tuple[str, str]]:
    return [(token.info, token.content) for token in PARSER.parse(markdown) if token.type == "fence"]


# ---------------------------------------------------------------- the document

PAPER = r"""\documentclass{article} % a comment
\usepackage{amsmath}
\title{On \emph{Locks} \\ and Keys\thanks{We thank all.}}
\author{Ann Author\thanks{x} \\ Institute One \and Bo Ek\\ \texttt{bo@example.org}}
\date{6 May 2024}
\newcommand{\sys}{\textsc{Lock}\xspace}
\begin{document}
\maketitle
\begin{abstract}
We present \sys, 50\% faster.
\end{abstract}
\section{Design}\label{sec:design}
See Section~\ref{sec:design}, Figure~\ref{fig:x} and Table~\ref{tab:none}; as shown~\cite{a,b} before
\cite[p.~3]{c}. We follow \citet{doe}.
\begin{figure}[t]
  \centering\includegraphics[width=\linewidth]{x}
  \caption{The {\bf big} picture.}\label{fig:x}
\end{figure}
\bibliographystyle{plain}
\begin{thebibliography}{9}
\bibitem{a} Gone.
\end{thebibliography}
\end{document}
Nothing behind the end counts.
"""


def test_a_paper() -> None:
    page = read(PAPER)
    assert page.title == "On Locks and Keys"
    assert page.authors == ("Ann Author", "Bo Ek")
    assert (page.date, page.method) == ("2024-05-06", "latex")
    assert page.found == {"date": "latex", "authors": "latex"}
    assert page.text == (
        "# On Locks and Keys\n\n## Abstract\n\nWe present Lock, 50% faster.\n\n## Design\n\n"
        "See Section “Design”, Figure 1 and Table; as shown before. We follow [doe].\n\nFigure 1: The **big** picture.\n"
    )


def test_a_chapter_without_preamble() -> None:
    page = read("\\chapter{Counting}\nText.\n\\section{One}\nMore.\n\\paragraph{Note} It runs.\n")
    assert page.title == "Counting"
    assert page.text == "# Counting\n\nText.\n\n## One\n\nMore.\n\n**Note** It runs.\n"


def test_no_latex_and_no_text() -> None:
    with pytest.raises(Unreadable, match="not_text"):
        extract_latex(b"Only words.\n", None, "notes.txt", LIMITS)
    with pytest.raises(NoText):
        read("\\documentclass{a}\n\\begin{document}\n% nothing\n\\end{document}\n")


# ---------------------------------------------------------------- code

CODE = 'int main(void) {\n\tprintf("50%% of $x & \\\\begin{foo} #1\\n");  // ~`\'--\n\n    return 0;\n}'


@pytest.mark.parametrize(
    ("begin", "end", "language"),
    [
        ("\\begin{verbatim}", "\\end{verbatim}", ""),
        ("\\begin{lstlisting}[language=C, caption={A \\emph{main}}, label=lst:a]", "\\end{lstlisting}", "c"),
        ("\\begin{lstlisting}[language={[ANSI]C}]", "\\end{lstlisting}", "c"),
        ("\\begin{minted}[linenos]{python}", "\\end{minted}", "python"),
        ("\\begin{minted}{text}", "\\end{minted}", ""),
        ("\\begin{Verbatim}[fontsize=\\small]", "\\end{Verbatim}", ""),
        ("\\newminted{go}{}\n\\begin{gocode}", "\\end{gocode}", "go"),
        ("\\DefineVerbatimEnvironment{Prog}{Verbatim}{}\n\\begin{Prog}", "\\end{Prog}", ""),
    ],
)
def test_listings_come_back_exactly(begin: str, end: str, language: str) -> None:
    made = text(f"Run this:\n{begin}\n{CODE}\n{end}\nand go on.\n")
    assert fences(made) == [(language, CODE + "\n")]
    assert made.endswith("\nand go on.\n")
    if "caption" in begin:
        assert "\nListing 1: A *main*\n" in made


def test_listings_in_lists_and_footnotes() -> None:
    made = text(
        "\\begin{itemize}\n\\item First:\n\\begin{verbatim}\na  b\n\tc\n\\end{verbatim}\n\\item Second\n\\end{itemize}\n"
    )
    assert fences(made) == [("", "a  b\n\tc\n")]
    assert "- Second" in made


def test_a_listing_in_a_comment_is_none() -> None:
    assert text("a\n% \\begin{verbatim}\nb\n%\\end{verbatim}\nc\n") == "a b c\n"


def test_commands_inside_listings() -> None:
    assert fences(text("\\begin{alltt}\nls \\textbf{-l} \\{a\\}\n\\end{alltt}\n")) == [("", "ls -l {a}\n")]
    body = "\\begin{Verbatim}[commandchars=\\\\\\[\\]]\nx = a[1];\\lnlbl[one]\n\\textbf[y] = {2};\n\\end{Verbatim}\n"
    assert fences(text(body.replace("a[1]", "a"))) == [("", "x = a;\ny = {2};\n")]
    body = "\\begin{lstlisting}\nlock(); (*@\\label{l:1}@*)\n(*@\\hl{unlock(\\&x);}@*)\n\\end{lstlisting}\n"
    assert fences(text(body)) == [("", "lock();\nunlock(&x);\n")]


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("\\verb|a_b $x$ %|", "`a_b $x$ %`"),
        ("\\lstinline[language=C]{x % 2}", "`x % 2`"),
        ("\\lstinline!a{b!", "`a{b`"),
        ("\\mintinline{python}{x_1}", "`x_1`"),
        ("\\texttt{a\\_b --x ``y''}", "`a_b --x ``y''`"),
        ("{\\tt kalloc} it", "`kalloc` it"),
        ("\\url{https://a.example/~b_c?d=%20#e}", "https://a.example/~b_c?d=%20#e"),
        ("\\href{https://a.example/%20}{the site}", "the site"),
    ],
)
def test_code_and_addresses_in_lines(source: str, made: str) -> None:
    assert text(source + "\n") in (made + "\n", made.replace("`a_b --x ``y''`", "```a_b --x ``y''```") + "\n")


def test_a_macro_puts_code_in() -> None:
    assert (
        text("\\newcommand{\\code}[1]{\\lstinline{#1}\\index{#1}}\nCall \\code{kfree} now.\n") == "Call `kfree` now.\n"
    )


# ---------------------------------------------------------------- formulas


def test_formulas_are_kept() -> None:
    assert text("Let $a_1 * b^2 < \\frac{1}{2}$ and \\(c\\).\n") == "Let $a_1 * b^2 < \\frac{1}{2}$ and $c$.\n"
    assert text("\\[ a = b \\]\n") == "$$a = b$$\n"
    assert text("$$ a\n= b $$\n") == "$$a = b$$\n"
    assert text("\\begin{equation}\\label{eq:1}\nE = mc^2 \\nonumber\n\\end{equation}\n") == "$$E = mc^2$$\n"
    made = text("\\begin{align*}\na &= b \\\\\nc &= d\n\\end{align*}\n")
    assert " ".join(made.split()) == "$$\\begin{align*} a &= b \\\\ c &= d \\end{align*}$$"


def test_macros_in_formulas() -> None:
    body = "\\newcommand{\\set}[2][n]{\\{#2_1,\\dots,#2_{#1}\\}}\n\\DeclareMathOperator{\\argmax}{arg\\,max}\n"
    assert text(body + "$\\set{x} \\argmax \\set[k]{y}$\n") == (
        "$\\{x_1,\\dots,x_{n}\\} \\operatorname{arg\\,max} \\{y_1,\\dots,y_{k}\\}$\n"
    )
    assert text("\\def\\R{\\mathbb R}$\\R x$ and \\ensuremath{\\R}\n") == "$\\mathbb R x$ and $\\mathbb R$\n"


def test_a_dollar_without_end() -> None:
    assert text("It costs 5$ a day.\n\nNext.\n") == "It costs 5$ a day.\n\nNext.\n"


# ---------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("``a'' --- b -- c", "“a” — b – c"),
        ("caf\\'e na\\\"{\\i}ve \\c{c}a \\v{s} \\~n", "café naïve ça š ñ"),
        ("\\& \\% \\$ \\# \\_ \\{ \\} \\textbackslash \\ldots{} \\S 3", "& % $ # _ { } \\ … § 3"),
        ("10\\,ms, Sec.~4, \\LaTeX{} \\o re", "10 ms, Sec. 4, LaTeX øre"),
        ("\\SI{5}{\\milli\\second} or \\SIrange{1}{2}{\\giga\\byte}", "5 ms or 1–2 GB"),
        ("\\emph{a \\textbf{b} c} or {\\it c} \\textsc{d} x\\textsuperscript{2}", "*a **b** c* or *c* d x^2"),
        ("\\unknown{one} \\other[opt]{two}{three} \\third", "one two three"),
        ("\\textcolor{red}{warm} \\hspace*{2em}\\vskip 3pt plus 1fil on \\rule{1pt}{2pt}", "warm on"),
        ("(see \\cite{x}) and [\\cite{y}, \\cite{z}] f()", "and f()"),
        ("\\iffalse hidden \\else shown\\fi", "shown"),
        ("\\newif\\ifdraft \\ifdraft no \\fi\\drafttrue\\ifdraft yes\\fi", "yes"),
    ],
)
def test_words(source: str, made: str) -> None:
    assert text(source + "\n").strip() == made


def test_macros() -> None:
    body = r"""\newcommand{\two}[2]{#2 then #1}
\renewcommand\two[2]{#1 and #2}
\NewDocumentCommand{\opt}{m O{none} s}{#1/#2}
\def\pair(#1,#2){#2-#1}
\let\same=\two
\newenvironment{note}[1]{\textbf{#1:} }{ (end)}
\two{a}{b} \same{c}{d} \opt{e} \opt{f}[g] \pair(1,2)

\begin{note}{Hint}inside\end{note}
"""
    assert text(body) == "a and b c and d e/none f/g 2-1\n\n**Hint:** inside (end)\n"


def test_footnotes() -> None:
    assert text("One\\footnote{First, \\emph{much}.} two\\footnote{Second.}.\n\nEnd.\n") == (
        "One[^1] two[^2].\n\nEnd.\n\n[^1]: First, *much*.\n\n[^2]: Second.\n"
    )


def test_references() -> None:
    body = "\\section{Lock order}\\label{sec:o}\nIn \\cref{sec:o}, \\Cref{fig:a} and \\autoref{tbl:b}; equation~(\\ref{eq:x}), \\nameref{sec:o}.\n"
    assert text(body).endswith("In “Lock order”, The figure and the table; equation, “Lock order”.\n")


def test_lists() -> None:
    body = (
        "\\begin{enumerate}[label=(\\alph*)]\n\\item One\n\\item Two\n\\begin{itemize}\n\\item[--] deep\n\\end{itemize}\n"
        "\\end{enumerate}\n\\begin{description}\n\\item[\\texttt{-v}] Talk.\n\\item[Plain] Text.\n\\end{description}\n"
    )
    assert text(body) == "1. One\n2. Two\n   - deep\n\n`-v`\n: Talk.\n\nPlain\n: Text.\n"


def test_tables() -> None:
    body = r"""\begin{table}
\caption{Numbers}
\begin{tabular}{@{}l|rr@{}}
\toprule
Name & \multicolumn{2}{c}{Cost} \\
\midrule
\texttt{a|b} & 1 & $x$ \\[2pt]
\multirow{2}{*}{both} & 2 & \begin{tabular}{@{}c@{}}up\\down\end{tabular} \\
\cmidrule(lr){2-3}
 & 3 & \\
\bottomrule
\end{tabular}
\end{table}
"""
    assert text(body) == (
        "Table 1: Numbers\n\n| Name | Cost |  |\n| --- | --- | --- |\n| `a\\|b` | 1 | $x$ |\n| both | 2 | up<br>down |\n|  | 3 |  |\n"
    )


def test_algorithms() -> None:
    body = r"""\begin{algorithm}\caption{Find}
\begin{algorithmic}[1]
\Require $n \ge 0$
\Function{find}{$x, y$}
\If{$x < y$} \State \Return $x$ \Comment{small}
\Else \State call \Call{g}{$y$}
\EndIf
\EndFunction
\end{algorithmic}\end{algorithm}
"""
    assert fences(text(body)) == [
        (
            "",
            "Require: $n \\ge 0$\nfunction find($x, y$)\n    if $x < y$ then\n        return $x$  // small\n    else\n"
            "        call g($y$)\n",
        )
    ]
    body = "\\begin{algorithm}[H]\n\\KwIn{$a$}\n\\eIf{$a$}{\n x \\gets 1\\;\n}{\n y\\;\n}\n\\caption{Choose}\n\\end{algorithm}\n"
    made = text(body)
    assert fences(made)[0][1].splitlines()[0] == "Input: $a$"
    assert "else\n    y\n" in fences(made)[0][1]
    assert made.endswith("\nChoose\n")


def test_frames_and_theorems() -> None:
    body = (
        "\\begin{frame}<1->{Title of it}\n\\begin{itemize}\n\\item<2-> point\n\\pause\n\\end{itemize}\n\\end{frame}\n"
        "\\newtheorem{thm}{Theorem}\n\\begin{thm}[Main] All is well. \\end{thm}\n\\begin{proof} Trivial. \\end{proof}\n"
    )
    assert text(body) == "### Title of it\n\n- point\n\n**Theorem (Main).** All is well.\n\n**Proof.** Trivial.\n"


# ---------------------------------------------------------------- many files


def flat(**files: str) -> list[tuple[str, str]]:
    return list(documents({name.replace("__", "/") + ".tex": body.encode() for name, body in files.items()}))


def document(body: str) -> str:
    return f"\\documentclass{{a}}\\begin{{document}}{body}\\end{{document}}"


def test_a_paper_is_one_document_however_many_files_it_has() -> None:
    assert flat(
        src__main=document("\\input{parts/one} % \\input{gone}\n\\include{two}"),
        src__parts__one="One \\input{deep} \\input{missing}",
        src__parts__deep="deep \\input{parts/one}",
        src__two="Two",
        other=document("x"),
        notes="a note",
    ) == [
        ("src/main.tex", document("One deep \\input{parts/one} \\input{missing} % \\input{gone}\nTwo")),
        ("other.tex", document("x")),
        ("notes.tex", "a note"),
    ]


def test_a_document_inside_another_is_its_body() -> None:
    assert flat(a=document("A"), main=document("\\subfile{a}B")) == [("main.tex", document("AB"))]


def test_documents_that_input_each_other() -> None:
    assert [name for name, _ in flat(a=document("\\input{b}"), b=document("\\input{a}"))] == ["a.tex"]
    assert [name for name, _ in flat(a=document("\\input{a}"))] == ["a.tex"]


def test_a_file_is_found_where_a_build_would_have_put_it() -> None:
    assert flat(main=document("\\input{out/one}"), text__one="One") == [("main.tex", document("One"))]
    twice = flat(main=document("\\input{out/one}"), text__one="One", draft__one="1")
    assert twice[0] == ("main.tex", document("\\input{out/one}"))


def test_inputs_without_end_are_bounded() -> None:
    files = {f"f{n}": "x" * 1000 + f"\\input{{f{n + 1}}}" * 10 for n in range(40)}
    main, *_ = flat(main=document("\\input{f0}"), **files)
    assert len(main[1]) < 100_000_000


def test_the_files_of_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "paper.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, body in (
            ("p/b.tex", "\\name{} waits"),
            ("p/a.tex", document("\\def\\name{Ring}\\input{b}")),
            ("p/x.md", "x"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body.encode()))
    found = [each for each in read_raw(str(archive), "paper.tar.gz", 1 << 20) if isinstance(each, Raw)]
    assert [each.name for each in found] == ["p/x.md", "p/a.tex"]
    assert read(found[1].body.decode()).text == "Ring waits\n"


# ---------------------------------------------------------------- hostile sources


@pytest.mark.parametrize(
    "body",
    [
        "\\def\\a{\\a\\a}\\a",
        "\\def\\a{x\\a}\\a",
        "".join(f"\\def\\{chr(97 + n)}x{{\\{chr(98 + n)}x\\{chr(98 + n)}x}}" for n in range(25)) + "\\ax",
        "\\newenvironment{e}{\\begin{e}}{}\\begin{e}",
    ],
)
def test_macro_bombs_end(body: str) -> None:
    with pytest.raises(Unreadable, match="parser_error"):
        read("Start.\n\n" + body)


@pytest.mark.parametrize(
    "body",
    [
        "{" * 50_000,
        "}" * 50_000,
        "\\begin{itemize}\\item " * 3000,
        "\\footnote{" * 3000,
        "\\section{" * 3000,
        "\\begin{tabular}{l}" * 2000,
        "\\begin{quote}" * 3000 + "x",
        "\\begin{verbatim}" * 3000,
        "\\begin{a}" * 3000 + "\\end{b}" * 3000,
        "$" * 5001,
        "\\begin{equation}" * 300,
        "\\unknown{" * 5000,
        "\\cite{" * 3000,
        "\\verb" * 3000,
        "\\item " * 3000 + "& " * 3000 + "\\\\" * 3000,
        "\\if" * 3000 + "\\ifx" * 3000 + "\\else\\fi",
        "\\newcommand" * 1000,
        "[" * 3000 + "\\emph[" * 3000,
        "\\begin{algorithm}\\If{" * 500,
        "a" * 200_000 + "\\cite{x}",
    ],
)
def test_hostile_sources_are_read_to_their_end(body: str) -> None:
    assert read("Start.\n\n" + body).text.startswith("Start.")


_PIECES = st.sampled_from(
    [
        "\\begin{itemize}",
        "\\end{itemize}",
        "\\item",
        "\\begin{tabular}{ll}",
        "\\end{tabular}",
        "&",
        "\\\\",
        "{",
        "}",
        "[",
        "]",
        "$",
        "\\footnote{",
        "\\textbf{",
        "\\section{",
        "\\caption{",
        "\\cite{a}",
        "\\ref{b}",
        "word",
        "\n\n",
        "%c\n",
        "\\begin{figure}",
        "\\end{figure}",
        "\\multicolumn{2}{c}",
        "\\[",
        "\\]",
        "\\verb.x.",
        "#1",
        "~",
        "\\item[",
    ]
)


@given(st.lists(_PIECES, max_size=40))
def test_no_source_breaks_the_reader(pieces: list[str]) -> None:
    assert read("Start.\n\n" + " ".join(pieces) + "\n").text.startswith("Start.")


@given(st.text(alphabet="\\abdefginot{}[]$&%~#^_ \n", max_size=200))
def test_no_characters_break_the_reader(body: str) -> None:
    assert read("Start.\n\n" + body + "\n").text.endswith("\n")


def test_references_are_the_numbers_of_what_they_refer_to() -> None:
    body = r"""See Figures~\ref{fig:a} and~\ref{fig:b}, \cref{tab:t}, and \Cref{fig:a,fig:b} on page~\pageref{fig:a}.
As shown in \cref{fig:a} on \cpageref{fig:a} (page~\pageref{fig:b}), line~\ref{l:two} of Listing~\ref{lst:x} uses
Equation~\eqref{eq:e}, and Section~\ref{sec:none} does not.
\begin{figure}\includegraphics{a}\caption{First}\label{fig:a}\end{figure}
\begin{figure*}
\begin{subfigure}{1em}\caption{Part}\end{subfigure}
\caption{Second \label{fig:b}}\end{figure*}
\begin{table}\caption{Third}\label{tab:t}\begin{tabular}{l}x\end{tabular}\end{table}
\begin{lstlisting}[caption=Code, label=lst:x]
one
two (*@\label{l:two}@*)
\end{lstlisting}
\begin{equation}\begin{cases} a \label{eq:e} & b \end{cases}\end{equation}
\begin{equation}c \label{eq:never}\end{equation}
"""
    made = text(body)
    assert made.startswith("See Figures 1 and 2, table 1, and Figures 1 and 2. As shown")
    assert "As shown in figure 1, line 2 of Listing 1 uses Equation (1), and Section does not." in " ".join(
        made.split()
    )
    for caption in ("Figure 1: First", "\nPart", "Figure 2: Second", "Table 1: Third", "Listing 1: Code"):
        assert caption in made
    assert "\\end{cases}\\tag{1}" in made and made.count("\\tag") == 1


def test_a_command_kept_under_another_name_is_no_loop() -> None:
    body = "\\let\\oldemph\\emph\\let\\oldsmile\\smile\\renewcommand{\\smile}[1]{[\\oldsmile{#1}]}\\smile{x} \\oldemph{y}\n"
    assert text(body) == "[x] *y*\n"


def test_marks_around_latex_in_listings_are_the_chosen_ones() -> None:
    body = "\\lstset{escapeinside={<@}{@>}}\n\\begin{lstlisting}\na <@\\textbf{b}@>\nc <@\\label{l}@>\nd  \n\\end{lstlisting}\n"
    assert fences(text(body)) == [("", "a b\nc\nd  \n")]
    body = "\\begin{lstlisting}[escapeinside={||}]\na |\\hl{b}|\n\\end{lstlisting}\n"
    assert fences(text(body)) == [("", "a b\n")]
