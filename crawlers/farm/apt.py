"""Asks apt for packages, as any user and without a trace in the system: its state is in a folder of ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

TIME_LIMIT_S = 1800
_PARAGRAPH = re.compile(r"^Package: (\S+)$(?:.*?)^Size: (\d+)$", re.MULTILINE | re.DOTALL)

# The status file is empty: what is installed here must not change what is offered.
# Hooks are cleared: they belong to the system's own package lists, and fail without its rights.
_CONFIGURATION = """\
Dir::State "{home}/state";
Dir::State::lists "{home}/lists";
Dir::State::status "{home}/status";
Dir::Cache "{home}/cache";
Dir::Log "{home}/log";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
# Root would hand over to a user who may not enter our folder.
_AS_ROOT = 'APT::Sandbox::User "root";\n'


class FarmUnavailable(Exception):
    """The farm cannot be prepared on this machine; the message is one line for the person who asked."""


class Apt:
    """The packages that this machine's package sources offer."""

    def __init__(self, home: Path, log: Callable[[str], None]) -> None:
        for program in ("apt-get", "apt-cache", "dpkg-deb", "setpriv"):
            if shutil.which(program) is None:
                raise FarmUnavailable(f"the farm is made of Debian packages, and this machine has no {program}")
        self._log = log
        self._updated = False
        for folder in ("state", "lists/partial", "cache/archives/partial", "log"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        (home / "status").touch()
        self._configuration = home / "apt.conf"
        as_root = _AS_ROOT if os.geteuid() == 0 else ""
        self._configuration.write_text(_CONFIGURATION.format(home=home) + as_root, encoding="utf-8")

    def choose(self, wanted: Sequence[Sequence[str]]) -> dict[str, int]:
        """The first offered package of each list of alternatives, and its size in bytes.

        Package lists are fetched when those at hand do not answer. Raises FarmUnavailable when apt
        knows no package of a list.
        """
        names = sorted({name for alternatives in wanted for name in alternatives})
        offered = self._offered(names)
        if any(offered.keys().isdisjoint(alternatives) for alternatives in wanted):
            failure = self._update()
            offered = self._offered(names)
            for alternatives in wanted:
                if offered.keys().isdisjoint(alternatives):
                    because = f"; not all of its lists could be fetched: {failure}" if failure else ""
                    raise FarmUnavailable(f"apt offers no package {' or '.join(alternatives)}{because}")
        chosen = [next(name for name in alternatives if name in offered) for alternatives in wanted]
        return {name: offered[name] for name in chosen}

    def download(self, packages: Sequence[str], into: Path) -> None:
        """Put `PACKAGE.deb` of each package into a directory; a file that is there is whole."""
        arriving = into / "arriving"
        shutil.rmtree(arriving, ignore_errors=True)
        arriving.mkdir(parents=True)
        command = ["apt-get", "-qq", "download", *packages]
        failure = self._run(command, arriving)
        if failure and not self._updated:
            self._update()  # lists of another day may name versions that are gone
            failure = self._run(command, arriving)
        if failure:
            raise FarmUnavailable(f"apt-get cannot download the packages of the farm: {failure}")
        for deb in sorted(arriving.glob("*.deb")):
            deb.rename(into / f"{deb.name.partition('_')[0]}.deb")
        arriving.rmdir()

    def _offered(self, names: Sequence[str]) -> dict[str, int]:
        show = ["apt-cache", "-c", str(self._configuration), "show", "--no-all-versions", *names]
        # Its exit code says only that one of the names is unknown.
        found = subprocess.run(
            show, check=False, capture_output=True, text=True, env=_environment(), timeout=TIME_LIMIT_S
        )
        return {match[1]: int(match[2]) for match in _PARAGRAPH.finditer(found.stdout)}

    def _update(self) -> str:
        """Fetch the package lists; what went wrong in one line, or nothing."""
        self._updated = True
        self._log("farm: fetching package lists")
        return self._run(["apt-get", "-qq", "update"], self._configuration.parent)

    def _run(self, command: Sequence[str], folder: Path) -> str:
        """Run apt-get; its complaint in one line where it failed, or nothing."""
        try:
            done = subprocess.run(
                # If this process is killed, apt-get must not hold its lock on the lists into the next run.
                ["setpriv", "--pdeathsig", "KILL", command[0], "-c", str(self._configuration), *command[1:]],
                check=False, cwd=folder, env=_environment(), timeout=TIME_LIMIT_S,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"no answer within {TIME_LIMIT_S} s"
        # A list that could not be fetched is a warning only, and the exit code is 0.
        if done.returncode == 0 and "Failed to fetch" not in done.stderr:
            return ""
        complaints = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
        return complaints[0] if complaints else f"exit code {done.returncode}"


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def unpack(deb: Path, into: Path) -> None:
    """Unpack a package into a fresh directory, without installing it."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    command = ["dpkg-deb", "-x", str(deb), str(into)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    if done.returncode:
        complaint = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[0]
        raise FarmUnavailable(f"{deb.name} cannot be unpacked: {complaint}")
