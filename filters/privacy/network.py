"""IP and MAC addresses that may lead to a person: in logs, in sessions of shells and beside persons."""

from __future__ import annotations

import ipaddress
import re
from functools import cache

from manifests.load import load_privacy

Found = list[tuple[int, int, str]]

_IPV4 = re.compile(rb"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\w)")
_IPV6 = re.compile(
    rb"(?<![\w:.])(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){7}|(?:[0-9a-fA-F]{1,4}:"
    rb"){1,6}(?::[0-9a-fA-F]{1,4}){1,6})(?![\w:.])"
)
_MAC = re.compile(rb"(?<![\w:-])[0-9a-fA-F]{2}(?:([:-])[0-9a-fA-F]{2})(?:\1[0-9a-fA-F]{2}){4}(?![\w:-])")
_VERSION = re.compile(
    rb"(?:version|release|v|rev|section|chapter|oid|build|firmware|driver)[ .:=-]*$|[a-z]/$", re.IGNORECASE
)
# What stands before an address of a server: the sign of a resolver, a record of the DNS, a host's name.
_SERVER = re.compile(
    rb"(?:://(?:[^\s/@]{1,64}@)?\[?|(?:^|\s)@|\s-x\s{1,8}|\bA(?:AAA)?\s{1,40}|\bhas (?:IPv6 )?address |\bdial tcp \[?"
    rb"|[\w-]\.[a-z]{2,12}(?:\)? ?\(|:\d{1,5} => |\s{2,40})|PING\s{1,8}\(?)$"
)
_CLIENT = re.compile(rb"(?<!bytes )from \S{1,60} ?\($")
# Makers of virtual machines, ranges of standards, and what is written for an example.
_CONSTANT_MACS = (
    b"00:00:00",
    b"ff:ff:ff",
    b"00:00:5e",
    b"01:00:5e",
    b"33:33",
    b"52:54:00",
    b"fe:54:00",
    b"fa:16:3e",
    b"fe:16:3e",
    b"02:42",
    b"02:00:00",
    b"0a:58",
    b"ee:ee:ee",
    b"aa:00:00",
    b"aa:bb:cc",
    b"de:ad:be",
    b"01:80:c2",
    b"00:16:3e",
    b"00:0c:29",
    b"00:05:69",
    b"00:50:56",
    b"00:15:5d",
    b"00:1c:42",
    b"08:00:27",
    b"50:54:00",
    b"00:01:02:03",
    b"00:11:22",
    b"12:34:56",
)


@cache
def _known() -> frozenset[str]:
    return frozenset(load_privacy().known_addresses)


def addresses(line: bytes) -> Found:
    """IP addresses of the public Internet that are no server's, and MAC addresses of devices."""
    found = []
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(line):
            before = line[max(0, match.start() - 80) : match.start()]
            if _is_public(match[0]) and not (_VERSION.search(before) or _is_server(before)):
                found.append((match.start(), match.end(), "ip"))
    for match in _MAC.finditer(line):
        folded = match[0].lower().replace(b"-", b":")
        if not folded.startswith(_CONSTANT_MACS) and len(set(folded.split(b":"))) > 2:
            found.append((match.start(), match.end(), "mac"))
    return found


def _is_server(before: bytes) -> bool:
    """Whether the text before an address says that it is a server's; what a connection comes from is a client."""
    return bool(_SERVER.search(before)) and not _CLIENT.search(before)


def _is_public(text: bytes) -> bool:
    """Whether an address is one that somebody may have: not of a range for documentation, private or special use."""
    try:
        address = ipaddress.ip_address(text.decode())
    except ValueError:
        return False
    if address.version == 4 and (address.packed[3] in (0, 255) or len(set(address.packed)) <= 2):
        return False  # a network, a mask, or an example such as 10.10.10.10
    if address.version == 4 and address.packed[1:3] == b"\0\0":
        return False  # 127.0.0.1 with its first digit gone
    if address.version == 6 and address.packed[0] >> 5 != 1:
        return False  # nobody has others than 2000::/3
    return address.is_global and not address.is_multicast and str(address) not in _known()


_ACCESS = re.compile(rb"(?:[\w.:-]{4,80} )?[\w.:]{7,45} \S{1,40} \S{1,40} \[\d")
_DAEMON = re.compile(
    rb"\b[a-z][\w-]{1,30}\[\d{1,7}\]: |\b(?:rhost|client_ip|remote_addr|src_ip|clientip|x-forwarded-for)[\"']?[=:]",
    re.IGNORECASE,
)


def is_access_log(line: bytes) -> bool:
    """Whether a line is one of a web server's log or of a daemon's, or names a client's address as such."""
    return bool(_ACCESS.match(line) or _DAEMON.search(line))
