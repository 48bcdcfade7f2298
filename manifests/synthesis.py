"""What a teacher is asked for, and on which terms: teachers, kinds of text, gates, caps."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from manifests.base import Identifier, Limits, Model, Rule, Share

_KINDS = Path(__file__).parent / "kinds"
_GATES = Path(__file__).parent / "gates.yaml"
_OPTION = re.compile(r"[a-z][a-z0-9-]*")
#: Options of `vllm serve` that the rest of a teacher decides.
_OURS = frozenset(
    {
        "api-key", "host", "max-model-len", "model", "port", "revision", "served-model-name", "tensor-parallel-size",
        "uds",
    }
)  # fmt: skip
#: Those that place the work, and leave each answer what it may be.
_PLACING = frozenset(
    {
        "block-size", "distributed-executor-backend", "enable-chunked-prefill", "enable-prefix-caching",
        "gpu-memory-utilization", "max-num-batched-tokens", "max-num-seqs", "kv-cache-memory-bytes",
        "pipeline-parallel-size", "swap-space", "uvicorn-log-level",
    }
)  # fmt: skip


class Price(Model):
    """Of a million tokens each, in one currency."""

    prompt: float = Field(ge=0.0)
    completion: float = Field(ge=0.0)
    cached: float | None = Field(default=None, ge=0.0, description="of prompt tokens from a cache; null: as the others")


class Engine(Model):
    """vLLM, started on Ray's machines while its teacher is asked (https://docs.vllm.ai/en/stable/cli/serve)."""

    number: int = Field(default=1, ge=1, le=4096, description="of engines, each of which holds all of the model")
    gpus: int = Field(default=1, ge=0, le=64, description="of each engine, in one machine")
    weights: str = Field(
        default="", description="what is loaded: a directory that each machine sees, or a name; empty: the model's name"
    )
    options: dict[str, bool | int | float | str] = Field(
        default={},
        description="of `vllm serve`, without dashes before; those that may change an answer make it another teacher",
    )
    command: str = Field(default="vllm", min_length=1, description="the program, or its path on each machine")

    @field_validator("options")
    @classmethod
    def _are_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        for name in options:
            if not _OPTION.fullmatch(name):
                raise ValueError(f"{name!r} is no name of an option; give it as max-model-len")
            if name in _OURS:
                raise ValueError(f"{name} is set by what else the teacher says; leave it out")
        return options

    @property
    def deciding(self) -> dict[str, Any]:
        """The options that may change an answer: all but those that say how much is done at once, and where."""
        return {name: value for name, value in sorted(self.options.items()) if name not in _PLACING}


class Teacher(Model):
    """A model that writes. Its key is read from the environment, never from the file."""

    model: str = Field(min_length=1)
    revision: str = Field(default="", description="of its weights; a new one is another teacher")
    licence: str = Field(default="", description="of what the teacher writes")
    api: Literal["chat", "completion", "batch"] = Field(
        default="chat", description="of an OpenAI-compatible server; batch: chat, by its files and batches"
    )
    urls: list[str] = Field(default=[], description="of its replicas, up to and including /v1")
    url_variable: str = Field(
        default="", description="environment variable that holds the URL; where it is not set, its kinds are not asked"
    )
    engine: Engine | None = Field(default=None, description="starts the model itself, in place of a URL")
    api_key_variable: str = Field(default="", description="environment variable that holds the key")
    api_key_header: Literal["authorization", "api-key"] = Field(
        default="authorization", description="authorization: as a bearer; api-key: as Azure has it"
    )
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    seed: int = 0
    parameters: dict[str, Any] = Field(default={}, description="further parameters of a request, sent as they are")
    context: int | None = Field(default=None, ge=256, description="tokens of prompt and answer; null: not known")
    tokenizer: str | None = Field(
        default=None,
        description="path of its tokenizer.json, relative to the recipe, with its chat template in "
        "tokenizer_config.json beside it; null: prompts are estimated",
    )
    concurrency: int = Field(default=64, ge=1, le=4096, description="requests in flight at most, at each replica")
    requests_per_minute: int | None = Field(default=None, ge=1, description="null: what its answers say, if they do")
    tokens_per_minute: int | None = Field(default=None, ge=1, description="null: what its answers say, if they do")
    timeout_s: float = Field(default=300.0, gt=0.0)
    price: Price | None = None
    tokens_per_gpu_hour: float | None = Field(default=None, gt=0.0, description="tokens it writes; for GPU hours")

    @field_validator("urls")
    @classmethod
    def _are_urls(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
                raise ValueError(f"{url!r} is not an http or https URL")
        if len(set(urls)) < len(urls):
            raise ValueError("a URL stands twice")
        return urls

    @model_validator(mode="after")
    def _is_reachable(self) -> Teacher:
        if bool(self.urls) + bool(self.url_variable) + bool(self.engine) != 1:
            raise ValueError("give one of urls, url_variable and engine")
        if self.engine and (self.api == "batch" or self.api_key_variable):
            raise ValueError("an engine has neither batches nor a key: leave out api batch and api_key_variable")
        if self.api == "batch" and len(self.urls) > 1:
            raise ValueError("api batch has one URL: its batches lie at one server")
        return self


class Example(Model):
    """A golden example: what the teacher is given, what it answers, and the text that becomes of it."""

    document: str
    answer: str
    text: str


class Kind(Model):
    """A kind of text that a teacher is asked for; a file of its own, named after it.

    `code`: `masked`, code is hidden behind placeholders, each of which must come back once; `chosen`, it is hidden, and
    the answer takes what it needs; `shown`, the teacher sees it, and what it repeats must be as it was; `rewritten`, it
    writes code anew, which must parse as the document's did.
    """

    name: Identifier
    about: str = Field(description="what it is good for, in a line")
    task: str = Field(description="what the teacher is asked; stands behind the document")
    code: Literal["masked", "chosen", "shown", "rewritten"] = "chosen"
    form: Identifier = Field(default="markdown", description="how an answer is read: a file of synth/forms/")
    response_schema: dict[str, Any] | None = Field(default=None, description="JSON schema of an answer in JSON")
    document_first: bool = Field(default=True, description="so that a document's kinds share what a cache holds")
    seeds: Identifier | None = Field(
        default=None, description="what is made instead of read from documents: a file of synth/seeds/"
    )
    needs: list[Identifier] = Field(default=[], description="what a document must have: functions of synth/needs.py")
    categories: list[Identifier] = Field(default=[], description="of the documents that it suits; none: all")
    fewest_words: int = Field(default=50, ge=0, description="of a document")
    piece_words: int = Field(default=1500, ge=50, description="a longer document is split at its headings")
    joined: bool = Field(default=False, description="the pieces of a document become one text; else one each")
    max_tokens: int = Field(default=1024, ge=16, description="of an answer")
    expected: float = Field(default=0.5, gt=0.0, description="tokens of an answer for each of its prompt, about")
    limits: Limits = Field(default={}, description="other limits of gates, by name; null: the gate does not judge")
    example: Example

    @model_validator(mode="after")
    def _agrees(self) -> Kind:
        if self.seeds and (self.joined or self.needs):
            raise ValueError("seeds are neither split nor chosen")
        if self.seeds and len(self.categories) != 1:
            raise ValueError("texts from seeds are of one category: name it")
        return self


class KindUse(Model):
    """Which documents a kind is asked of, and by whom."""

    kind: str = Field(description="name of a kind, or the path of its file (*.yaml) relative to the recipe")
    teacher: Identifier
    documents: int | None = Field(default=None, ge=0, description="at most, chosen by hash of their id; null: all")
    share: Share = Field(default=1.0, description="of the documents that suit, chosen by hash of their id")
    categories: list[Identifier] = Field(default=[], description="none: those that suit the kind")
    quality: Share = Field(default=0.0, description="topic_quality of a document at least")
    words: list[int] = Field(
        default=[0, 50_000], min_length=2, max_length=2, description="of a document, at least and at most"
    )
    samples: int = Field(default=1, ge=1, le=64, description="answers to each request, by other seeds")
    limits: Limits = Field(default={}, description="other limits of gates, by name; null: the gate does not judge")


class Caps(Model):
    """What a plan may come to: what is beyond is not asked, and stays for a larger cap. null: no cap."""

    requests: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0, description="of prompts and answers")
    money: float | None = Field(default=None, ge=0.0, description="by the teachers' prices")


class Audit(Model):
    """A teacher judges a sample of the answers."""

    teacher: Identifier
    share: Share = Field(default=0.01, description="of the answers, chosen by hash of their request")
    at_least: int = Field(default=3, ge=1, le=5, description="the mark from which an answer counts")


class Together(Model):
    """Which answers do not count for what others say; of those that are alike the smallest request key stays."""

    alike: Share = Field(default=0.8, description="Jaccard similarity to a document or another answer")
    same_phrase: Share = Field(
        default=0.05, description="of a kind's answers that may begin, or end, in the same words"
    )
    fewest: int = Field(default=20, ge=1, description="answers that may in any case")


class SynthSettings(Model):
    teachers: dict[Identifier, Teacher] = Field(default={}, description="by the names that kinds call them")
    kinds: list[KindUse] = Field(default=[], description="none: the stage commits zero rows")
    caps: Caps = Caps()
    audit: Audit | None = None
    together: Together = Together()
    store: str | None = Field(
        default=None,
        description="directory of the teachers' answers, relative to the recipe, or a URL; runs that share it never "
        "pay twice; null: `responses` beside the run",
    )
    unanswered: Share = Field(
        default=0.01, description="of the requests that may stay without an answer, in quarantine; more stop the stage"
    )
    patience_s: float = Field(default=900.0, ge=0.0, description="how long a teacher that is down is waited for")

    @model_validator(mode="after")
    def _names_are_known(self) -> SynthSettings:
        named = [use.teacher for use in self.kinds] + ([self.audit.teacher] if self.audit else [])
        for name in named:
            if name not in self.teachers:
                raise ValueError(f"teacher {name!r} is not among teachers ({', '.join(self.teachers) or 'none'})")
        if len({(use.kind, use.teacher) for use in self.kinds}) < len(self.kinds):
            raise ValueError("a kind stands twice for one teacher")
        if self.caps.money is not None:
            for name in named:
                if self.teachers[name].price is None:
                    raise ValueError(f"caps.money needs the price of teacher {name!r}")
        return self


class GateManifest(Model):
    """The limits of gates where neither kind nor recipe says otherwise: rules over the columns of synth/gates/."""

    gates: list[Rule]


class KindError(Exception):
    """A kind that cannot be read; the message names its file and says what is wrong."""


@lru_cache(maxsize=256)
def load_kind(name: str, base: Path) -> Kind:
    """A kind of ours by its name, or one beside a recipe by its path. Raises KindError."""
    path = base / name if name.endswith(".yaml") else _KINDS / f"{name}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(each.stem for each in _KINDS.glob("*.yaml")))
        raise KindError(f"{path}: there is no such kind; there are {there}, or give the path of a *.yaml")
    try:
        kind = Kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise KindError(f"{path}: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise KindError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if kind.name != path.stem:
        raise KindError(f"{path}: name: is {kind.name!r}, and the file's name another")
    return kind


@lru_cache(maxsize=1)
def gates() -> tuple[Rule, ...]:
    """The gates that hold where nothing else is said."""
    return tuple(GateManifest.model_validate(yaml.safe_load(_GATES.read_text(encoding="utf-8"))).gates)
