"""The refresh on a schedule: what KubeRay is told, what is refused before, and the image that it starts."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipelines import cli, schedule
from pipelines.schedule import ScheduleError, check_cron
from tests import runs
from tests.kuberay import RESOURCES

_DEPLOY = runs.REPOSITORY / "deploy"
_RECIPE = "manifests/recipes/small.yaml"
_RUN = "s3://bucket/runs/small"


def _printed(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, dict[str, Any]]:
    """What the command prints, and that as KubeRay reads it, held against the CRD's schema."""
    recipe = str(runs.REPOSITORY / _RECIPE)
    assert cli.main(["schedule", "--recipe", recipe, "--run", _RUN, *options]) == 0
    text = capsys.readouterr().out
    resource = yaml.safe_load(text)
    jsonschema.validate(resource, RESOURCES[resource["kind"]])
    return text, resource


def _refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert cli.main(["schedule", *options]) == 1
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_a_schedule_is_a_ray_cron_job_that_visits_the_sites_again(capsys: pytest.CaptureFixture[str]) -> None:
    _, resource = _printed(
        capsys, "--image", "registry.example/syscorpus:9", "--cron", "30 1 * * mon-fri", "--workers", "7"
    )
    assert resource["metadata"]["name"] == "syscorpus-small"
    assert resource["spec"]["schedule"] == "30 1 * * mon-fri"
    job = resource["spec"]["jobTemplate"]
    assert job["entrypoint"] == f"syscorpus run --again --recipe /app/{_RECIPE} --run {_RUN}"
    assert job["shutdownAfterJobFinishes"] is True
    [group] = job["rayClusterSpec"]["workerGroupSpecs"]
    assert (group["minReplicas"], group["replicas"], group["maxReplicas"]) == (7, 7, 7)
    for node in (job["rayClusterSpec"]["headGroupSpec"], group):
        [container] = node["template"]["spec"]["containers"]
        assert container["image"] == "registry.example/syscorpus:9"


def test_its_command_is_one_that_the_command_line_takes(capsys: pytest.CaptureFixture[str]) -> None:
    _, resource = _printed(capsys, "--once")
    program, *arguments = shlex.split(resource["spec"]["entrypoint"])
    options = cli._parser().parse_args(arguments)
    assert (program, options.command, options.again, options.run) == ("syscorpus", "run", True, _RUN)


def test_what_it_prints_says_how_it_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    text, _ = _printed(capsys, "--cron", "0 3 * * *")
    [asked] = re.findall("^# syscorpus (.*)$", text, re.MULTILINE)
    options = cli._parser().parse_args(shlex.split(asked))
    again = schedule.schedule(
        str(runs.REPOSITORY / options.recipe), options.run, options.image, options.cron, options.workers
    )
    assert again == text


@pytest.mark.parametrize(("name", "cron"), [("rayjob.yaml", None), ("raycronjob.yaml", schedule.NIGHTLY)])
def test_the_files_in_deploy_are_what_the_command_prints(name: str, cron: str | None) -> None:
    """For the recipe of every source, which the command itself takes only once it has a contact."""
    recipe, run = Path("manifests/recipes/full.yaml"), "s3://bucket/runs/full"
    text = (_DEPLOY / name).read_text()
    assert text == schedule.render("full", recipe, run, schedule.IMAGE, cron, schedule.WORKERS)
    resource = yaml.safe_load(text)
    jsonschema.validate(resource, RESOURCES[resource["kind"]])


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ((), "status_"),
        (("spec",), "concurrencyPolicy"),  # which RayCronJob has not
        (("spec", "jobTemplate"), "spec"),
        (("spec", "jobTemplate", "rayClusterSpec"), "workers"),
        (("spec", "jobTemplate", "rayClusterSpec", "headGroupSpec", "template", "spec", "containers", 0), "cpu"),
    ],
)
def test_the_schema_refuses_what_kuberay_would_not_read(place: tuple[Any, ...], key: str) -> None:
    resource = yaml.safe_load((_DEPLOY / "raycronjob.yaml").read_text())
    at = resource
    for name in place:
        at = at[name]
    at[key] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(resource, RESOURCES["RayCronJob"])


def test_names_are_such_that_kuberay_takes_them() -> None:
    text = schedule.render("a" * 30 + "_" * 20 + "b", Path("r.yaml"), "s3://b/r", "i", schedule.NIGHTLY, 1)
    jsonschema.validate(yaml.safe_load(text), RESOURCES["RayCronJob"])
    assert len(yaml.safe_load(text)["metadata"]["name"]) <= 41


# ---------------------------------------------------------------- refusals


def test_a_run_on_one_machine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = _refused(capsys, "--recipe", str(runs.SMALL), "--run", "runs/small")
    assert "runs/small: is a path of one machine" in line


def test_a_recipe_is_checked_whole(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = runs.REPOSITORY / "manifests" / "recipes" / "full.yaml"
    assert "contact: is missing" in _refused(capsys, "--recipe", str(recipe), "--run", _RUN)
    assert "none.yaml" in _refused(capsys, "--recipe", "none.yaml", "--run", _RUN)


def test_a_recipe_that_the_image_has_not_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(runs.SMALL.read_text().replace("../farm", str(runs.REPOSITORY / "manifests" / "farm")))
    assert "the image has only what lies in the project" in _refused(capsys, "--recipe", str(recipe), "--run", _RUN)


@pytest.mark.parametrize("good", ["0 2 * * *", "*/15 0-6,22 1,15 jan-MAR ?", "5/10 * * * 0", "@daily", "59 23 31 12 6"])
def test_cron_expressions_that_are_taken(good: str) -> None:
    check_cron(good)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "has 0 fields"),
        ("0 2 * *", "has 4 fields"),
        ("0 0 2 * * *", "has 6 fields"),
        ("60 2 * * *", "minute: 60 is not within 0-59"),
        ("0 24 * * *", "hour: 24 is not within 0-23"),
        ("0 2 0 * *", "day of the month: 0 is not within 1-31"),
        ("0 2 * 13 *", "month: 13 is not within 1-12"),
        ("0 2 * * 7", "day of the week: 7 is not within 0-6"),
        ("0 2 * * tue-mon", "tue-mon ends before it begins"),
        ("*/0 * * * *", "is not a value"),
        ("0 2 * * mon,", "is not a value"),
        ("@often", "has 1 fields"),
        ("TZ=UTC 0 2 * * *", "has 6 fields"),
    ],
)
def test_cron_expressions_that_are_refused(bad: str, why: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(why)):
        check_cron(bad)


# ---------------------------------------------------------------- kubectl


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that keeps what it was given, and fails where a file `fail` lies beside it."""
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat > {tmp_path}/given\n'
        f"if [ -e {tmp_path}/fail ]; then echo 'no such kind' >&2; exit 1; fi\necho done\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize(("option", "verb"), [("--once", "create"), ("--workers=1", "apply")])
def test_a_schedule_is_handed_to_kubectl(
    kubectl: Path, option: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printed, _ = _printed(capsys, option)
    assert cli.main(["schedule", "--recipe", str(runs.SMALL), "--run", _RUN, option, "--submit"]) == 0
    assert capsys.readouterr().out == "done\n"
    assert (kubectl / "asked").read_text() == f"{verb} -f -\n"
    assert (kubectl / "given").read_text() == printed


def test_what_kubectl_refuses_is_one_line(kubectl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (kubectl / "fail").touch()
    line = _refused(capsys, "--recipe", str(runs.SMALL), "--run", _RUN, "--submit")
    assert line == "error: kubectl apply: no such kind"


def test_without_kubectl_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "kubectl is not installed" in _refused(capsys, "--recipe", str(runs.SMALL), "--run", _RUN, "--submit")


# ---------------------------------------------------------------- the image


def test_the_image_is_what_the_schedule_expects() -> None:
    text = (_DEPLOY / "Dockerfile").read_text()
    [start] = re.findall(r"^FROM (\S+)$", text, re.MULTILINE)
    assert start.startswith("python:3.11-slim")
    assert "--require-hashes --no-deps -r /tmp/requirements.lock" in text
    assert f"useradd --uid {schedule._UID} " in text
    assert f"WORKDIR {schedule._APP}\n" in text
    assert f"ENV SYSCORPUS_SCRATCH={schedule._SCRATCH}\n" in text
    assert text.index("USER syscorpus") < text.index("python -m pipelines.compile")


def test_the_image_has_the_project_and_nothing_of_its_runs() -> None:
    lines = (_DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    wanted = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert all((runs.REPOSITORY / name).exists() for name in wanted)
    packages = {path.parent.name for path in runs.REPOSITORY.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages <= wanted
    assert {"requirements.lock", "pyproject.toml"} <= wanted
