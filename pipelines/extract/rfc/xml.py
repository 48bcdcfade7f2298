"""RFCXML, the source form of RFCs and drafts (versions 2 and 3), to Markdown by way of HTML."""

from __future__ import annotations

import re
from collections import Counter
from html.entities import name2codepoint
from typing import Any

from lxml import etree

from manifests.models import ExtractSettings
from pipelines.extract.front_matter import iso_date
from pipelines.extract.guards import check_body, check_structure
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.write import heading

HEAD_BYTES = 4000
_MONTHS = "january february march april may june july august september october november december"
MONTHS = _MONTHS.split()

# What the format defines beyond HTML.
_CHARACTERS = {"nbhy": 0x2011, "zwsp": 0x200B, "wj": 0x2060, **name2codepoint}
_ENTITY = re.compile(rb"<!\[CDATA\[(?:[^\]]|\](?!\]>))*(?:\]\]>|\Z)|&([A-Za-z][\w.-]*);")
_XML_ENTITIES = frozenset([b"lt", b"gt", b"amp", b"quot", b"apos"])
_RFC = re.compile(rb"<rfc[\s>]")
_SECTIONS = frozenset(["section", "references", "abstract", "note"])
_CODE = frozenset(["sourcecode", "artwork"])
_TAGS = dict.fromkeys(["rfc", "front", "middle", "back", "figure", "texttable", *_SECTIONS], "div")
_TAGS |= dict.fromkeys(["u", "eref", "xref", "relref", "contact", "cref"], "span")
_TAGS |= {"t": "p", "preamble": "p", "postamble": "p", "aside": "blockquote"}
_TAGS |= {"tt": "code", "bcp14": "strong", "spanx": "em"}
_LABELLED = ("section", "references", "figure", "table", "texttable", "reference", "referencegroup")
_SECTION_FORMATS = {"bare": "{place}", "comma": "{text}, {place}", "parens": "{text} ({place})"}
_UNSHOWN_NAMES = "displayreference iref toc boilerplate link metadata svg area workgroup keyword date"
_UNSHOWN = frozenset(_UNSHOWN_NAMES.split())


def is_rfc_xml(body: bytes) -> bool:
    """Whether a body of XML is the source of an RFC or a draft."""
    return _RFC.search(body[:HEAD_BYTES]) is not None and b"<front" in body


def extract_rfc_xml(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that the source of an RFC holds; a pure function of its arguments.

    Nothing that the source refers to is opened. Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, recover=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(_ENTITY.sub(_character, body), parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable("parser_error", f"XML: {error}") from error
    front = root.find("front") if root is not None else None
    if root is None or root.tag != "rfc" or front is None:
        raise Unreadable("parser_error", "no rfc element with a front")
    title = _one_line(front.find("title"))
    authors = tuple(filter(None, (each.get("fullname", "") for each in front.iterfind("author"))))
    date = _date(front.find("date"))
    head = _head(root, front, authors, date)
    _shape(root)
    page = head + etree.tostring(root, encoding="unicode", method="html")
    check_structure(page, limits)
    text = to_markdown(page).strip("\n")
    if not text:
        raise NoText
    found = {key: "front" for key, value in (("date", date), ("authors", authors)) if value}
    whole = (heading(1, title) + "\n\n" if title else "") + text + "\n"
    return Page(title, whole, (), "rfcxml", date=date, authors=authors, found=found)


def _head(root: Any, front: Any, authors: tuple[str, ...], date: str) -> str:
    """The facts of the first page as a list."""
    number, draft = root.get("number"), root.get("docName")
    facts = [f"Request for Comments: {number}" if number else draft or ""]
    facts += [f"{key.capitalize()}: {root.get(key)}" for key in ("obsoletes", "updates", "category") if root.get(key)]
    element = etree.Element("ul")
    for fact in (*facts, *authors, date):
        if fact:
            etree.SubElement(element, "li").text = fact
    for gone in [each for each in front if each.tag not in ("abstract", "note")]:
        front.remove(gone)
    return str(etree.tostring(element, encoding="unicode", method="html"))


def _shape(root: Any) -> None:
    """Turn the tree into HTML in its place."""
    labels = _labels(root)
    for node in list(root.iter()):
        tag = node.tag
        if tag in _UNSHOWN:
            _leave(node)
        elif tag in _SECTIONS:
            _shape_section(node, labels)
        elif tag in _CODE:
            _shape_code(node)
        elif tag in ("xref", "relref", "eref"):
            _shape_link(node, labels)
        elif tag == "list":
            _shape_list(node)
        elif tag in ("reference", "referencegroup"):
            _shape_reference(node)
        elif tag in ("figure", "texttable", "table"):
            _shape_figure(node, labels)
    for node in root.iter():
        tag = _TAGS.get(node.tag, node.tag)
        node.tag = tag
        kept = {key: value for key, value in node.attrib.items() if key in ("class", "start", "colspan", "rowspan")}
        node.attrib.clear()
        node.attrib.update(kept)


def _labels(root: Any) -> dict[Any, str]:
    """What sections, figures and tables are called, by node and by anchor."""
    labels: dict[Any, str] = {}
    counts: Counter[Any] = Counter()
    shown = {each.get("target"): each.get("to") for each in root.iter("displayreference")}
    for node in root.iter(*_LABELLED):
        above = node.getparent()
        if node.tag in ("section", "references") and node.get("numbered") != "false":
            in_back = above.tag == "back" and node.tag == "section"
            # References are numbered on from the sections before them.
            key = "appendix" if in_back else ("top" if above.tag in ("middle", "back") else above)
            counts[key] += 1
            number = chr(64 + min(counts[key], 26)) if in_back else str(counts[key])
            inside = labels.get(above, "").rpartition(" ")[2]
            kind = "Appendix" if in_back or labels.get(above, "").startswith("Appendix") else "Section"
            labels[node] = f"{kind} {inside}.{number}" if inside else f"{kind} {number}"
        elif node.tag in ("reference", "referencegroup"):
            labels[node] = f"[{shown.get(node.get('anchor')) or node.get('anchor', '')}]"
        elif node.tag != "section" and (node.find("name") is not None or node.get("title") or node.get("anchor")):
            kind = "Figure" if node.tag == "figure" else "Table"
            counts[kind] += 1
            labels[node] = f"{kind} {counts[kind]}"
        if node.get("anchor") and node in labels:
            labels[node.get("anchor")] = labels[node]
    return labels


def _shape_section(node: Any, labels: dict[Any, str]) -> None:
    name = node.find("name")
    text = _one_line(name) or node.get("title") or ("Abstract" if node.tag == "abstract" else "")
    if name is not None:
        node.remove(name)
    level = 1 + sum(1 for _ in node.iterancestors(*_SECTIONS)) + 1
    # As the text form has it: `1.2.`, `Appendix A.`, `A.1.`
    label = labels.get(node, "")
    number = label if label.startswith("Appendix") and "." not in label else label.rpartition(" ")[2]
    title = etree.Element(f"h{min(level, 6)}")
    title.text = f"{number}. {text}".strip() if number else text
    if title.text:
        node.insert(0, title)


def _shape_code(node: Any) -> None:
    language = re.sub(r"[^\w+#.-]", "", node.get("type", "")).lower() if node.tag == "sourcecode" else ""
    text = "".join(node.itertext()).strip("\n")
    tail = node.tail
    node.clear()
    node.tag, node.tail = "pre", tail
    code = etree.SubElement(node, "code")
    code.text = text
    if language:
        code.set("class", f"language-{language}")


def _shape_link(node: Any, labels: dict[Any, str]) -> None:
    if len(node) or (node.text or "").strip():
        return
    target = node.get("target", "")
    label = labels.get(target) or f"[{target}]"
    text = target if node.tag == "eref" else node.get("derivedContent") or label
    if node.tag != "eref" and label.startswith("["):
        text = f"[{text.strip('[]')}]"
    if section := node.get("section"):
        place = f"{'Section' if section[0].isdigit() else 'Appendix'} {section}"
        pattern = _SECTION_FORMATS.get(node.get("sectionFormat", "of"), "{place} of {text}")
        text = pattern.format(place=place, text=text)
    node.text = text


def _shape_list(node: Any) -> None:
    """A list of version 2: with marks, with numbers, or with terms."""
    style = node.get("style", "")
    terms = "hanging" in style or any(each.get("hangText") for each in node)
    node.tag = "dl" if terms else "ol" if style.startswith(("numbers", "letters", "format")) else "ul"
    for each in list(node):
        if terms:
            term = etree.Element("dt")
            term.text = each.get("hangText") or ""
            each.addprevious(term)
        each.tag = "dd" if terms else "li"


def _shape_reference(node: Any) -> None:
    front = node.find("front") if node.tag == "reference" else None
    parts = []
    if front is not None:
        names = [each.get("fullname") or _one_line(each) for each in front.iterfind("author")]
        parts = [", ".join(filter(None, names)), f'"{_one_line(front.find("title"))}"']
        parts += [f"{each.get('name', '')} {each.get('value', '')}".strip() for each in node.iterfind(".//seriesInfo")]
        parts += [_date(front.find("date")), f"<{node.get('target')}>" if node.get("target") else ""]
    elif node.tag == "referencegroup":
        return
    anchor, tail = node.get("anchor", ""), node.tail
    node.clear()
    node.tag, node.tail = "p", tail
    node.text = f"[{anchor}] " + ", ".join(part for part in parts if part)


def _shape_figure(node: Any, labels: dict[Any, str]) -> None:
    name = node.find("name")
    text = _one_line(name) or node.get("title") or ""
    if name is not None:
        node.remove(name)
    if node.tag == "texttable":
        _shape_table(node)
    if label := ": ".join(filter(None, [labels.get(node, ""), text])) if text else "":
        caption = etree.Element("p")
        caption.text, caption.tail = label, node.tail
        node.tail = None
        node.addnext(caption)


def _shape_table(node: Any) -> None:
    """The columns and cells of version 2 as rows."""
    heads, cells = node.findall("ttcol"), node.findall("c")
    table = etree.Element("table")
    width = max(1, len(heads))
    for at in range(0, width + len(cells), width):
        row = etree.SubElement(table, "tr")
        for each in (heads + cells)[at : at + width]:
            each.tag = "th" if at == 0 else "td"
            row.append(each)
    node.append(table)


def _character(match: re.Match[bytes]) -> bytes:
    """A named entity as a character; nothing for one that stands for another file. The parser would lose more."""
    name = match.group(1)
    if name is None or name in _XML_ENTITIES:
        return match.group()
    code = _CHARACTERS.get(name.decode())
    return f"&#{code};".encode() if code else b""


def _leave(node: Any) -> None:
    """Take a node out, its tail kept."""
    above, before = node.getparent(), node.getprevious()
    if above is None:
        return
    if before is not None:
        before.tail = (before.tail or "") + (node.tail or "")
    else:
        above.text = (above.text or "") + (node.tail or "")
    above.remove(node)


def _date(node: Any) -> str:
    if node is None or not node.get("year"):
        return ""
    year, month, day = node.get("year"), node.get("month", "").lower(), node.get("day", "")
    number = MONTHS.index(month) + 1 if month in MONTHS else int(month) if month.isdecimal() else 0
    if not number:
        return year if year.isdecimal() else ""
    return iso_date(f"{year}-{number}-{day}") or f"{year}-{number:02d}" if day else f"{year}-{number:02d}"


def _one_line(node: Any) -> str:
    return " ".join("".join(node.itertext()).split()) if node is not None else ""
