"""What is known of commands and environments of LaTeX: which arguments are left out, what styles mean, what to drop."""

from __future__ import annotations

# Commands that leave nothing but the arguments behind these: s a star, o optional, m mandatory.
_SKIPPED = (
    "label:m index:om indexemph:m sindex:om vspace:sm hspace:sm vskip:d hskip:d kern:d mkern:d rule:omm setlength:mm "
    "addtolength:mm settowidth:mm setcounter:mm addtocounter:mm stepcounter:m refstepcounter:m usepackage:om "
    "RequirePackage:om documentclass:om documentstyle:om input:m include:m includeonly:m subfile:m import:mm "
    "subimport:mm bibliography:m bibliographystyle:m addbibresource:om printbibliography:o nocite:m pagestyle:m "
    "thispagestyle:m pagenumbering:m graphicspath:m includegraphics:som includesvg:om includepdf:om hypersetup:m "
    "geometry:m lstset:m lstdefinestyle:mm lstdefinelanguage:omom lstinputlisting:om inputminted:omm VerbatimInput:om "
    "verbatiminput:m captionsetup:om definecolor:mmm colorlet:omm color:om textcolor:om colorbox:om fcolorbox:omm "
    "pagecolor:om rowcolor:om cellcolor:om columncolor:om rowcolors:ommm hyperlink:m hypertarget:m phantom:m "
    "hphantom:m vphantom:m resizebox:smm scalebox:mo rotatebox:om raisebox:moo parbox:ooom makebox:oo framebox:oo "
    "adjustbox:m fontsize:mm selectfont: fontfamily:m fontseries:m fontshape:m linespread:m usetikzlibrary:m "
    "tikzset:m pgfplotsset:m pgfkeys:m tikz:om draw:d theoremstyle:m numberwithin:mm newcounter:mo newlength:m "
    "newsavebox:m savebox:moom sbox:mm usebox:m usefonttheme:om usetheme:om usecolortheme:om setbeamertemplate:mom "
    "setbeamercolor:mm setbeamerfont:mm AtBeginSection:om AtBeginDocument:m institute:om logo:m titlegraphic:m "
    "affiliation:m email:m orcid:m authornote:m authornotemark:o city:m country:m institution:m streetaddress:m "
    "postcode:m state:m acmConference:ommm acmBooktitle:m acmISBN:m acmDOI:m acmPrice:m acmYear:m acmJournal:m "
    "acmVolume:m acmNumber:m acmArticle:m acmMonth:m copyrightyear:m setcopyright:m ccsdesc:om received:om "
    "setcitestyle:m isbn:m doi:m conferenceinfo:mm settopmatter:m thanks:m footnotetext:om markboth:mm markright:m "
    "pdfbookmark:omm addcontentsline:mmm addtocontents:mm hyphenation:m newcolumntype:mom titleformat:smmmmmo "
    "titlespacing:smmmm newacronym:mmm makeglossary: newglossaryentry:mm sisetup:m cmidrule:opm cline:m "
    "specialrule:mmm addlinespace:o hline: toprule:o midrule:o bottomrule:o enlargethispage:sm pagebreak:o "
    "nopagebreak:o linebreak:o nolinebreak:o href:m setmainfont:om "
    "setsansfont:om setmonofont:om newfontfamily:mom DeclareUnicodeCharacter:mm multirow:omom subfloatlabel:m "
    "subref:m tag:m write:m immediate: special:m PassOptionsToPackage:mm setminted:om todo:om marginpar:om "
    "marginnote:om FloatBarrier: acknowledgments: counterwithin:smm crefname:mmm Crefname:mmm newtcolorbox:omm "
    "tcbset:m algnewcommand:mom newlist:mmm setlist:om restylefloat:m floatstyle:m newfloat:mmm floatname:mm "
    "thefootnote: bstctlcite:m Hy@raisedlink:m IEEEauthorblockA:m balance: raggedright: centering: noindent: indent: "
    "newpage: clearpage: cleardoublepage: maketitle: tableofcontents: listoffigures: listoftables: printindex: "
    "makeindex: appendix: frontmatter: mainmatter: backmatter: small: large: Large: LARGE: huge: Huge: tiny: "
    "scriptsize: footnotesize: normalsize: bigskip: medskip: smallskip: hfill: vfill: hrulefill: sloppy: fussy: "
    "samepage: boldmath: unboldmath: flushbottom: raggedbottom: raggedleft: onecolumn: twocolumn:o singlespacing: "
    "doublespacing: onehalfspacing: ignorespaces: unskip: strut: null: nonumber: notag: makeatletter: makeatother: "
    "endinput: expandafter: noexpand: global: long: xspace: allowbreak: frenchspacing: nonfrenchspacing: pause:o "
    "titlepage: smaller: larger:o relax: hss: vss: hfil: vfil: lstlistoflistings: qedhere: qed: displaystyle: "
    "textstyle: footnotemark:o newblock: IfFileExists:mm "
)
SKIPPED = {f"\\{name}": kinds for name, _, kinds in (each.partition(":") for each in _SKIPPED.split())}
# Commands whose argument stands in an element; those of an empty name add none.
STYLES = {
    **dict.fromkeys(("\\textbf", "\\alert", "\\strong"), "strong"),
    **dict.fromkeys(("\\emph", "\\textit", "\\textsl", "\\textem"), "em"),
    **dict.fromkeys(("\\texttt", "\\lstinline", "\\mintinline", "\\verb", "\\path"), "code"),
    "\\textsuperscript": "sup",
    "\\textsubscript": "sub",
}
# Names that documents without their preamble use for code; a definition goes before this.
CODE = frozenset(
    f"\\{name}"
    for name in [
        "co",
        "tco",
        "qco",
        "nbco",
        "code",
        "cmd",
        "func",
        "fn",
        "file",
        "ident",
        "proc",
        "api",
        "apik",
        "keyword",
        "prog",
        "var",
    ]
)
DECLARATIONS = {
    **dict.fromkeys(("\\bf", "\\bfseries"), "strong"),
    **dict.fromkeys(("\\it", "\\itshape", "\\em", "\\sl", "\\slshape"), "em"),
    **dict.fromkeys(("\\tt", "\\ttfamily"), "code"),
    **dict.fromkeys(
        ("\\rm", "\\rmfamily", "\\sf", "\\sffamily", "\\normalfont", "\\upshape", "\\mdseries", "\\sc", "\\scshape"), ""
    ),
}
SECTIONS = {
    "\\part": 1,
    "\\chapter": 1,
    "\\section": 2,
    "\\subsection": 3,
    "\\subsubsection": 4,
    "\\frametitle": 3,
    "\\addchap": 1,
}
SECTIONS |= {"\\framesubtitle": 4, "\\addsec": 2}
RUN_IN = frozenset({"\\paragraph", "\\subparagraph", "\\minisec"})
CITATIONS = frozenset(
    f"\\{name}"
    for name in [
        "cite",
        "citep",
        "citet",
        "citealp",
        "citealt",
        "citeauthor",
        "citeyear",
        "citeyearpar",
        "citenum",
        "parencite",
        "textcite",
        "autocite",
        "footcite",
        "supercite",
        "fullcite",
        "footfullcite",
        "Cite",
        "Citet",
        "Citep",
        "shortcite",
        "citen",
        "citeA",
        "citeasnoun",
        "onlinecite",
        "Textcite",
        "Parencite",
    ]
)
REFERENCES = {f"\\{name}": False for name in ["ref", "eqref", "subref", "Ref", "nameref", "fullref", "pref"]}
REFERENCES |= {f"\\{name}": True for name in ["cref", "Cref", "autoref", "vref", "Vref", "fref", "Fref"]}
KINDS = {
    **dict.fromkeys(("fig", "figure", "f"), "figure"),
    **dict.fromkeys(("tab", "tbl", "table", "t"), "table"),
    **dict.fromkeys(("eq", "eqn", "equation", "e"), "equation"),
    **dict.fromkeys(("lst", "listing", "ln", "code"), "listing"),
    **dict.fromkeys(("sec", "sect", "section", "subsec", "ssec", "s"), "section"),
    **dict.fromkeys(("ch", "chap", "chp", "chapter"), "chapter"),
    **dict.fromkeys(("app", "appendix"), "appendix"),
    **dict.fromkeys(("alg", "algo", "algorithm"), "algorithm"),
    **dict.fromkeys(("thm", "theorem"), "theorem"),
    **dict.fromkeys(("lem", "lemma"), "lemma"),
    **dict.fromkeys(("def", "defn"), "definition"),
}
LISTS = {
    **dict.fromkeys(("itemize", "compactitem", "itemize*", "list", "trivlist", "inparaitem", "asparaitem"), "ul"),
    **dict.fromkeys(("enumerate", "compactenum", "enumerate*", "inparaenum", "asparaenum", "sequence"), "ol"),
    **dict.fromkeys(("description", "compactdesc", "labeling"), "dl"),
}
TABLES = {
    "tabular": "om",
    "tabular*": "mom",
    "tabularx": "mom",
    "tabulary": "mom",
    "longtable": "om",
    "tabu": "t",
    "tabu*": "t",
}
TABLES |= {"supertabular": "om", "xtabular": "om", "longtabu": "t", "array": "om", "tblr": "om", "longtblr": "om"}
QUOTES = frozenset({"quote", "quotation", "verse", "displayquote"})
THEOREMS = {
    name: name.capitalize()
    for name in ["theorem", "lemma", "proof", "definition", "corollary", "proposition", "remark", "example", "claim"]
}
THEOREMS |= {"block": "", "alertblock": "", "exampleblock": ""}
DROPPED = frozenset({"thebibliography", "references", "theindex", "acronym"})
ALGORITHMS = frozenset(
    {"algorithmic", "algorithm", "algorithm*", "algorithm2e", "procedure", "function", "pseudocode", "algo"}
)
# Arguments of other environments, which are transparent.
ENVIRONMENTS: dict[str, str] = {}
ENVIRONMENTS |= dict.fromkeys(["minipage"], "ooom")
ENVIRONMENTS |= dict.fromkeys(
    ["multicols", "spacing", "adjustbox", "otherlanguage", "lrbox", "multicols*", "textblock"], "m"
)
ENVIRONMENTS |= dict.fromkeys(["adjustwidth", "CJK", "CJK*", "resizebox"], "mm")
ENVIRONMENTS |= dict.fromkeys(["wrapfigure", "wraptable"], "omom")
ENVIRONMENTS |= dict.fromkeys(["subfigure", "subtable", "column"], "om")
ENVIRONMENTS |= dict.fromkeys(
    [
        "threeparttable",
        "columns",
        "tcolorbox",
        "mdframed",
        "fcvref",
        "fcvlabel",
        "sidewaystable",
        "sidewaystable*",
        "figure",
        "figure*",
        "table",
        "table*",
        "listing",
        "listing*",
    ],
    "o",
)
ENVIRONMENTS |= dict.fromkeys(["appendices", "onlyenv", "center", "document"], "")
# Of each float what its caption says it is.
FLOATS = {
    **dict.fromkeys(("figure", "figure*", "wrapfigure", "sidewaysfigure", "sidewaysfigure*", "SCfigure"), "figure"),
    **dict.fromkeys(("table", "table*", "wraptable", "sidewaystable", "sidewaystable*", "longtable"), "table"),
    **dict.fromkeys(("listing", "listing*"), "listing"),
    **dict.fromkeys(("algorithm", "algorithm*", "algorithm2e"), "algorithm"),
}
_DISPLAYS = (
    "equation displaymath align alignat flalign gather multline eqnarray dmath split math IEEEeqnarray subequations"
)
FORMULAS = frozenset(f"{name}{star}" for name in _DISPLAYS.split() for star in ("", "*"))
