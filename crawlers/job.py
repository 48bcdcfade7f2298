"""What one crawler process is asked to do, as a JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from crawlers.parent import die_with_parent
from manifests.models import CrawlSettings, Source


@dataclass(frozen=True, slots=True)
class CrawlJob:
    """Sources that one process crawls side by side.

    `directory` is local and gets a sub-directory for each source. `connect_to` maps a host name to the
    `ip:port` to connect to instead. `version` goes into the User-Agent. `parent_pid`: the process with
    which the crawler dies, None for none. A host must be in the job of one process only.
    `generation`: 1 for the first crawl of a source; a higher number goes over it again, once its crawl has ended.
    `taken_down`: what must not be fetched again, as `crawlers.takedown` reads it.
    """

    sources: list[Source]
    settings: CrawlSettings
    directory: Path
    version: str
    connect_to: dict[str, str] = field(default_factory=dict)
    parent_pid: int | None = None
    generation: int = 1
    taken_down: list[dict[str, str]] = field(default_factory=list)

    def to_json(self) -> str:
        """The job as text for `from_json`."""
        return json.dumps(
            {
                "sources": [source.model_dump(mode="json") for source in self.sources],
                "settings": self.settings.model_dump(mode="json"),
                "directory": str(self.directory),
                "version": self.version,
                "connect_to": self.connect_to,
                "parent_pid": self.parent_pid,
                "generation": self.generation,
                "taken_down": self.taken_down,
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> CrawlJob:
        """The job in a text that `to_json` made; raises ValueError, KeyError or TypeError for another."""
        values = json.loads(text)
        return cls(
            sources=[Source.model_validate(source) for source in values["sources"]],
            settings=CrawlSettings.model_validate(values["settings"]),
            directory=Path(values["directory"]),
            version=values["version"],
            connect_to=values["connect_to"],
            parent_pid=values["parent_pid"],
            generation=values["generation"],
            taken_down=values["taken_down"],
        )


class JobError(Exception):
    """There is no job to do, or nobody left who wants it; the message is one line."""


def read_job(arguments: list[str], program: str) -> CrawlJob:
    """The job in the file that is a program's only argument; from then on the process dies with the job's parent."""
    if len(arguments) != 1:
        raise JobError(f"usage: python -m {program} JOB.json")
    try:
        job = CrawlJob.from_json(Path(arguments[0]).read_text())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobError(f"{arguments[0]} is no crawl job: {' '.join(str(error).split())}") from None
    if job.parent_pid is not None and not die_with_parent(job.parent_pid):
        raise JobError(f"the parent process {job.parent_pid} is gone")
    return job
