"""The typed shape of every manifest: sources and recipes.

A field that is not here is an error in the file; a default that is here is the documented default.
All sizes are bytes, all times are seconds, all shares are fractions of one.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from manifests.base import Identifier, Limits, Model, Rule, Share
from manifests.synthesis import SynthSettings

DatatroveFilter = Literal["gopher_repetition", "gopher_quality", "c4_quality", "fineweb_quality"]

MIB = 1 << 20


# ---------------------------------------------------------------- generators of pages


Selectors = list[Annotated[str, Field(min_length=1)]]


class PageRules(Model):
    """Which elements of a page are what; lists of CSS selectors. `syscorpus` knows tag, #id, .class, [attr], >."""

    never: Selectors = Field(default=[], description="never text, wherever it stands")
    drop: Selectors = Field(default=[], description="chrome: navigation, controls, feedback")
    body_drop: Selectors = Field(default=[], description="chrome where no generator is known")
    body_keep: Selectors = Field(default=[], description="content there that another rule would drop")
    keep: Selectors = Field(default=[], description="content that another rule would drop")
    gutter: Selectors = Field(default=[], description="line numbers and other marks in code")
    code: Selectors = Field(default=[], description="blocks of code that are no `pre`")
    code_line: Selectors = Field(default=[], description="lines of such a block")
    inline_code: Selectors = Field(default=[], description="elements whose whole text is code")
    layout: Selectors = Field(default=[], description="lists and tables that only place things")
    admonition: Selectors = []
    admonition_title: Selectors = []
    quote: Selectors = []
    math: Selectors = Field(default=[], description="formulas")
    typed: Selectors = Field(default=[], description="a `pre` of what someone typed: mail, comments of trackers")
    permalink: Selectors = Field(
        default=[], description="links to where they stand, dropped if their text says no more"
    )
    classifier: Selectors = Field(default=[], description="of a term: a colon stands before it")
    footnote_mark: Selectors = []
    footnote_text: Selectors = []
    footnote_label: Selectors = []
    footnote_back: Selectors = Field(default=[], description="the way from a footnote back to its mark")


class CommonRules(PageRules):
    """What holds for every page."""

    permalink_text: list[str] = Field(default=[], description="what the text of a permalink is")


class ThreadRules(Model):
    """Where the posts of a thread are, and what stands in each; of the selectors of a field the first that matches."""

    post: Selectors
    body: Selectors
    author: Selectors = []
    date: Selectors = Field(default=[], description="`datetime`, else `title`, else the text")
    score: Selectors = []
    accepted: Selectors = Field(default=[], description="there if the answer is the accepted one")
    question: Selectors = Field(default=[], description="there if the post is the question")
    comments: Selectors = []


class Generator(PageRules):
    """What makes pages of one kind: how they are known, and which element holds their content."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9 ._/+-]*$")]
    known_by: Selectors
    main: Selectors = Field(description="the first that has text")
    title: Selectors = Field(default=[], description="the title, where it is no heading")
    thread: ThreadRules | None = None
    min_share: Share = Field(default=0.0, description="of the page's text; a `main` with less is not the content")


class PageManifest(Model):
    """A file of generators."""

    generators: list[Generator]


class Names(Model):
    """Names that documentation writes as variables, and what a reader of the page sees: by variable."""

    aws: dict[str, str]
    elastic: dict[str, str]
    github: dict[str, str]
    kubernetes_headings: dict[str, str]


# ---------------------------------------------------------------- licences


LicenceClass = Literal[
    "public_domain",
    "permissive",
    "attribution",
    "share_alike",
    "copyleft",
    "source_available",
    "no_derivatives",
    "non_commercial",
    "proprietary",
    "unknown",
]


class LicenceTerms(Model):
    """What the licences of a class ask for."""

    patterns: list[str]
    attribution: bool
    why: str


class LicenceText(Model):
    """How the text of a licence is known."""

    licence: str
    phrases: list[str] = Field(min_length=1)


class LicenceManifest(Model):
    """The classes of licences in the order of what they ask, and the texts of licences."""

    classes: dict[LicenceClass, LicenceTerms]
    files: list[str]
    texts: list[LicenceText]


# ---------------------------------------------------------------- junk


class JunkManifest(Model):
    """What pages say that are no documents: phrases by kind, kinds of pages that a model knows, and lists of words.

    The words of a list are parted by spaces.
    """

    phrases: dict[Identifier, list[str]]
    pages: list[Identifier]
    function_words: str
    error_words: str


# ---------------------------------------------------------------- privacy


PrivateKind = Literal["email", "phone", "person", "username", "ip", "mac", "secret"]


class KeyShape(Model):
    """A key that tells itself: what it begins with, and a regular expression of the rest."""

    begin: list[str]
    body: str


class PrivacyManifest(Model):
    """What is personal or secret, and what only looks so."""

    keys: dict[Identifier, KeyShape]
    secret_names: list[str]
    no_secret_words: list[str]
    no_secret_beginnings: list[str]
    roles: list[str]
    given_names: list[str]
    list_endings: list[str]
    list_domains: list[str]
    no_mail: list[str]
    known_addresses: list[str]
    closings: list[str]
    phone_words: list[str]


# ---------------------------------------------------------------- sources


class Farm(Model):
    """Where the pages of a source lie when it is served on loopback instead of fetched from afar.

    Exactly one of the two: `packages`, distribution packages of which the first that the
    distribution offers is unpacked, and `root` inside it; or `directory`, of this project.
    """

    packages: list[str] = []
    root: str = ""
    directory: str = ""
    include: list[str] = Field(default=[], description="glob patterns below the root; none: everything")
    man_pages: bool = Field(default=False, description="the package's man pages, rendered to HTML")
    xhtml: bool = Field(default=False, description="pages are served as application/xhtml+xml")

    @model_validator(mode="after")
    def _one_place(self) -> Farm:
        if bool(self.packages) == bool(self.directory):
            raise ValueError("give either packages or directory")
        return self


class Bulk(Model):
    """Where a source is offered in bulk, and which reader of `crawlers/bulk/readers/` brings it."""

    reader: Identifier = Field(description="a file of crawlers/bulk/readers/")
    url: str = Field(description="of the repository, dump, index or interface")
    include: list[str] = Field(default=[], description="regular expressions over names inside; none: everything")
    exclude: list[str] = Field(default=[], description="regular expressions over names inside")
    pinned: str | None = Field(default=None, description="commit, version or package; null: the newest")
    checksums: str | None = Field(default=None, description="URL of a file of checksums")
    dated: str | None = Field(default=None, description="date of a dump, YYYY-MM-DD")
    agreement: str | None = Field(default=None, description="terms under which the dump was handed out")
    fields: dict[str, str] = Field(default={}, description="what a reader must know of the interface, by name")
    offered: str = Field(default="", description="where programs are invited to it; robots.txt is not asked then")

    @field_validator("url", "checksums")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise ValueError(f"{url!r} is not an http or https URL")
        return url

    @field_validator("include", "exclude")
    @classmethod
    def _compiles(cls, patterns: list[str]) -> list[str]:
        return _compiled(patterns)

    @field_validator("dated")
    @classmethod
    def _is_date(cls, dated: str | None) -> str | None:
        if dated is not None:
            date.fromisoformat(dated)
        return dated


class Politeness(Model):
    """What a source asks of us beyond what the recipe gives every one; the slower of both holds."""

    delay_s: float | None = Field(default=None, ge=0.0, le=300.0, description="between two requests to one host")
    concurrency: int | None = Field(default=None, ge=1, le=64, description="requests at once to one host")
    window: str | None = Field(default=None, description="hours of the day in UTC, as 22:00-06:00; null: all of them")
    pages_per_day: int | None = Field(default=None, ge=1)
    bytes_per_day: int | None = Field(default=None, ge=1024)

    @field_validator("window")
    @classmethod
    def _is_window(cls, window: str | None) -> str | None:
        if window is not None and not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d", window):
            raise ValueError(f"{window!r} is not a span of hours such as 22:00-06:00")
        return window


class Confirmation(Model):
    """A person's word that a source under review may be used."""

    who: str = Field(min_length=1)
    when: str = Field(description="YYYY-MM-DD")
    why: str = Field(min_length=1)

    @field_validator("when")
    @classmethod
    def _is_date(cls, when: str) -> str:
        date.fromisoformat(when)
        return when


def _compiled(patterns: list[str]) -> list[str]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    return patterns


class Source(Model):
    """One entry of `manifests/sites/`: a site to crawl, or what is offered in bulk."""

    id: Identifier
    name: str
    category: Identifier
    kind: Literal["site", "bulk"] = Field(default="site", description="crawled, or read in bulk")
    format: Identifier = Field(default="html", description="what it is made of: html, sphinx, discourse, git ...")
    status: Literal["on", "review", "off"] = Field(
        description="on: fit to train on; review, off: not used until a person decides"
    )
    reason: str = Field(default="", description="why it is not on")
    confirmed: Confirmation | None = Field(default=None, description="turns on a source under review")
    homepage: str | None = None
    seeds: list[str] = Field(default=[], description="URLs of pages or sitemaps to begin with")
    scope: list[str] = Field(default=[], description="regular expressions; a URL matches one, or is not fetched")
    exclude: list[str] = Field(default=[], description="regular expressions; a URL that matches one is not fetched")
    further_hosts: list[str] = Field(default=[], description="hosts that it lies on beside those of its seeds")
    bulk: Bulk | None = None
    licence: str | None = Field(description="SPDX expression; null where it is not known")
    licence_evidence: str = Field(description="where the licence is stated")
    licence_each: bool = Field(default=False, description="each document states its own; who states none has none")
    licence_checked: bool = Field(default=True, description="false: told from memory, nobody has looked")
    language: str | None = Field(default=None, description="ISO 639-1, where the whole source has one")
    expected_pages: int | None = Field(default=None, ge=1, description="pages or documents, estimated")
    politeness: Politeness = Politeness()
    authority: int = Field(default=0, ge=-9, le=9, description="of copies, that of the source with more stays")
    farm: Farm | None = None

    @field_validator("scope", "exclude")
    @classmethod
    def _compiles(cls, patterns: list[str]) -> list[str]:
        return _compiled(patterns)

    @field_validator("seeds")
    @classmethod
    def _are_urls(cls, seeds: list[str]) -> list[str]:
        for seed in seeds:
            if urlsplit(seed).scheme not in ("http", "https") or not urlsplit(seed).hostname:
                raise ValueError(f"{seed!r} is not an http or https URL")
        return seeds

    @model_validator(mode="after")
    def _states_its_case(self) -> Source:
        if self.status != "on" and not self.reason:
            raise ValueError(f"source {self.id} is {self.status!r}: give a reason")
        if self.confirmed and self.status != "review":
            raise ValueError(f"source {self.id} is {self.status!r}: only one under review can be confirmed")
        if self.licence_each and self.licence is not None:
            raise ValueError(f"source {self.id}: each document has a licence of its own; leave `licence` null")
        if self.kind == "bulk" and self.bulk is None:
            raise ValueError(f"source {self.id} is read in bulk: say under `bulk` from where")
        if self.kind == "site" and not (self.seeds and self.scope):
            raise ValueError(f"source {self.id} is crawled: give seeds and scope")
        if self.farm and any(not host.endswith(".localhost") for host in self.hosts):
            raise ValueError(f"source {self.id} is served on loopback: its seeds must be on *.localhost")
        return self

    @property
    def is_on(self) -> bool:
        """Whether it is fit to train on, or a person has said so."""
        return self.status == "on" or self.confirmed is not None

    @property
    def hosts(self) -> list[str]:
        """Host names that are asked for it, sorted, each once."""
        urls = self.seeds if self.kind == "site" else [self.bulk.url] if self.bulk else []
        return sorted({urlsplit(url).hostname or "" for url in urls} | set(self.further_hosts))


# ---------------------------------------------------------------- recipe: one model per stage


class Revisits(Model):
    """When a page is due again: half as soon after it had changed, half as late again after it had not."""

    first_days: float = Field(default=30.0, gt=0.0)
    shortest_days: float = Field(default=1.0, ge=0.0)
    longest_days: float = Field(default=365.0, gt=0.0)

    @model_validator(mode="after")
    def _in_order(self) -> Revisits:
        if not self.shortest_days <= self.first_days <= self.longest_days:
            raise ValueError("give shortest_days <= first_days <= longest_days")
        return self


class CrawlSettings(Model):
    contact: str = Field(default="", description="URL or mail address in the User-Agent; needed for any real site")
    delay_s: float = Field(default=1.0, ge=0.0, le=300.0, description="between two requests to one host")
    concurrency_per_host: int = Field(default=1, ge=1, le=64)
    max_pages_per_source: int = Field(default=50_000, ge=1)
    max_pages_per_pattern: int = Field(default=20_000, ge=1, description="pages whose URLs have one template")
    trap_pages: int | None = Field(
        default=25,
        ge=5,
        description="pages of one template in a row with nothing new that close it; null: never",
    )
    revisit: Revisits = Revisits()
    patience_s: float = Field(
        default=3600.0, gt=0.0, description="a source that may not be asked for longer is left to the next crawl"
    )
    max_body_bytes: int = Field(default=32 * MIB, ge=1024, le=1024 * MIB, description="larger bodies are not kept")
    timeout_s: float = Field(default=60.0, gt=0.0, le=600.0)
    retries: int = Field(default=3, ge=0, le=20, description="more tries after a failure that may pass")
    warc_bytes: int = Field(default=64 * MIB, ge=64 * 1024, description="a WARC file is closed beyond this size")
    private_addresses: bool = Field(default=False, description="fetch from loopback and private networks")
    processes: int = Field(default=2, ge=1, le=1024, description="crawler processes; a host belongs to one of them")


class LicencePolicy(Model):
    """Which documents may be used, by their licence. Of `A OR B` one must be allowed, of `A AND B` both."""

    train: list[LicenceClass] = Field(
        default=["public_domain", "permissive", "attribution", "share_alike", "copyleft"],
        description="classes of manifests/licences.yaml; `unknown` lets documents without a known licence in",
    )
    allow: list[str] = Field(default=[], description="SPDX identifiers that are allowed whatever their class")
    deny: list[str] = Field(default=[], description="SPDX identifiers that are not, whatever their class")


class ExtractSettings(Model):
    keep_links: bool = Field(default=False, description="the targets of absolute links; relative ones stay out")
    max_body_bytes: int = Field(default=32 * MIB, ge=1024, description="larger bodies go to quarantine")
    max_tags: int = Field(default=1_000_000, ge=1000)
    max_depth: int = Field(default=2000, ge=100, description="open elements at once")
    max_cpu_s: float = Field(default=30.0, gt=0.0, description="a record that costs more is killed, and poison")
    max_memory_bytes: int = Field(default=4096 * MIB, ge=256 * MIB, description="of the process that parses")
    obey: list[str] = Field(
        default=[
            "noai",
            "noimageai",
            "noindex",
            "none",
            "noarchive",
            "tdm-reservation",
            "content-signal-ai-train",
            "content-usage-train-ai",
            "rsl-licence",
            "ai-txt-disallow",
        ],
        description="opt-out signals that remove a page",
    )
    licences: LicencePolicy = LicencePolicy()


class Classifiers(Model):
    """Models that `syscorpus train-classifier` made, relative to the recipe; null: the project's own."""

    category: str | None = None
    relevance: str | None = None
    quality: str | None = None


class EvaluationSet(Model):
    """A file of prompts, and of their answers, that no document may give away."""

    name: Identifier
    file: str = Field(min_length=1, description="JSONL (also .gz) or Parquet; relative to the recipe, or a URL")
    prompt: str = Field(min_length=1, description="dotted name of the field")
    answer: str | None = Field(default=None, description="dotted name of the field; none: prompts alone")


class ClassifySettings(Model):
    permutations: int = Field(default=108, ge=16, le=1024, description="of a MinHash signature")
    shingle_words: int = Field(default=5, ge=1, le=32)
    datatrove: list[DatatroveFilter] = Field(default=[], description="datatrove's filters to ask, as they are")
    models: Classifiers = Classifiers()
    leaks: list[EvaluationSet] = Field(default=[], description="evaluation sets that documents are searched for")
    leak_run: int = Field(default=13, ge=8, le=64, description="words of a prompt that are a leak by themselves")

    @field_validator("leaks")
    @classmethod
    def _each_once(cls, sets: list[EvaluationSet]) -> list[EvaluationSet]:
        if len({each.name for each in sets}) < len(sets):
            raise ValueError("two evaluation sets have one name")
        return sets


class DedupSettings(Model):
    threshold: Share = Field(default=0.8, description="Jaccard similarity from which two documents are one")
    preset: Literal["fineweb"] | None = Field(
        default=None, description="fineweb: 14 bands of 8 rows and 112 permutations, as Penedo et al. 2024 have them"
    )
    bands: int | None = Field(default=18, ge=1, description="null: chosen by datasketch for the threshold")
    rows: int | None = Field(default=6, ge=1, description="null: chosen by datasketch for the threshold")
    contained: Share | None = Field(
        default=0.9,
        description="of a document's shingles in a larger one, from which it leaves for it; null: none does",
    )
    versions: Share | None = Field(
        default=0.5,
        description="of the shingles of a page in a newer version of it, from which the older leaves; null: none does",
    )
    against: list[str] = Field(
        default=[],
        description="earlier runs that documents are compared with, the oldest first; relative to the recipe",
    )
    boilerplate: Share | None = Field(
        default=0.3,
        description="of a source's pages with the same lines at an edge, from which the filter cuts these; null: none",
    )
    most_lost: Share = Field(default=0.5, description="of a source's documents; one that loses more stops the stage")
    confirmed: list[Identifier] = Field(default=[], description="sources that may lose more")

    @model_validator(mode="after")
    def _both_or_none(self) -> DedupSettings:
        if (self.bands is None) != (self.rows is None):
            raise ValueError("give both bands and rows, or neither")
        return self


class RuleManifest(Model):
    """The rules that hold where a recipe says nothing."""

    rules: list[Rule]


class LeakSettings(Model):
    """What becomes of documents that hold an item of an evaluation set."""

    threshold: Share = Field(default=0.75, description="likeness to the item from which a copy counts")
    action: Literal["drop", "cut"] = Field(default="drop", description="the document goes, or the blocks with the copy")


class FilterSettings(Model):
    languages: list[str] = Field(default=[], description="ISO 639-1 codes that stay; none: all stay")
    min_language_score: Share = 0.5
    limits: Limits = Field(default={}, description="other limits by rule; null: the rule does not judge")
    limits_by_category: dict[Identifier, Limits] = Field(default={}, description="the same for one category each")
    rules: list[Rule] = Field(default=[], description="further rules, behind those of manifests/quality.yaml")
    datatrove: list[DatatroveFilter] = Field(default=[], description="of those that classify asks, those that drop")
    leaks: LeakSettings = LeakSettings()
    redact: list[PrivateKind] = Field(
        default=["email", "phone", "person", "username", "ip", "mac", "secret"],
        description="what placeholders take the place of",
    )


class TrainTokenizer(Model):
    vocabulary: int = Field(default=16_384, ge=512, le=1_000_000, description="entries, special tokens included")
    sample_bytes: int = Field(default=16 * MIB, ge=4096, description="text to train on, chosen by hash of doc_id")


class Ranks(Model):
    """What a file of tiktoken ranks does not say of its encoding."""

    pattern: Literal["cl100k", "llama3", "o200k"] = Field(description="the encoding that splits text as this one does")
    special_tokens: dict[str, Annotated[int, Field(ge=0)]] = Field(min_length=1, description="ids, by token")


class Tiers(Model):
    """From which quality a document is of a tier; what is below both is low."""

    high: Share = 0.99
    medium: Share = 0.9

    @model_validator(mode="after")
    def _descend(self) -> Tiers:
        if self.medium > self.high:
            raise ValueError("medium is above high")
        return self


class FillInTheMiddle(Model):
    """Documents that are rearranged into prefix, suffix, middle, so that a model learns to fill gaps (Bavarian 2022).

    Only whole documents that still fit into a sequence are, cut between characters.
    """

    categories: list[Identifier] = Field(min_length=1)
    share: Share = Field(default=0.5, description="of their documents, chosen by hash of doc_id")
    prefix: str = "<|fim_prefix|>"
    suffix: str = "<|fim_suffix|>"
    middle: str = "<|fim_middle|>"


class TokenizeSettings(Model):
    tokenizer: str | None = Field(
        default=None, description="path of a tokenizer.json or of tiktoken's ranks (*.tiktoken), relative to the recipe"
    )
    ranks: Ranks | None = Field(default=None, description="needed with tiktoken's ranks")
    train: TrainTokenizer | None = Field(default=None, description="train one on the run's own documents")
    end_of_document: str = Field(default="<|endoftext|>", description="the token that ends each document")
    sequence_length: int = Field(default=4096, ge=16, le=1 << 20, description="tokens of a packed sequence")
    packing: Literal["best_fit", "concatenate"] = Field(
        default="best_fit", description="cut only what is longer than a sequence, or cut wherever a sequence is full"
    )
    fill_in_the_middle: FillInTheMiddle | None = None
    tiers: Tiers = Tiers()
    validation: Share = Field(default=0.005, description="of the clusters of documents, kept aside from training")
    shard_tokens: int = Field(default=1 << 25, ge=1024, le=1 << 30, description="about so many in a file")

    @model_validator(mode="after")
    def _one_tokenizer(self) -> TokenizeSettings:
        if self.tokenizer and self.train:
            raise ValueError("give tokenizer or train, not both")
        if bool(self.ranks) != bool(self.tokenizer and self.tokenizer.endswith(".tiktoken")):
            raise ValueError("ranks go with a tokenizer that is a file of ranks, *.tiktoken")
        if self.fill_in_the_middle and self.packing == "concatenate":
            raise ValueError("fill_in_the_middle needs whole documents: packing must be best_fit")
        return self


class MegatronExport(Model):
    unit: Literal["sequence", "document"] = Field(
        default="sequence", description="what a Megatron sequence is: a packed sequence, or a document of the corpus"
    )
    weights: Literal["tokens", "epochs"] = Field(
        default="tokens", description="of a stage's prefixes; epochs: for --scale-shuffle of microsoft/ltp-megatron-lm"
    )


class ExportSettings(Model):
    to: str = Field(default="dataset", description="directory (relative to the run) or s3:// gs:// az:// URL")
    formats: list[Literal["shards", "megatron", "mds", "text"]] = Field(default=["shards"], min_length=1)
    megatron: MegatronExport = MegatronExport()
    text: Literal["parquet", "jsonl"] = Field(default="parquet", description="jsonl: gzipped JSON Lines")

    @field_validator("formats")
    @classmethod
    def _with_shards(cls, formats: list[str]) -> list[str]:
        if len(set(formats)) < len(formats):
            raise ValueError("a format stands twice")
        if "shards" not in formats:
            raise ValueError("the shards are in every export: name them, too")
        return formats


class Recipe(Model):
    """One corpus, described: which sources, settings, tokenizer and teacher a run uses."""

    name: Identifier
    manifests: list[str] = Field(min_length=1, description="files or directories of sources, relative to the recipe")
    sources: list[Identifier] | None = Field(default=None, min_length=1, description="null: every source that is on")
    fallback: str | None = Field(
        default=None, description="recipe used instead where the packages of a farm cannot be had"
    )
    seed: int = Field(default=0, ge=0, lt=1 << 32)
    parts: int = Field(default=16, ge=1, le=65_536, description="hash buckets of doc_id: the parts of every stage")
    mixture: str | None = Field(
        default=None, description="stages and shares of a training, relative to the recipe; null: every list once"
    )
    crawl: CrawlSettings = CrawlSettings()
    extract: ExtractSettings = ExtractSettings()
    classify: ClassifySettings = ClassifySettings()
    dedup: DedupSettings = DedupSettings()
    filter: FilterSettings = FilterSettings()
    synth: SynthSettings = SynthSettings()
    tokenize: TokenizeSettings = TokenizeSettings()
    export: ExportSettings = ExportSettings()

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: Any) -> Any:
        """Puts what a preset stands for where the recipe does not say otherwise."""
        dedup = given.get("dedup") if isinstance(given, dict) else None
        if not isinstance(dedup, dict) or dedup.get("preset") != "fineweb":
            return given
        classify = given.get("classify", {})
        if not isinstance(classify, dict):
            return given
        return {
            **given,
            "dedup": {"bands": 14, "rows": 8, **dedup},
            "classify": {"permutations": 112, **classify},
        }

    @model_validator(mode="after")
    def _stages_agree(self) -> Recipe:
        unasked = sorted(set(self.filter.datatrove) - set(self.classify.datatrove))
        if unasked:
            raise ValueError(f"filter.datatrove names {unasked[0]}, which classify.datatrove does not ask")
        wanted = (self.dedup.bands or 1) * (self.dedup.rows or 1)
        if wanted > self.classify.permutations:
            raise ValueError(
                f"dedup: {self.dedup.bands} bands of {self.dedup.rows} rows need {wanted} permutations; "
                f"classify.permutations is {self.classify.permutations}"
            )
        return self
