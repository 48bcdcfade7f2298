"""Licences as pages name them, by link or in a sentence, to SPDX identifiers (https://spdx.org/licenses/)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice, pairwise

#: A page that names more licences than this is about licences.
MOST_LICENCES = 3

_TEXT_CHARACTERS = 4000
_URL_CHARACTERS = 500
_CLAUSE_CHARACTERS = 120
_GAP_CHARACTERS = 40
_MOST_NAMES = 20

_CC_URL = re.compile(
    r"creativecommons\.org/(?:licen[cs]es/(by(?:-nc)?(?:-nd|-sa)?|by-(?:nd|sa)-nc)/([1-4]\.[05])(?:/([a-z]{2,3})(?![a-z.-]))?"
    r"|(publicdomain/(?:zero|mark)/1\.0))(?![\w.])"
)
_SPDX_URL = re.compile(r"spdx\.org/licenses/([A-Za-z0-9.+-]{2,40}?)(?:\.html|\.json)?/?\Z")
_SCHEME = re.compile(r"\Ahttps?://(?:www\.)?", re.IGNORECASE)
_URL_END = re.compile(r"(?:\.html?|\.txt|\.php|\.en)*/*\Z")

_BY_NAME = {
    "mit": "MIT",
    "mit-license": "MIT",
    "apache-2.0": "Apache-2.0",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-license": "BSD-2-Clause",
    "isc": "ISC",
    "isc-license": "ISC",
    "mpl-2.0": "MPL-2.0",
    "epl-2.0": "EPL-2.0",
    "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-3.0": "LGPL-3.0-only",
    "agpl-3.0": "AGPL-3.0-only",
    "fdl-1.1": "GFDL-1.1-only",
    "fdl-1.2": "GFDL-1.2-only",
    "fdl-1.3": "GFDL-1.3-only",
    "unlicense": "Unlicense",
    "cc0-1.0": "CC0-1.0",
    "cc-by-4.0": "CC-BY-4.0",
    "cc-by-sa-4.0": "CC-BY-SA-4.0",
    "0bsd": "0BSD",
    "postgresql": "PostgreSQL",
}
_LISTS = (
    "opensource.org/licenses/",
    "opensource.org/license/",
    "choosealicense.com/licenses/",
    "gnu.org/licenses/old-licenses/",
    "gnu.org/licenses/",
    "gnu.org/copyleft/",
)
_BY_URL = {
    "apache.org/licenses/license-2.0": "Apache-2.0",
    "mit-license.org": "MIT",
    "gnu.org/licenses/fdl": "GFDL",
    "gnu.org/licenses/gpl": "GPL",
    "gnu.org/copyleft/fdl": "GFDL",
    "gnu.org/copyleft/gpl": "GPL",
    "mozilla.org/mpl/2.0": "MPL-2.0",
    "mozilla.org/en-us/mpl/2.0": "MPL-2.0",
    "eclipse.org/legal/epl-2.0": "EPL-2.0",
    "eclipse.org/legal/epl-v20": "EPL-2.0",
    "unlicense.org": "Unlicense",
    "opendatacommons.org/licenses/odbl/1.0": "ODbL-1.0",
    "opendatacommons.org/licenses/odbl/1-0": "ODbL-1.0",
    "opendatacommons.org/licenses/by/1.0": "ODC-By-1.0",
    "opendatacommons.org/licenses/by/1-0": "ODC-By-1.0",
    "nationalarchives.gov.uk/doc/open-government-licence/version/2": "OGL-UK-2.0",
    "nationalarchives.gov.uk/doc/open-government-licence/version/3": "OGL-UK-3.0",
    "postgresql.org/about/licence": "PostgreSQL",
    "boost.org/license_1_0": "BSL-1.0",
}

# What a licence is called. A Creative Commons name says enough by itself; the others need a verb before them.
# The letters looked at first save the search most of its time.
_CC_TEXT = re.compile(
    r"\b(?=[Cc])(?:Creative[ ]Commons[ ]Zero\b|CC0\b"
    r"|(?:CC|Creative[ ]Commons)[ -](?P<short>BY(?:[ -](?:NC|ND|SA)\b){0,2})\b"
    r"(?:[ -]?(?:v(?:ersion)?[ ]?)?(?P<version1>[1-4]\.[05])\b)?"
    r"|(?i:Creative[ ]Commons[:,]?[ ](?:licen[cs]e[:,]?[ ])?(?P<long>Attribution"
    r"(?:[ ]?[-‐–—/,]?[ ]?(?:Non-?[ ]?Commercial|No[ -]?Deriv(?:ative|ate)?s?(?:[ ]Works)?|Share[ -]?Alike)){0,2})"
    r"(?:[ ](?:International|Unported|Generic|Public))?(?:,?[ ]Licen[cs]e)?,?"
    r"(?:[ ](?:v(?:ersion)?[ .]?)?(?P<version2>[1-4]\.[05])\b)?))"
)
_TWO = r",?[ -]?(?:v(?:ersion)?[ .]?)?2"
_OTHER_TEXT = re.compile(
    r"\b(?=[023abegilmnoprstz])(?:"
    rf"(?P<Apache_2_0>Apache(?:[ -]Software)?(?:[ -]Licen[cs]e)?{_TWO}(?:\.0)?\b(?!\.\d))"
    r"|(?P<MIT>(?-i:MIT)(?:/X11)?\b(?!(?-i:[ -][A-Z](?!icen)))|Expat[ -]Licen[cs]e\b)"
    r"|(?P<GFDL>GNU[ ]Free[ ]Documentation[ ]Licen[cs]e\b|GFDL|GNU[ ]FDL)"
    r"|(?P<AGPL>GNU[ ]Affero[ ]General[ ]Public[ ]Licen[cs]e\b|AGPL)"
    r"|(?P<LGPL>GNU[ ](?:Lesser|Library)[ ]General[ ]Public[ ]Licen[cs]e\b|LGPL)"
    r"|(?P<GPL>GNU[ ]General[ ]Public[ ]Licen[cs]e\b|GPL)"
    r"|(?P<_0BSD>Zero[ -]Clause[ -]BSD\b|0BSD\b)"
    r"|(?P<BSD_3_Clause>BSD[ -]3(?:-Clause)?\b|(?:3|three)[ -]Clause[ -]BSD\b|(?:New|Modified|Revised)[ ]BSD\b)"
    r"|(?P<BSD_2_Clause>BSD[ -]2(?:-Clause)?\b|(?:2|two)[ -]Clause[ -]BSD\b|Simplified[ ]BSD\b)"
    rf"|(?P<MPL_2_0>(?:Mozilla[ ]Public[ ]Licen[cs]e|MPL){_TWO}\.0\b)"
    rf"|(?P<EPL_2_0>(?:Eclipse[ ]Public[ ]Licen[cs]e(?:[ ]-)?|EPL){_TWO}\.0\b)"
    rf"|(?P<PSF_2_0>Python[ ]Software[ ]Foundation[ ]Licen[cs]e{_TWO}\b)"
    r"|(?P<ISC>ISC[ ]Licen[cs]e\b)|(?P<OGL_UK_3_0>Open[ ]Government[ ]Licen[cs]e[ ]v3\.0\b))",
    re.IGNORECASE,
)
# Words one of which each of these names holds: most footers hold none.
_OTHER_WORDS = (
    *("apache", "expat", "gnu ", "gpl", "gfdl", "bsd", "mozilla public", "mpl-2", "mpl 2", "eclipse public", "epl-2"),
    *("epl 2", "python software", "isc ", "open gov"),
)
# The verb and its licence stand in one clause.
_SAID = re.compile(r"\b(?:under|licen[cs]ed|licen[cs]e:)[^.;]*\Z", re.IGNORECASE)
_VERSION = re.compile(
    r"(?:,?[ ]?\([AL]?(?:GPL|FDL)\))?,?[ -]?(?:v(?:ersion)?[ .]?)?([1-3](?:\.[0-3])?)\b(?!\.\d)"
    r"(?P<later>,?[ ](?:and|or)[ ](?:\(at[ ]your[ ]option\)[ ])?(?:any[ ])?later|\+)?",
    re.IGNORECASE,
)
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_NEXT = re.compile(r"\b(?:and|or)\b|[,/]", re.IGNORECASE)
_NOT_LETTERS = re.compile(r"[^a-z]+")


def spdx_of_url(url: str) -> str:
    """SPDX identifier of the licence whose text or deed is at a URL; empty where we do not know it.

    A ported Creative Commons licence keeps its country (`CC-BY-SA-3.0-US`), whether SPDX lists it or not.
    A GNU licence of one version is `-only`: that others may be chosen is not for a URL to say.
    """
    url = url[:_URL_CHARACTERS].strip()
    if found := _SPDX_URL.search(url):
        return found.group(1)
    bare = _URL_END.sub("", _SCHEME.sub("", url).lower().partition("#")[0].partition("?")[0])
    if found := _CC_URL.match(bare):
        kind, version, country, domain = found.groups()
        if domain:
            return "CC0-1.0" if "zero" in domain else "CC-PDM-1.0"
        kind = {"by-nd-nc": "by-nc-nd", "by-sa-nc": "by-nc-sa"}.get(kind, kind)
        port = country if country and country not in ("deed", "rdf") else ""
        return f"CC-{kind.upper()}-{version}" + (f"-{port.upper()}" if port else "")
    if bare in _BY_URL:
        return _BY_URL[bare]
    for place in _LISTS:
        if bare.startswith(place):
            return _BY_NAME.get(bare.removeprefix(place), "")
    return ""


def spdx_of_value(value: str) -> str:
    """SPDX expression of what stands in a field for licences: a URL, an identifier or a name; empty if unknown."""
    value = value.strip()
    if value.startswith(("http://", "https://", "//")):
        return spdx_of_url(value if value[0] == "h" else f"https:{value}")
    return _BY_NAME.get(value.lower().replace(" ", "-")) or spdx_of_text(f"under {value}")


def spdx_of_text(text: str) -> str:
    """SPDX expression of the licences that a sentence or a footer puts a page under; empty where it names none.

    A Creative Commons licence without its version stays so (`CC-BY-SA`), as does a GNU one (`GFDL`). Several
    are joined by `AND`, for each rules some part of the page; by `OR` where the text leaves the choice.
    That something is copyrighted, or that a licence is called `Creative Commons`, says nothing.
    """
    text = " ".join(text[:_TEXT_CHARACTERS].split())
    lowered = text.lower()
    found = []
    if "cc" in lowered or "creative" in lowered:
        found = [(match.start(), match.end(), _cc(match)) for match in islice(_CC_TEXT.finditer(text), _MOST_NAMES)]
    if "MIT" not in text and not any(word in lowered for word in _OTHER_WORDS):
        return _joined(found, text)
    for match in islice(_OTHER_TEXT.finditer(text), _MOST_NAMES):
        listed = found and _is_listed(text[found[-1][1] : match.start()])
        if listed or _SAID.search(text, max(0, match.start() - _CLAUSE_CHARACTERS), match.start()):
            end, name = _versioned(match, text)
            found.append((match.start(), end, name))
    return _joined(sorted(found), text)


def join(expressions: Iterable[str], word: str = "AND") -> str:
    """One SPDX expression of several, each licence once; empty for none, and for so many that they are a list."""
    names = dict.fromkeys(name for expression in expressions for name in expression.split(" AND "))
    if len(names) > _MOST_NAMES:
        return ""
    # A name without a version says nothing beside the same name with one.
    distinct = [name for name in names if not any(other.startswith(f"{name}-") for other in names)]
    if len(distinct) > MOST_LICENCES:
        return ""
    if len(distinct) > 1 and word == "AND":
        distinct = [f"({name})" if " OR " in name and name[0] != "(" else name for name in distinct]
    return f" {word} ".join(distinct)


def _joined(found: list[tuple[int, int, str]], text: str) -> str:
    gaps = [text[left[1] : right[0]] for left, right in pairwise(found)]
    choice = bool(gaps) and all(len(gap) <= _GAP_CHARACTERS and _OR.search(gap) for gap in gaps)
    return join((name for _, _, name in found), "OR" if choice else "AND")


def _is_listed(gap: str) -> bool:
    """Whether a name follows another so closely that the same verb stands for both."""
    return len(gap) <= _GAP_CHARACTERS and _NEXT.search(gap) is not None


def _cc(match: re.Match[str]) -> str:
    words = match["short"] or match["long"]
    if words is None:
        return "CC0-1.0"
    plain = _NOT_LETTERS.sub("", words.lower())
    parts = (("-NC", ("nc", "noncommercial")), ("-ND", ("nd", "noderiv")), ("-SA", ("sa", "sharealike")))
    kind = "BY" + "".join(part for part, names in parts if any(name in plain for name in names))
    version = match["version1"] or match["version2"]
    return f"CC-{kind}" + (f"-{version}" if version else "")


def _versioned(match: re.Match[str], text: str) -> tuple[int, str]:
    """Where the name of a licence ends, its version included, and its identifier."""
    name = (match.lastgroup or "").strip("_")
    if name not in ("GFDL", "GPL", "LGPL", "AGPL"):
        return match.end(), re.sub(r"(?<=\d)_(?=\d)", ".", name).replace("_", "-")
    version = _VERSION.match(text, match.end())
    if version is None:
        return match.end(), name
    number = version.group(1)
    ending = "or-later" if version["later"] else "only"
    return version.end(), f"{name}-{number if '.' in number else f'{number}.0'}-{ending}"
