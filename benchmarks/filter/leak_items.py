"""Evaluation items by templates, seeded: command generation, benchmark retrieval, topology planning, NL to KQL."""

from __future__ import annotations

import random

Pair = tuple[str, str]

_NAMES = [
    "atlas",
    "birch",
    "cedar",
    "delta",
    "ember",
    "falcon",
    "garnet",
    "harbor",
    "indigo",
    "juniper",
    "kestrel",
    "lumen",
    "maple",
    "nimbus",
    "onyx",
    "pewter",
]
_PATHS = ["/srv/data", "/var/spool/jobs", "/opt/runner", "/home/build/work", "/mnt/pool", "/var/log/agent"]

_COMMANDS = [
    (
        "Show which pods of namespace {name} restarted more than {n} times, sorted by restarts",
        "kubectl get pods -n {name} --sort-by='.status.containerStatuses[0].restartCount'",
    ),
    (
        "Archive everything below {path} without the caches into {name}.tar.gz",
        "tar -c -z -f {name}.tar.gz --exclude='*.cache' {path}",
    ),
    (
        "Copy {path} to host {name} over ssh, keep permissions and show progress",
        "rsync -a -v -P -e ssh {path} {name}.example.org:{path}",
    ),
    (
        "Submit a training job called {name} on {n} nodes with eight accelerators each",
        "sbatch -J {name} -N {n} --gres=gpu:8 train.sh",
    ),
    (
        "Trace the system calls that open files in process {n} and write them to {name}.trace",
        "strace -f -p {n} -e trace=openat -o {name}.trace",
    ),
]
_BENCHMARKS = [
    (
        "What bandwidth in GB/s did the all-reduce of node type {name} reach with messages of {n} MB in the published measurements?",
        "all_reduce {name} {n}MB busbw {m} GB/s",
    ),
    (
        "Which batch size gave the best throughput when model {name} was served on {n} accelerators, and what was it?",
        "batch size {m} with {n} accelerators, {m}00 tokens per second for {name}",
    ),
    (
        "State the memory latency that was measured for socket {n} of the {name} platform under full load",
        "{name} socket {n} loaded latency {m} ns",
    ),
]
_TOPOLOGIES = [
    (
        "Plan a two-level fat tree for {n} hosts of cluster {name} with switches of {m} ports and no oversubscription",
        '{{"cluster": "{name}", "leaf": {{"count": {n}, "ports": {m}, "uplinks": {n}}}, "spine": {{"count": {m}, "ports": {m}}}, "oversubscription": "1:1"}}',
    ),
    (
        "Give the placement of {n} pipeline stages and {m} tensor ranks on the nodes of {name} that keeps tensor traffic inside a node",
        '{{"pipeline": {n}, "tensor": {m}, "nodes": ["{name}-0", "{name}-1"], "order": "tensor,data,pipeline", "links": {{"inside": "nvlink", "between": "infiniband"}}}}',
    ),
]
_QUERIES = [
    (
        "Count the failed requests of service {name} by hour during the last {n} days",
        'Requests | where Service == "{name}" and Timestamp > ago({n}d) and Success == false | summarize Failed = count() by bin(Timestamp, 1h)',
    ),
    (
        "List the {n} machines of region {name} with the highest average processor load today",
        'Perf | where Region == "{name}" and Timestamp > startofday(now()) | summarize Load = avg(CounterValue) by Computer | top {n} by Load desc',
    ),
    (
        "For each deployment of {name} show the slowest {n} percent of node repairs and their fault codes",
        'Repairs | where Cluster == "{name}" | summarize Slow = percentile(Duration, {n}) by Deployment, FaultCode | order by Slow desc',
    ),
]
TASKS = {"command": _COMMANDS, "retrieval": _BENCHMARKS, "topology": _TOPOLOGIES, "kql": _QUERIES}


def make_items(seed: int, each: int = 110) -> dict[str, list[Pair]]:
    """So many pairs of prompt and answer of each task."""
    chance = random.Random(seed)
    return {task: [_fill(chance, *chance.choice(forms)) for _ in range(each)] for task, forms in TASKS.items()}


def _fill(chance: random.Random, prompt: str, answer: str) -> Pair:
    name = f"{chance.choice(_NAMES)}-{chance.choice(_NAMES)}"
    values = {
        "name": name,
        "path": chance.choice(_PATHS),
        "n": str(chance.randint(2, 64)),
        "m": str(chance.randint(65, 900)),
    }
    return prompt.format(**values), answer.format(**values)
