"""A simulator of all-gather plans on a topology of GPUs: whether a plan is one, and how long it takes.

At first each GPU holds the chunk of its own number; in the end each holds all. A plan is made of steps: all transfers
of a step begin together, and it begins when the one before is over (synchronous steps, as in Cai et al., "Synthesizing
Optimal Collective Algorithms", PPoPP 2021). A transfer goes over a link that is there, of a chunk that the sender held
before the step, to a GPU that has not had it; so a plan for n GPUs has n * (n - 1) transfers.

Time is the alpha-beta model of Hockney, "The communication challenge for MPP", Parallel Computing 20 (1994): a link
takes alpha + bytes / bandwidth for all bytes that it carries in a step. A GPU has one port out and one port in, which
work at once; a port takes the largest alpha of its transfers + their bytes / the port's bandwidth. A step takes as long
as its slowest link or port, a plan the sum of its steps. Times are whole picoseconds, each rounded up: the same on any
machine.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: GPUs of a topology that is read at all.
MOST_GPUS = 32

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,3})?"
_PLAN_LINE = re.compile(r"step ([0-9]{1,4}): ([0-9]{1,3}) -> ([0-9]{1,3}) chunk ([0-9]{1,3})")
_HEADING = re.compile(r"^## (Latency|Bandwidth|Ports|Data|Previous plan)\b", re.MULTILINE)
_CHUNK = re.compile(r"\bchunk of ([0-9]{1,12}) bytes\b")
_CELL = re.compile(rf"{_NUMBER}|-")


class PlanError(Exception):
    """A plan that is none: its first fault."""


@dataclass(frozen=True)
class Topology:
    """Links by (from, to): alpha in picoseconds, bandwidth in MB/s (10**6 bytes); ports' bandwidths in MB/s by GPU."""

    gpus: int
    chunk_bytes: int
    alpha_ps: dict[tuple[int, int], int]
    bandwidth: dict[tuple[int, int], int]
    ports: tuple[int, ...]


@dataclass(frozen=True, order=True)
class Transfer:
    """In a step, counted from 1, a GPU sends a chunk to another."""

    step: int
    sender: int
    receiver: int
    chunk: int

    def __str__(self) -> str:
        return f"step {self.step}: {self.sender} -> {self.receiver} chunk {self.chunk}"


def read_plan(lines: Iterable[str]) -> list[Transfer]:
    """A plan from its lines, `step 1: 0 -> 1 chunk 0`; steps count from 1 without a gap. Raises PlanError."""
    plan: list[Transfer] = []
    last = 0
    for at, line in enumerate(lines, 1):
        match = _PLAN_LINE.fullmatch(line.strip())
        if match is None:
            raise PlanError(f"line {at} is not of the form 'step 1: 0 -> 1 chunk 0': {line.strip()[:60]!r}")
        transfer = Transfer(*map(int, match.groups()))
        if transfer.step not in (last, last + 1) or transfer.step == 0:
            raise PlanError(f"line {at} is of step {transfer.step}, and the one before of step {last}")
        last = transfer.step
        plan.append(transfer)
    return plan


def steps_of(topology: Topology, plan: Sequence[Transfer]) -> list[int]:
    """How long each step of a plan takes, in picoseconds. Raises PlanError with the first fault."""
    holds = [{gpu} for gpu in range(topology.gpus)]
    by_step: dict[int, list[Transfer]] = defaultdict(list)
    for transfer in plan:
        by_step[transfer.step].append(transfer)
    times = []
    for step in sorted(by_step):
        before = [frozenset(each) for each in holds]
        for transfer in by_step[step]:
            _check(topology, transfer, before, holds)
            holds[transfer.receiver].add(transfer.chunk)
        times.append(_time(topology, by_step[step]))
    for gpu, chunks in enumerate(holds):
        lacking = sorted(set(range(topology.gpus)) - chunks)
        if lacking:
            raise PlanError(f"in the end GPU {gpu} lacks chunk {lacking[0]}")
    return times


def _check(topology: Topology, transfer: Transfer, before: Sequence[frozenset[int]], holds: Sequence[set[int]]) -> None:
    sender, receiver, chunk = transfer.sender, transfer.receiver, transfer.chunk
    for number, what in ((sender, "GPU"), (receiver, "GPU"), (chunk, "chunk")):
        if number >= topology.gpus:
            raise PlanError(f"{transfer}: there is no {what} {number}")
    if (sender, receiver) not in topology.alpha_ps:
        raise PlanError(f"{transfer}: there is no link from GPU {sender} to GPU {receiver}")
    if chunk not in before[sender]:
        raise PlanError(f"{transfer}: GPU {sender} does not hold chunk {chunk} before step {transfer.step}")
    if chunk in holds[receiver]:
        raise PlanError(f"{transfer}: GPU {receiver} has chunk {chunk} already")


def _time(topology: Topology, transfers: Sequence[Transfer]) -> int:
    """The slowest link or port of a step, in picoseconds."""
    links: dict[tuple[int, int], int] = defaultdict(int)
    ports: dict[tuple[str, int], int] = defaultdict(int)
    alphas: dict[tuple[str, int], int] = defaultdict(int)
    for each in transfers:
        link = (each.sender, each.receiver)
        links[link] += topology.chunk_bytes
        for port in (("out", each.sender), ("in", each.receiver)):
            ports[port] += topology.chunk_bytes
            alphas[port] = max(alphas[port], topology.alpha_ps[link])
    slowest_link = max(topology.alpha_ps[link] + _ps(size, topology.bandwidth[link]) for link, size in links.items())
    slowest_port = max(alphas[port] + _ps(size, topology.ports[port[1]]) for port, size in ports.items())
    return max(slowest_link, slowest_port)


def _ps(size: int, bandwidth: int) -> int:
    """Picoseconds of so many bytes at so many MB/s, rounded up: a byte at 1 MB/s takes a microsecond."""
    return -(-size * 10**6 // bandwidth)


def microseconds(picoseconds: int) -> str:
    """In microseconds with two decimals, rounded half up, as texts show it."""
    hundredths = (picoseconds + 5000) // 10_000
    return f"{hundredths // 100}.{hundredths % 100:02d}"


# Topologies as documents state them


def topology_of(document: str) -> Topology | None:
    """What the sections Latency (us), Bandwidth (GB/s), Ports (GB/s) and Data of a document state; None if it does not.

    Latency and Bandwidth are tables with a row for each GPU that sends, `-` where there is no link.
    """
    sections = _sections(document)
    latency = _matrix(sections.get("Latency", ""))
    bandwidth = _matrix(sections.get("Bandwidth", ""))
    ports = _matrix(sections.get("Ports", ""))
    chunk = _CHUNK.search(sections.get("Data", ""))
    gpus = len(latency)
    square = all(len(row) == gpus for row in (*latency, *bandwidth))
    if not 2 <= gpus <= MOST_GPUS or len(bandwidth) != gpus or not square or chunk is None:
        return None
    if [len(row) for row in ports] != [gpus] or not all(ports[0]) or int(chunk[1]) == 0:
        return None
    pairs = [(a, b) for a in range(gpus) for b in range(gpus) if a != b and latency[a][b] is not None]
    if not all(bandwidth[a][b] for a, b in pairs):
        return None
    return Topology(
        gpus,
        int(chunk[1]),
        {(a, b): (latency[a][b] or 0) * 1000 for a, b in pairs},
        {(a, b): bandwidth[a][b] or 0 for a, b in pairs},
        tuple(each or 0 for each in ports[0]),
    )


def previous_plan(document: str) -> list[Transfer] | None:
    """The plan that a document asks to improve on, if it does. Raises PlanError."""
    section = _sections(document).get("Previous plan")
    if section is None:
        return None
    return read_plan(line for line in section.splitlines() if line.startswith("step "))


def _sections(document: str) -> dict[str, str]:
    marks = list(_HEADING.finditer(document))
    ends = [*(mark.start() for mark in marks[1:]), len(document)][: len(marks)]
    found: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=True):
        body = document[mark.end() : end]
        found.setdefault(mark[1], body.split("\n## ", 1)[0])
    return found


def _matrix(section: str) -> list[list[int | None]]:
    """The cells of a Markdown table, its first row and column left out, in thousandths; None for `-`."""
    rows: list[list[int | None]] = []
    lines = [line for line in section.splitlines() if line.startswith("|")]
    for line in lines[2 : 3 + MOST_GPUS]:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")][1:]
        if not all(_CELL.fullmatch(cell) for cell in cells):
            return []
        rows.append([None if cell == "-" else _thousandths(cell) for cell in cells])
    return rows


def _thousandths(number: str) -> int:
    whole, _, decimals = number.partition(".")
    return int(whole) * 1000 + int(decimals.ljust(3, "0") or 0)
