"""The stage against a teacher that fails: killed a hundred times, changed, and left by a teacher that will not answer."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from manifests.models import Recipe
from pipelines.engine import Commit, StageError
from pipelines.run import Run
from tests.corpora import InProcess, documents_of
from tests.hostile_teacher import HostileTeacher, Reply, error
from tests.synth_process import CONCURRENCY, make_killed
from tests.synth_runs import make, parts_of, put_documents
from tests.topics import document_of, faq_of, topic_of

KILLS, DOCUMENTS, SAMPLES, FAULTS = 100, 84, 60, 0.2
PATIENCE_S = 3.0
_FEW = 12
_KEY = "BENCHMARK_TEACHER_KEY"
_FAQ = Path(__file__).resolve().parents[2] / "manifests" / "kinds" / "faq.yaml"


def kills() -> dict[str, Any]:
    """What a plan costs and makes whose process is killed again and again, beside an undisturbed one."""
    texts = [document_of(n) for n in range(DOCUMENTS)]
    with tempfile.TemporaryDirectory() as directory:
        calm = make_killed(Path(directory, "calm", "run"), texts, SAMPLES, 0, 0.0)
        begin = time.perf_counter()
        killed = make_killed(Path(directory, "killed", "run"), texts, SAMPLES, KILLS, FAULTS)
        seconds = time.perf_counter() - begin
    return {
        "requests": DOCUMENTS * SAMPLES,
        "kills": killed.kills,
        "seconds": seconds,
        "asked": killed.counts.asked,
        "faults": sum(killed.counts.faults.values()),
        "ways": len(killed.counts.faults),
        "answered": sum(killed.counts.answers.values()),
        "most": DOCUMENTS * SAMPLES + killed.kills * CONCURRENCY,
        "different": len(killed.counts.answers),
        "identical": killed.parts == calm.parts,
        "parts": len(calm.parts),
    }


# ---------------------------------------------------------------- what a change asks for


@dataclass(frozen=True)
class Change:
    """A change of a recipe, how many requests are new by it, and how many were asked."""

    name: str
    new: int
    asked: int


def changes() -> list[Change]:
    """Makes a run again and again, with one thing changed each time."""
    faq, listed = {"kind": "faq", "teacher": "m"}, {"kind": "knowledge_list", "teacher": "m"}
    told: list[tuple[str, int, dict[str, Any], list[dict[str, Any]], int]] = [
        ("a first run", _FEW, {}, [faq], _FEW),
        ("nothing", 0, {}, [faq], _FEW),
        ("the limit of a gate", 0, {}, [{**faq, "limits": {"ungrounded": 0.5}}], _FEW),
        ("URL, concurrency and patience", 0, {"concurrency": 3, "timeout_s": 9.0}, [faq], _FEW),
        ("another kind beside it", _FEW, {}, [faq, listed], _FEW),
        ("three more documents", 6, {}, [faq, listed], _FEW + 3),
        ("temperature", 2 * (_FEW + 3), {"temperature": 0.5}, [faq, listed], _FEW + 3),
        ("model", 2 * (_FEW + 3), {"model": "n"}, [faq, listed], _FEW + 3),
        ("revision", 2 * (_FEW + 3), {"revision": "2"}, [faq, listed], _FEW + 3),
        ("the task of one kind", _FEW + 3, {}, [{**faq, "kind": "mine.yaml"}, listed], _FEW + 3),
    ]
    found = []
    with tempfile.TemporaryDirectory() as directory, _faithful() as server:
        kind = {**yaml.safe_load(_FAQ.read_text(encoding="utf-8")), "name": "mine"}
        Path(directory, "mine.yaml").write_text(yaml.safe_dump({**kind, "task": kind["task"] + " Be brief."}))
        for name, new, teacher, kinds, documents in told:
            before = server.counts.asked
            _make(_run(Path(directory), server.url, kinds, **teacher), documents)
            found.append(Change(name, new, server.counts.asked - before))
    return found


# ---------------------------------------------------------------- teachers that will not answer


@dataclass(frozen=True)
class Ending:
    """How a teacher ended a run: the line, after how long, how many answers were kept until then; and the run after it:
    requests that were asked, and whether it made what an undisturbed one makes."""

    name: str
    line: str
    seconds: float
    answered: int
    asked_after: int
    identical: bool

    @property
    def holds(self) -> bool:
        """One line, nothing lost, resumable."""
        return "\n" not in self.line and self.answered + self.asked_after == _FEW and self.identical


def endings() -> list[Ending]:
    """Runs that their teacher ends, and the same runs when it is well again."""
    undisturbed = _undisturbed()
    with patch.dict(os.environ, {_KEY: "wrong"}):
        found = [_ending("a wrong key", undisturbed, HostileTeacher(key="right", answer=_faq), api_key_variable=_KEY)]
    missing = Reply(404, error("The model `m` does not exist", "model_not_found"))
    found.append(_ending("a missing model", undisturbed, HostileTeacher(script=lambda *_: missing)))
    found.append(_ending("a quota that ends", undisturbed, HostileTeacher(quota=_FEW // 2, answer=_faq)))
    found.append(_ending("a server that goes away", undisturbed, _leaving(_FEW // 2)))
    return found


def _leaving(answers: int) -> HostileTeacher:
    """A server that nobody finds at its port any more once it has sent so many answers."""

    def script(request: dict[str, Any], before: int) -> Reply | None:
        if sum(server.counts.answers.values()) < answers:
            return None
        threading.Thread(target=server.go_away).start()  # not on the server's own, which this is
        return Reply(hangs=True)

    server = HostileTeacher(script=script, answer=_faq)
    return server


def _ending(name: str, undisturbed: Sequence[Any], server: HostileTeacher, **teacher: Any) -> Ending:
    kinds = [{"kind": "faq", "teacher": "m"}]
    with tempfile.TemporaryDirectory() as directory:
        begin, line = time.perf_counter(), ""
        with server:
            try:
                _make(_run(Path(directory), server.url, kinds, concurrency=1, **teacher), _FEW)
            except StageError as error:
                line = str(error)
        seconds = time.perf_counter() - begin
        with _faithful() as well:
            parts = parts_of(_make(_run(Path(directory), well.url, kinds), _FEW))
            return Ending(
                name, line, seconds, sum(server.counts.answers.values()), well.counts.asked, parts == undisturbed
            )


def _undisturbed() -> list[Any]:
    with tempfile.TemporaryDirectory() as directory, _faithful() as server:
        return parts_of(_make(_run(Path(directory), server.url, [{"kind": "faq", "teacher": "m"}]), _FEW))


# ---------------------------------------------------------------- runs


def _faq(request: dict[str, Any]) -> str:
    return faq_of(topic_of(request))


def _faithful() -> HostileTeacher:
    return HostileTeacher(answer=_faq)


def _run(base: Path, url: str, kinds: Sequence[Mapping[str, Any]], **teacher: Any) -> Run:
    settings = {
        "teachers": {"m": {"urls": [url], "model": "m", **teacher}},
        "kinds": kinds,
        "patience_s": PATIENCE_S,
    }
    recipe = Recipe.model_validate({"name": "benchmark", "manifests": ["none"], "synth": settings})
    return Run(str(base / "run"), recipe, (), base)


def _make(run: Run, documents: int) -> Commit:
    put_documents(run, documents_of(*(document_of(n) for n in range(documents))))
    return make(run, InProcess())
