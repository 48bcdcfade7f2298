"""The refresh of a run on a schedule: what a Kubernetes cluster with KubeRay is told, printed or handed over.

Each time a RayJob starts a Ray cluster of its own, visits the sites of the run again, makes what has changed, exports
it, and lets the cluster go. KubeRay starts the next one in its time, whether or not the last has ended: that two never
overlap is the lease's doing (`pipelines/lease.py`); the later one ends at once and says who is at work.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from manifests.load import load_recipe
from pipelines import __version__, storage

IMAGE = f"syscorpus:{__version__}"
NIGHTLY = "0 2 * * *"
WORKERS = 2

_PROJECT = Path(__file__).resolve().parents[1]
#: Where the image has the project, its user, and what `SYSCORPUS_SCRATCH` names there (see deploy/Dockerfile).
_APP, _UID, _SCRATCH = "/app", 1000, "/scratch"
_SECRET = "syscorpus"
# KubeRay takes names of RayJobs up to 47 characters, and adds five and a hyphen to those of a schedule.
_NAME_LENGTH = 41

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Of each field of a cron expression: its name, least and greatest value, and the names of values.
_CRON = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_SHORT = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")


class ScheduleError(Exception):
    """A schedule that cannot be made; the message says why, in one line."""


def schedule(recipe: str, run: str, image: str, cron: str | None, workers: int) -> str:
    """The YAML of a RayCronJob, or of a RayJob that runs once (`cron`: None). Raises ScheduleError, ManifestError."""
    if not storage.is_remote(run):
        raise ScheduleError(f"{run}: is a path of one machine; on a cluster a run is an s3://, gs:// or az:// URL")
    loaded = load_recipe(recipe)
    if not loaded.path.resolve().is_relative_to(_PROJECT):
        raise ScheduleError(f"{recipe}: the image has only what lies in the project; put the recipe into {_PROJECT}")
    if loaded.recipe.export.to.startswith("/"):
        raise ScheduleError(f"{recipe}: export.to: {loaded.recipe.export.to} is a path of one machine")
    if cron is not None:
        check_cron(cron)
    return render(loaded.recipe.name, loaded.path.resolve().relative_to(_PROJECT), run, image, cron, workers)


def render(name: str, recipe: Path, run: str, image: str, cron: str | None, workers: int) -> str:
    """The YAML of a refresh; `recipe` is the path within the project. Settings are not checked here."""
    title = f"syscorpus-{name.replace('_', '-')}"[:_NAME_LENGTH].rstrip("-")
    job = _job(f"{_APP}/{recipe.as_posix()}", run, image, workers)
    labels = {"app.kubernetes.io/name": "syscorpus"}
    asked = ["syscorpus", "schedule", "--recipe", recipe.as_posix(), "--run", run, "--image", image]
    if cron is None:
        how = "once"
        resource = {"kind": "RayJob", "metadata": {"generateName": f"{title}-", "labels": labels}, "spec": job}
        asked += ["--once"]
    else:
        how = "by KubeRay 1.7 or newer, with its feature gate RayCronJob"
        spec = {"schedule": cron, "timeZone": "Etc/UTC", "jobTemplate": job}
        resource = {"kind": "RayCronJob", "metadata": {"name": title, "labels": labels}, "spec": spec}
        asked += ["--cron", cron]
    asked += ["--workers", str(workers)]
    head = (
        f"# The sites of a run visited again, and what has changed made and exported: {how}.\n# {shlex.join(asked)}\n"
    )
    return head + yaml.safe_dump({"apiVersion": "ray.io/v1", **resource}, sort_keys=False, width=120)


def submit(text: str) -> str:
    """Hands a schedule to the cluster that kubectl is set up for; returns what it says. Raises ScheduleError."""
    if shutil.which("kubectl") is None:
        raise ScheduleError("kubectl is not installed; without --submit the YAML is printed, to be handed over by hand")
    # One that runs once has a new name each time, which `apply` does not know.
    verb = "create" if "generateName" in yaml.safe_load(text)["metadata"] else "apply"
    done = subprocess.run(["kubectl", verb, "-f", "-"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ScheduleError(f"kubectl {verb}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return done.stdout.strip()


# ---------------------------------------------------------------- the job


def _job(recipe: str, run: str, image: str, workers: int) -> dict[str, Any]:
    """The RayJob of a refresh. It is not tried again by itself: the next one goes on where it ended."""
    command = ["syscorpus", "run", "--again", "--recipe", recipe, "--run", run]
    return {
        "entrypoint": shlex.join(command),
        "backoffLimit": 0,
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": 600,
        "rayClusterSpec": {
            "rayVersion": metadata.version("ray"),
            "headGroupSpec": {
                "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},  # the driver has the head for itself
                "template": _pod("ray-head", image, {"cpu": "2", "memory": "8Gi"}),
            },
            "workerGroupSpecs": [
                {
                    "groupName": "workers",
                    "replicas": workers,
                    "minReplicas": workers,
                    "maxReplicas": workers,
                    "rayStartParams": {},
                    "template": _pod("ray-worker", image, {"cpu": "4", "memory": "16Gi"}),
                }
            ],
        },
    }


def _pod(name: str, image: str, resources: dict[str, str]) -> dict[str, Any]:
    """A node: credentials come from a secret, crawlers have a disk of the node, and nobody is root."""
    container = {
        "name": name,
        "image": image,
        "env": [{"name": "SYSCORPUS_SCRATCH", "value": _SCRATCH}],
        "envFrom": [{"secretRef": {"name": _SECRET, "optional": True}}],
        "resources": {"requests": resources, "limits": dict(resources)},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "scratch", "mountPath": _SCRATCH}],
    }
    spec = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": _UID, "fsGroup": _UID},
        "containers": [container],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    return {"spec": spec}


# ---------------------------------------------------------------- cron


def check_cron(expression: str) -> None:
    """Raises ScheduleError where KubeRay's controller would not take an expression: five fields, or `@daily` ..."""
    if expression in _SHORT:
        return
    fields = expression.split()
    if len(fields) != len(_CRON):
        raise ScheduleError(f"--cron {expression!r}: has {len(fields)} fields, not 5 (minute hour day month weekday)")
    for text, (name, least, most, names) in zip(fields, _CRON, strict=True):
        for each in text.split(","):
            fault = _fault(each.lower(), least, most, names)
            if fault:
                raise ScheduleError(f"--cron {expression!r}: {name}: {fault}")


def _fault(text: str, least: int, most: int, names: tuple[str, ...]) -> str | None:
    """What is wrong with one range of a field (`*`, `5`, `1-5`, `*/10`), None if nothing is."""
    match = re.fullmatch(r"(?:[*?]|(\w+)(?:-(\w+))?)(?:/(\d+))?", text, re.ASCII)
    if match is None or match[3] == "0":
        return f"{text!r} is not a value, a range (1-5) or a step (*/10)"
    values = []
    for value in (match[1], match[2]):
        if value in names:
            values.append(names.index(value) + least)
        elif value is not None:
            if not value.isdigit() or not least <= int(value) <= most:
                return f"{value} is not within {least}-{most}"
            values.append(int(value))
    if len(values) == 2 and values[0] > values[1]:
        return f"{text} ends before it begins"
    return None
