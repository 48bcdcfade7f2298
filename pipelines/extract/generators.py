"""Where the generators of documentation put their content, and what they put around it.

A table, tried from top to bottom. Selectors are CSS; `main` is tried in its order.
"""

from __future__ import annotations

from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode


@dataclass(frozen=True)
class Generator:
    """One generator: how its pages are known, which element holds the content, what in it is chrome.

    A page is the generator's if its `meta name=generator` begins with `meta` (lower case), or if an
    element matches `marker`. `heading` is the title of the page where it is no heading element.
    """

    name: str
    main: tuple[str, ...]
    meta: str = ""
    marker: str = ""
    drop: str = ""
    heading: str = ""


GENERATORS = (
    Generator(
        "sphinx",
        marker="div.documentwrapper, div.rst-content, article.bd-article, article#furo-main-content",
        main=(
            "div.body",
            "div.rst-content [itemprop=articleBody]",
            "div.rst-content [role=main]",
            "article.bd-article",
            "article#furo-main-content",
            "div.rst-content",
        ),
        drop="a.viewcode-link, a.viewcode-back, div.related, div.sphinxsidebar, div.prev-next-area, "
        "div.rst-footer-buttons, div.rst-breadcrumbs-buttons, div.sphinx-tabs [role=tablist]",
    ),
    Generator(
        "doxygen",
        meta="doxygen",
        main=("body",),
        drop="#top, #titlearea, #main-nav, #nav-path, #side-nav, #navrow1, #navrow2, #navrow3, div.tabs, "
        "div.navpath, div.navtab, div.header div.summary, #MSearchSelectWindow, #MSearchResultsWindow, "
        "#doc-content > .ttc, div.ttc, div.dynheader, div.dyncontent, address.footer, div.footer, "
        "hr.footer, ul.footer, span.permalink, div.levels, span.icona, span.arrow, "
        'tr[class^="separator"]',
        heading="div.headertitle div.title",
    ),
    Generator(
        "docbook xsl",
        meta="docbook xsl",
        main=("body",),
        drop="div.navheader, div.navfooter, div.toc, div.list-of-figures, div.list-of-tables, "
        "div.list-of-examples, div.note td img, div.tip td img, div.important td img, div.warning td img, "
        "div.caution td img",
    ),
    Generator(
        "publican",
        marker='link[href*="Common_Content"], ul.docnav',
        main=("body",),
        drop="ul.docnav, #title, #breadcrumbs, #navigation, div.toc",
    ),
    Generator("antora", marker="article.doc", main=("article.doc",), drop="aside.toc, nav.pagination"),
    Generator("asciidoctor, asciidoc", meta="asciidoc", main=("body",), drop="#toc, div.toc, #footer, #footer-text"),
    Generator(
        "texinfo",
        marker='meta[content^="texi2any"], meta[content^="makeinfo"], table.menu[border="0"]',
        main=("body",),
        drop="div.header, div.nav-panel, div.node > table, table.menu, div.contents, div.shortcontents, "
        "div.Contents_element, div.SContents_element, .copiable-link, .copiable-anchor, .tooltip, hr",
    ),
    Generator(
        "mandoc",
        marker="table.head + div.manual-text, main.manual-text, div.mandoc",
        main=("main.manual-text", "div.manual-text", "div.mandoc"),
        drop="table.head, table.foot, div.head, div.foot",
    ),
    Generator("groff", meta="groff", main=("body",)),
    Generator(
        "apache manual",
        marker="#page-content #preamble, #page-header + div.up",
        main=("#page-content", "body"),
        drop="#quickview, #page-header, #path, #footer, #comments_section, div.toplang, div.bottomlang, "
        "div.up, div.top",
    ),
    Generator(
        "docutils",
        meta="docutils",
        main=("main", "div.document", "body"),
        drop="div.contents.topic, div.header, div.footer",
    ),
    Generator(
        "rustdoc",
        meta="rustdoc",
        main=("#main-content", "main"),
        drop="nav.sidebar, rustdoc-toolbar, rustdoc-search, #copy-path, span.out-of-band, a.src, a.srclink, "
        "div.setting-line, #search, a.scrape-help, summary.hideme",
    ),
    Generator(
        "mediawiki",
        meta="mediawiki",
        marker="div.mw-parser-output, #mw-content-text",
        main=("#mw-content-text", "div.mw-parser-output"),
        drop=".mw-editsection, #toc, .toc, .navbox, .catlinks, .printfooter, .mw-jump-link, .noprint, "
        ".metadata, .mw-indicators",
    ),
    Generator("javadoc", meta="javadoc", main=("main", "div.contentContainer", "body"), drop="div.sub-nav"),
    Generator(
        "mkdocs",
        marker="article.md-content__inner",
        main=("article.md-content__inner",),
        drop=".md-content__button, .md-source-file, .md-feedback, .md-tags",
    ),
    Generator(
        "docusaurus",
        marker="div.theme-doc-markdown",
        main=("div.theme-doc-markdown",),
        drop=".theme-edit-this-page",
    ),
    Generator("mdbook", marker="#content main, #mdbook-content main", main=("#content main", "#mdbook-content main")),
    Generator("docsy", marker="div.td-content", main=("div.td-content",), drop="div.feedback--title, .td-page-meta"),
    Generator(
        "discourse",
        meta="discourse",
        main=("#main-outlet",),
        drop="#related-topics, #suggested-topics, div.more-topics__container, .crawler-linkback-list, .category-title",
    ),
    Generator("rendered markdown", marker="article.markdown-body", main=("article.markdown-body",)),
)

# Marked by the page itself; taken if there is exactly one and it holds enough of the page's text.
MARKED = ("article", "main", "[role=main]")
MIN_SHARE_OF_MARKED = 0.4


def find_main(tree: LexborHTMLParser, meta: str) -> tuple[LexborNode, str, str] | None:
    """The element with the content, and the selectors of its chrome and its title; None if unknown.

    meta: the page's `meta name=generator`, lower case, or empty.
    """
    for generator in GENERATORS:
        known = generator.meta and meta.startswith(generator.meta)
        if not known and not (generator.marker and tree.css_first(generator.marker)):
            continue
        for selector in generator.main:
            node = tree.css_first(selector)
            if node is not None and node.text().strip():
                return node, generator.drop, generator.heading
    return _marked(tree)


def _marked(tree: LexborHTMLParser) -> tuple[LexborNode, str, str] | None:
    """The only `article`, or `main`, unless most of the page's text is outside it."""
    for selector in MARKED:
        nodes = {node.mem_id: node for node in tree.css(selector)}
        if len(nodes) == 1:
            node = next(iter(nodes.values()))
            if tree.body is not None and len(node.text()) >= MIN_SHARE_OF_MARKED * len(tree.body.text()):
                return node, "", ""
    return None
