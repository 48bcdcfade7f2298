"""Words that the scanner of literals knows: units, numerals, what counts something, codes that look like words."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from filters.junk.phrases import Table, table_of

# Canonical unit: how it is written, by case. One letter is a unit as well as what it abbreviates.
_UNITS: dict[str, str] = {
    "percent": "% percent pct",
    "ns": "ns nsec nanosecond nanoseconds",
    "us": "us µs μs usec usecs microsecond microseconds",
    "ms": "ms msec msecs millis millisecond milliseconds",
    "s": "s sec secs second seconds",
    "min": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "week": "w week weeks",
    "month": "month months",
    "year": "y yr yrs year years",
    "B": "B byte bytes Byte Bytes",
    "bit": "bit bits Bit Bits",
    "KB": "K k KB kB Kb kb kilobyte kilobytes",
    "MB": "M MB Mb mb megabyte megabytes",
    "GB": "G GB Gb gb gigabyte gigabytes",
    "TB": "T TB Tb tb terabyte terabytes",
    "PB": "P PB petabyte petabytes",
    "KiB": "Ki KiB kibibyte kibibytes",
    "MiB": "Mi MiB mebibyte mebibytes",
    "GiB": "Gi GiB gibibyte gibibytes",
    "TiB": "Ti TiB tebibyte tebibytes",
    "kbit": "kbit Kbit kbps Kbps",
    "Mbit": "Mbit mbit Mbps mbps",
    "Gbit": "Gbit gbit Gbps gbps",
    "Tbit": "Tbit Tbps",
    "Hz": "Hz hertz",
    "kHz": "kHz KHz",
    "MHz": "MHz",
    "GHz": "GHz",
    "mV": "mV",
    "V": "V volt volts",
    "mW": "mW",
    "W": "W watt watts",
    "kW": "kW",
    "MW": "MW",
    "GFLOPS": "GFLOPS GFLOP",
    "TFLOPS": "TFLOPS TFLOP",
    "PFLOPS": "PFLOPS PFLOP",
    "rpm": "rpm RPM",
    "px": "px pixel pixels",
    "dB": "dB",
    "million": "million",
    "billion": "billion",
    "thousand": "thousand",
}

_NUMERALS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100, "thousand": 1000}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "once": 1, "twice": 2, "both": 2, "half": 2}

# A small number behind one of these names a part of the answer, and before one of those it counts them. A figure, a
# table or a section with a number is the document's.
_LABELS = (
    "step question answer option part example item problem issue case scenario solution task exercise lesson tip rule "
    "point reason method approach stage note faq cause symptom"
)
_COUNTED = (
    "options option steps step ways way reasons methods questions points things cases sections parts approaches "
    "items categories types kinds examples scenarios stages phases groups topics tips problems issues causes "
    "solutions tasks rules aspects factors features benefits components conditions sentences paragraphs rows columns"
)

_CODES = (
    "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST "
    "EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM "
    "ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP EWOULDBLOCK ENOMSG EIDRM ENODATA ETIME EPROTO EOVERFLOW "
    "EILSEQ EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT EOPNOTSUPP ENOTSUP "
    "EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN "
    "ENOTCONN ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT ECANCELED EOWNERDEAD "
    "SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGSEGV SIGPIPE SIGALRM SIGTERM SIGCHLD "
    "SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS"
)
# Written as identifiers are, and known to everybody.
_COMMON = "macOS iOS JavaScript TypeScript GitHub GitLab PostgreSQL MySQL MacOS YouTube PowerShell IPv4 IPv6 IPs eBPF"

_MASK = (1 << 64) - 1
# A hash that means something else than "not there", where a table holds no numbers.
_THERE = 1


class Lexicon(NamedTuple):
    """units: canonical unit from 1 on; numerals: the hash of the number; the others: whether a word is there."""

    units: Table
    numerals: Table
    labels: Table
    counted: Table
    codes: Table
    common: Table


def hash_of(text: str) -> int:
    """FNV-1a, mixed, of the UTF-8 of a text: what `hash_span` gives for its bytes."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def _words(words: str) -> Table:
    return table_of({hash_of(word): _THERE for word in words.split()})


@cache
def lexicon() -> Lexicon:
    """The tables, made once."""
    units = {hash_of(word): number for number, words in enumerate(_UNITS.values(), 1) for word in words.split()}
    values = {**{word: value for value, word in enumerate(_NUMERALS.split())}, **_TENS, **_ORDINALS}
    numerals = {hash_of(word): hash_of(str(value)) for word, value in values.items()}
    return Lexicon(
        table_of(units), table_of(numerals), _words(_LABELS), _words(_COUNTED), _words(_CODES), _words(_COMMON)
    )
