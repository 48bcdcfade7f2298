"""All-gather plans that are known: what seeds ask to be improved on, and what the simulator is tested with.

Ring, recursive doubling and all pairs are those of Thakur, Rabenseifner and Gropp, "Optimization of Collective
Communication Operations in MPICH", IJHPCA 19 (2005). Each is None where the topology lacks a link that it needs.
"""

from __future__ import annotations

from synth.checks.all_gather import Topology, Transfer


def ring(topology: Topology) -> list[Transfer] | None:
    """Each GPU hands on to the next what it got last: n - 1 steps."""
    n = topology.gpus
    plan = [Transfer(step, gpu, (gpu + 1) % n, (gpu - step + 1) % n) for step in range(1, n) for gpu in range(n)]
    return _on(topology, plan)


def recursive_doubling(topology: Topology) -> list[Transfer] | None:
    """In step s each GPU exchanges all that it has with the one 2**(s-1) away: log2(n) steps, n a power of two."""
    n = topology.gpus
    if n & (n - 1):
        return None
    plan = []
    for step in range(1, n.bit_length()):
        far = 1 << (step - 1)
        for gpu in range(n):
            first = gpu & ~(far - 1)
            plan += [Transfer(step, gpu, gpu ^ far, chunk) for chunk in range(first, first + far)]
    return _on(topology, plan)


def all_pairs(topology: Topology) -> list[Transfer] | None:
    """Each GPU sends its chunk to each other in one step."""
    n = topology.gpus
    return _on(topology, [Transfer(1, a, b, a) for a in range(n) for b in range(n) if a != b])


def one_at_a_time(topology: Topology) -> list[Transfer] | None:
    """Chunk after chunk spreads from link to link, a single transfer in a step: the slowest that wastes nothing."""
    links = sorted(topology.alpha_ps)
    plan: list[Transfer] = []
    for chunk in range(topology.gpus):
        holders = [chunk]
        for holder in holders:  # grows: breadth first
            for sender, receiver in links:
                if sender == holder and receiver not in holders:
                    plan.append(Transfer(len(plan) + 1, sender, receiver, chunk))
                    holders.append(receiver)
        if len(holders) < topology.gpus:
            return None
    return plan


def greedy(topology: Topology) -> list[Transfer] | None:
    """In each step each link carries one chunk that its receiver lacks, the rarest first."""
    n = topology.gpus
    holds = [{gpu} for gpu in range(n)]
    plan: list[Transfer] = []
    for step in range(1, n * n):
        before = [frozenset(each) for each in holds]
        for sender, receiver in sorted(topology.alpha_ps):
            wanted = before[sender] - holds[receiver]
            if wanted:
                chunk = min(wanted, key=lambda each: (sum(each in held for held in holds), each))
                plan.append(Transfer(step, sender, receiver, chunk))
                holds[receiver].add(chunk)
        if holds == [set(each) for each in before]:
            break
    return plan if all(len(held) == n for held in holds) else None


def _on(topology: Topology, plan: list[Transfer]) -> list[Transfer] | None:
    return plan if all((each.sender, each.receiver) in topology.alpha_ps for each in plan) else None
