"""Seeds of plans: a topology of GPUs (latency, bandwidth, ports), how much is gathered, perhaps a plan so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from synth.checks.all_gather import Topology, Transfer, microseconds, steps_of, topology_of
from synth.seeds import Seed, draw, seed_of
from synth.seeds.all_gather_plans import all_pairs, greedy, one_at_a_time, recursive_doubling, ring

#: Latencies in tenths of a microsecond, bandwidths in GB/s, chunks in bytes: of what is on the market.
_FAST_LATENCY, _SLOW_LATENCY = (2, 3, 5, 7, 10, 12), (15, 20, 28, 35, 50, 80)
_FAST, _SLOW = (25, 50, 100, 200, 300, 450), (4, 8, 12, 16, 24)
_CHUNKS = tuple(1 << power for power in range(12, 27, 2))

_MODEL = """\
## Model

All transfers of a step begin together; a step begins when the one before is over. A link takes its latency + bytes /
bandwidth for all that it carries in a step. A GPU's port out and its port in take the largest latency of their
transfers + all their bytes / the port's bandwidth. A step takes as long as its slowest link or port; a plan takes the
sum of its steps. A GPU sends only what it held before the step, over a link that is there, and nothing that the
receiver has already. 1 GB/s is 10^9 bytes in a second."""


@dataclass(frozen=True)
class _Shape:
    """Links by (from, to): latency in tenths of a microsecond, bandwidth in GB/s; the ports' bandwidth in GB/s."""

    name: str
    gpus: int
    links: dict[tuple[int, int], tuple[int, int]]
    port: int


def make(number: int, seed: int) -> Iterator[Seed]:
    """Every other one has a plan to improve on. Texts may repeat in the long run; ids then do."""
    for at in range(number):
        pick = _Draws(seed, at)
        shape = _SHAPES[pick.below(len(_SHAPES), "shape")](pick)
        chunk = pick.one(_CHUNKS, "chunk")
        text = _text(shape, chunk)
        title = f"All-gather on {shape.gpus} GPUs: {shape.name}"
        topology = topology_of(text)
        if topology is not None and at % 2 and (previous := _previous(topology, pick)):
            plan, time = previous
            lines = "\n".join(map(str, plan))
            text += f"\n## Previous plan\n\nIts latency is {microseconds(time)} us.\n\n```text\n{lines}\n```\n"
            title += ", to be improved"
        yield seed_of(title, text)


@dataclass(frozen=True)
class _Draws:
    seed: int
    at: int

    def below(self, limit: int, what: str) -> int:
        return draw(self.seed, self.at, what) % limit

    def one(self, of: tuple[int, ...], what: str) -> int:
        return of[self.below(len(of), what)]


def _previous(topology: Topology, pick: _Draws) -> tuple[list[Transfer], int] | None:
    """A known plan that another known plan beats, and how long it takes (picoseconds)."""
    makers = (ring, recursive_doubling, all_pairs, greedy, one_at_a_time)
    plans = [plan for maker in makers if (plan := maker(topology))]
    timed = sorted(((sum(steps_of(topology, plan)), plan) for plan in plans), key=lambda each: each[0])
    beaten = [(plan, time) for time, plan in timed if time > timed[0][0]]
    return beaten[pick.below(len(beaten), "previous")] if beaten else None


def _text(shape: _Shape, chunk: int) -> str:
    n = shape.gpus
    latency = _table(n, {link: f"{tenths // 10}.{tenths % 10}" for link, (tenths, _) in shape.links.items()})
    bandwidth = _table(n, {link: str(speed) for link, (_, speed) in shape.links.items()})
    heads = " | ".join(str(gpu) for gpu in range(n))
    ports = f"| GPU | {heads} |\n|{'---|' * (n + 1)}\n| port | {' | '.join([str(shape.port)] * n)} |"
    return (
        f"# All-gather on {n} GPUs: {shape.name}\n\n"
        f"## Data\n\nGPU i holds chunk i, and each is a chunk of {chunk} bytes. In the end each GPU holds all {n} "
        "chunks.\n\n"
        f"## Latency (us)\n\nRows send, columns receive; - is no link.\n\n{latency}\n\n"
        f"## Bandwidth (GB/s)\n\nRows send, columns receive; - is no link.\n\n{bandwidth}\n\n"
        f"## Ports (GB/s)\n\nEach way, of each GPU.\n\n{ports}\n\n{_MODEL}\n"
    )


def _table(n: int, cells: dict[tuple[int, int], str]) -> str:
    head = f"| GPU | {' | '.join(str(gpu) for gpu in range(n))} |\n|{'---|' * (n + 1)}"
    rows = [f"| {a} | {' | '.join(cells.get((a, b), '-') for b in range(n))} |" for a in range(n)]
    return "\n".join([head, *rows])


# Shapes


def _both_ways(pairs: list[tuple[int, int]], latency: int, speed: int) -> dict[tuple[int, int], tuple[int, int]]:
    return {link: (latency, speed) for a, b in pairs for link in ((a, b), (b, a))}


def _ring(pick: _Draws) -> _Shape:
    n = 4 + pick.below(5, "gpus")
    speed = pick.one(_FAST, "speed")
    links = _both_ways([(gpu, (gpu + 1) % n) for gpu in range(n)], pick.one(_FAST_LATENCY, "latency"), speed)
    return _Shape("a ring with links both ways", n, links, speed * 2)


def _one_way_ring(pick: _Draws) -> _Shape:
    """Backwards slower, or not at all."""
    n = 3 + pick.below(4, "gpus")
    speed, latency = pick.one(_FAST, "speed"), pick.one(_FAST_LATENCY, "latency")
    links = {(gpu, (gpu + 1) % n): (latency, speed) for gpu in range(n)}
    if pick.below(2, "backwards"):
        back = (pick.one(_SLOW_LATENCY, "back latency"), pick.one(_SLOW, "back speed"))
        links |= {((gpu + 1) % n, gpu): back for gpu in range(n)}
        return _Shape("a ring whose links are slower backwards", n, links, speed)
    return _Shape("a ring with links one way", n, links, speed)


def _mesh(pick: _Draws) -> _Shape:
    columns = 2 + pick.below(3, "columns")
    n = 2 * columns
    pairs = [(gpu, gpu + columns) for gpu in range(columns)]
    pairs += [(gpu, gpu + 1) for gpu in range(n - 1) if (gpu + 1) % columns]
    speed = pick.one(_FAST, "speed")
    links = _both_ways(pairs, pick.one(_FAST_LATENCY, "latency"), speed)
    return _Shape(f"a mesh of 2 by {columns}", n, links, speed * (1 + pick.below(3, "port")))


def _hypercube(pick: _Draws) -> _Shape:
    n = 4 << pick.below(2, "gpus")
    pairs = [(gpu, gpu ^ bit) for gpu in range(n) for bit in (1, 2, 4) if bit < n and gpu < gpu ^ bit]
    speed = pick.one(_FAST, "speed")
    links = _both_ways(pairs, pick.one(_FAST_LATENCY, "latency"), speed)
    return _Shape("a hypercube", n, links, speed * (1 + pick.below(3, "port")))


def _switch(pick: _Draws) -> _Shape:
    n = 4 + pick.below(5, "gpus")
    speed = pick.one(_FAST, "speed")
    pairs = [(a, b) for a in range(n) for b in range(a)]
    links = _both_ways(pairs, pick.one(_FAST_LATENCY, "latency"), speed)
    return _Shape("a switch between all", n, links, speed)


def _sockets(pick: _Draws) -> _Shape:
    """Two sockets with their own PCIe switch: across them all is slower."""
    half = 2 + pick.below(3, "half")
    n = 2 * half
    near = (pick.one(_FAST_LATENCY, "near latency"), pick.one(_SLOW[2:], "near"))
    far = (pick.one(_SLOW_LATENCY, "far latency"), pick.one(_SLOW[:2], "far"))
    links = {(a, b): near if a // half == b // half else far for a in range(n) for b in range(n) if a != b}
    return _Shape("two sockets, each with a PCIe switch", n, links, near[1])


def _nodes(pick: _Draws) -> _Shape:
    """Two nodes, fast inside; GPU i of one has a slow link to GPU i of the other."""
    half = 2 + pick.below(3, "half")
    speed = pick.one(_FAST, "near")
    inside = [(a, b) for a in range(2 * half) for b in range(a) if a // half == b // half]
    links = _both_ways(inside, pick.one(_FAST_LATENCY, "near latency"), speed)
    rails = [(gpu, gpu + half) for gpu in range(half)]
    links |= _both_ways(rails, pick.one(_SLOW_LATENCY, "far latency"), pick.one(_SLOW, "far"))
    return _Shape(f"two nodes of {half} GPUs, with a link between GPUs of the same place", 2 * half, links, speed)


_SHAPES: tuple[Callable[[_Draws], _Shape], ...] = (
    _ring,
    _one_way_ring,
    _mesh,
    _hypercube,
    _switch,
    _sockets,
    _nodes,
)
