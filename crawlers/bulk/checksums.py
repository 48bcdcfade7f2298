"""Files of checksums: what `sha256sum` and BSD's `sha256` write, the Release file of an archive, archive.org's list."""

from __future__ import annotations

import re

from lxml import etree

#: The stronger first: of several for one file, that is the one to hold it against.
_ALGORITHMS = ("sha512", "sha256", "sha1", "md5")
_BY_LENGTH = {128: "sha512", 64: "sha256", 40: "sha1", 32: "md5"}
_PLAIN = re.compile(r"^[ \t]*([0-9a-fA-F]{32,128})[ \t]+(?:\d{1,15}[ \t]+)?\*?(\S[^\r\n]*?)[ \t\r]*$", re.MULTILINE)
_BSD = re.compile(r"^(?:MD5|SHA1|SHA256|SHA512) \(([^()\r\n]+)\) = ([0-9a-fA-F]{32,128})[ \t\r]*$", re.MULTILINE)
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def checksum_in(body: bytes, name: str) -> str | None:
    """The strongest checksum of a file, as `ALGORITHM:HEX`, by its name or path; None where none is stated."""
    if body.lstrip()[:1] == b"<":
        stated = _in_xml(body, name)
    else:
        text = body.decode("utf-8", "replace")
        pairs = [(digest, path) for digest, path in _PLAIN.findall(text)]
        pairs += [(digest, path) for path, digest in _BSD.findall(text)]
        stated = [digest for digest, path in pairs if path.removeprefix("./") == name]
    found = {_BY_LENGTH[len(digest)]: digest.lower() for digest in stated if len(digest) in _BY_LENGTH}
    return next((f"{each}:{found[each]}" for each in _ALGORITHMS if each in found), None)


def _in_xml(body: bytes, name: str) -> list[str]:
    """Digests in `<files><file name="NAME"><md5>…</md5><sha1>…</sha1></file>…`."""
    try:
        root = etree.fromstring(body, _PARSER)
    except etree.XMLSyntaxError:
        return []
    files = [file for file in root.iter("file") if file.get("name") == name]
    return [(file.findtext(each) or "").strip() for file in files for each in ("md5", "sha1")]
