"""A list of records of the Open Archives protocol (https://www.openarchives.org/OAI/openarchivesprotocol.html, 2.0).

Of a record: its header, and what arXiv says of a paper in its own format, `arXiv`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lxml import etree

#: Errors of the protocol that only say that a list must be asked for again, or that it is empty.
EXPIRED = "badResumptionToken"
NOTHING = "noRecordsMatch"

_CHUNK = 1 << 16
_PAPER = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?/\d{7})\Z")
_TAGS = ("{*}record", "{*}error", "{*}resumptionToken", "{*}OAI-PMH")


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper by its arXiv identifier, without a version; `datestamp` is that of its record, an ISO 8601 date.

    `licence` is the URL that is stated, empty where none is; `categories` are parted by spaces, the primary first.
    """

    id: str
    datestamp: str
    is_deleted: bool = False
    title: str = ""
    authors: tuple[str, ...] = ()
    categories: str = ""
    licence: str = ""


@dataclass(slots=True)
class Listed:
    """One response: its papers, and the token for the next, empty behind the last.

    `error` is a code of the protocol. `faults`: what was wrong with it, one line each. One that `is_cut` is no XML from
    some place on; its papers are those before.
    """

    papers: list[Paper] = field(default_factory=list)
    token: str = ""
    error: str = ""
    faults: list[str] = field(default_factory=list)
    is_cut: bool = False


def read_list(body: bytes) -> Listed:
    """What a response to ListRecords says."""
    listed = Listed()
    parser = etree.XMLPullParser(
        events=("end",), tag=_TAGS, resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True
    )
    is_whole = False
    try:
        for start in range(0, len(body), _CHUNK):
            parser.feed(body[start : start + _CHUNK])
            for _, element in parser.read_events():
                is_whole = is_whole or _is(element, "OAI-PMH")
                _take(element, listed)
        parser.close()
    except etree.XMLSyntaxError as error:
        listed.is_cut = True
        listed.faults.append(f"it ends behind {len(listed.papers)} records: {error}")
    else:
        if not is_whole:
            listed.is_cut = True
            listed.faults.append("it is no response of OAI-PMH")
    return listed


def _take(element: etree._Element, listed: Listed) -> None:
    if _is(element, "resumptionToken"):
        listed.token = _text(element, ".")
    elif _is(element, "error"):
        listed.error = element.get("code") or "unknown"
        listed.faults.append(f"{listed.error}: {_text(element, '.')}"[:300])
    elif _is(element, "record"):
        paper = _paper(element)
        if paper is None:
            listed.faults.append(
                f"a record without an identifier of arXiv: {_text(element, './/{*}identifier')[:80]!r}"
            )
        else:
            listed.papers.append(paper)
        element.clear()


def _paper(record: etree._Element) -> Paper | None:
    """The paper of a record; None where its identifier is none."""
    identity = _text(record, "{*}header/{*}identifier").rpartition(":")[2]
    header = record.find("{*}header")
    if header is None or not _PAPER.match(identity):
        return None
    told = "{*}metadata/{*}arXiv/{*}"
    return Paper(
        id=identity,
        datestamp=_text(record, "{*}header/{*}datestamp")[:10],
        is_deleted=header.get("status") == "deleted",
        title=_text(record, f"{told}title"),
        authors=tuple(_name(each) for each in record.iterfind(f"{told}authors/{{*}}author")),
        categories=_text(record, f"{told}categories"),
        licence=_text(record, f"{told}license"),
    )


def _name(author: etree._Element) -> str:
    parts = (_text(author, f"{{*}}{part}") for part in ("forenames", "keyname", "suffix"))
    return " ".join(part for part in parts if part)


def _text(element: etree._Element, path: str) -> str:
    return " ".join((element.findtext(path) or "").split())


def _is(element: etree._Element, name: str) -> bool:
    return bool(etree.QName(element).localname == name)
