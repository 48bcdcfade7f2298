"""Which part of a page is its content, for the judge: an own list, kept apart from the product's."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from benchmarks.extract.dom import Tree, find, matches

# The first that is there is the content of the page.
MAIN = (
    "article#furo-main-content",
    "article.bd-article",
    "div[itemprop=articleBody]",
    "div#mw-content-text",
    "section#main-content",
    "section#main",
    "article.md-content__inner",
    "div.theme-doc-markdown",
    "div.td-content",
    "article.markdown-body",
    "article.doc",
)
DOXYGEN = "div.contents"
SPHINX = "div.documentwrapper"
# Only where there is one of them.
MARKED = ("[role=main]", "main", "article")

NAVIGATION = (
    "nav, aside, footer, dialog, noscript, script, style, template, [role=navigation], [role=search], "
    "div.sphinxsidebar, div.related, div.navheader, div.navfooter, div.toc, div#toc, div.tocwrapper, ul.docnav, "
    "div#top, div#nav-path, div.navpath, div.header, div.nav-panel, div.contents-element, div.breadcrumbs, "
    "table.navigation, table.menu, div#quickview, div#path, div.toplang, div.bottomlang, div#comments_section, "
    "div.top-nav, div.bottom-nav, div.sub-nav, div.navtable, table.ntop, div.nav-wrapper"
)
# Inside a block or a cell: numbers of lines, and what one clicks on.
NO_TEXT = (
    "script, style, template, button, input, select, clipboard-copy, td.linenos, td.gutter, td.rouge-gutter, td.listing_lines, "
    "td.blob-num, td.hljs-ln-numbers, span.linenos, span.lineno, span.ln, span.lnt, span.line-number, pre.lineno, "
    "div.linenodiv, span.line-numbers-rows, span.line-numbers, pre.src-line-numbers, pre.rust-line-numbers, "
    "pre.line-numbers[aria-hidden], .copybtn, .copy-button, a.headerlink, a.copiable-link, a.copiable-anchor, "
    "a.test-arrow, summary.hideme, span.notable-traits, div.ttc, span.mw-editsection, a.viewcode-back, a.viewcode-link"
)


def main_node(tree: Tree) -> Element:
    """The element that holds the content of a page."""
    for selector in MAIN:
        if (found := next(find(tree.root, selector), None)) is not None:
            return found
    if (wrapper := next(find(tree.root, SPHINX), None)) is not None:
        return next(find(wrapper, "div.body"), wrapper)
    generator = next(find(tree.root, "meta[name=generator]"), None)
    if generator is not None and generator.get("content", "").startswith("Doxygen"):
        return next(find(tree.root, DOXYGEN), tree.root)
    for selector in MARKED:
        found_all = list(find(tree.root, selector))
        if len(found_all) == 1:
            return found_all[0]
    return next(find(tree.root, "body"), tree.root)


def is_content(tree: Tree, main: Element, element: Element) -> bool:
    """Whether an element below the content's is no part of navigation in it, and no gutter."""
    for above in (element, *tree.ancestors(element)):
        if above is main:
            return True
        if matches(above, NAVIGATION) or matches(above, NO_TEXT):
            return False
    return False
