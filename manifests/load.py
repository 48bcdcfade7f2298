"""Reads manifests, and says what is wrong with them: file, line, key, and what is allowed there."""

from __future__ import annotations

import hashlib
import os
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from manifests.base import Rule
from manifests.mixture import READ_ONCE, Mixture
from manifests.models import (
    CommonRules,
    FilterSettings,
    Generator,
    JunkManifest,
    LicenceManifest,
    Names,
    PageManifest,
    PrivacyManifest,
    Recipe,
    RuleManifest,
    Source,
)
from manifests.synthesis import KindError, SynthSettings, gates, load_kind

# The category of plain files that nobody put into one.
UNCATEGORISED = "uncategorised"

M = TypeVar("M", bound=BaseModel)
Location = tuple[str | int, ...]


class ManifestError(Exception):
    """One or more faults of a manifest, one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe that has been checked whole, with the sources that it uses, in order of their id."""

    recipe: Recipe
    sources: tuple[Source, ...]
    path: Path

    def beside(self, relative: str) -> Path:
        """A path that the recipe names, relative to the recipe's own file."""
        return (self.path.parent / relative).resolve()


# ---------------------------------------------------------------- YAML


class _Loader(yaml.SafeLoader):
    """Safe YAML in which only `true` and `false` are booleans: a status may be `on`."""


# libyaml's, where PyYAML has it: ten times as fast.
_FastLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _FastSourceLoader(_FastLoader):  # type: ignore[misc]
    """The same; what it says of a file that is not YAML is shorter, and that loader is asked for it."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _word in ("true", "false"):
    _Loader.yaml_implicit_resolvers.setdefault(_word[0], []).append(
        ("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"))
    )
_FastSourceLoader.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


# A page is tried against these in their order. The last are families of themes, which other pages resemble: what they
# point at must hold this share of a page's text (measured: of 112 pages, those below it were mistaken).
GENERATOR_FILES = {"threads.yaml": 0.0, "documentation.yaml": 0.0, "articles.yaml": 0.08}


def _read_yaml(path: Path) -> tuple[Any, dict[Location, int]]:
    """The value of a YAML file, and the line (from 1) on which each key or item of it stands."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ManifestError([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError([f"{path}: cannot be read: {error}"]) from None
    try:
        return _parsed(path, _FastSourceLoader(text))
    except (yaml.YAMLError, RecursionError):
        pass
    try:
        return _parsed(path, _Loader(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise ManifestError(
            [f"{path}{where}: not YAML: {str(getattr(error, 'problem', None) or error).splitlines()[0]}"]
        ) from None
    except RecursionError:
        raise ManifestError([f"{path}: not a tree: an alias stands inside what it names"]) from None


def _parsed(path: Path, loader: Any) -> tuple[Any, dict[Location, int]]:
    node = loader.get_single_node()
    if node is None:
        raise ManifestError([f"{path}: is empty"])
    lines: dict[Location, int] = {}
    _index_lines(path, node, (), lines)
    return loader.construct_document(node), lines


def _index_lines(path: Path, node: yaml.Node, location: Location, lines: dict[Location, int]) -> None:
    lines[location] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ManifestError([f"{path}:{key.start_mark.line + 1}: a key must be a word"])
            if key.value in seen:
                raise ManifestError([f"{path}:{key.start_mark.line + 1}: key {key.value!r} stands twice"])
            seen.add(key.value)
            _index_lines(path, value, (*location, key.value), lines)
            lines[(*location, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _index_lines(path, value, (*location, index), lines)


# ---------------------------------------------------------------- models


def _validate(model: type[M], value: Any, path: Path, lines: Mapping[Location, int], root: Location = ()) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False):
            location = root + fault["loc"]
            line = next((lines[location[:n]] for n in range(len(location), -1, -1) if location[:n] in lines), 1)
            faults.append(f"{path}:{line}: {_explain(model, fault['loc'], fault)}")
        raise ManifestError(faults) from None


def _explain(model: type[BaseModel], location: Location, fault: Any) -> str:
    key = ".".join(str(step) for step in location)
    if fault["type"] == "extra_forbidden":
        holder = _model_at(model, location[:-1]) or model
        return f"{key}: unknown key; allowed here: {', '.join(sorted(holder.model_fields))}"
    if fault["type"] == "missing":
        return f"{key}: is missing"
    message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = re.sub(r"a valid dictionary( or instance of \w+)?", "a mapping", message)
    given = fault.get("input")
    shown = f", not {given!r}" if isinstance(given, str | int | float | bool) and "must be" in message else ""
    return f"{key}: {message}{shown}" if key else message


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The model that holds the key at a location; steps through optional fields, lists and mappings."""
    current: type[BaseModel] | None = model
    is_name = False  # of an entry of a mapping
    for step in location:
        if isinstance(step, int) or is_name:
            is_name = False
            continue
        field = current.model_fields.get(step) if current else None
        current = next(_models_in(field.annotation), None) if field else None
        is_name = field is not None and typing.get_origin(field.annotation) is dict
    return current


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType, list, dict):
        for argument in typing.get_args(annotation):
            yield from _models_in(argument)


# ---------------------------------------------------------------- sources and recipes


@cache
def load_categories() -> list[str]:
    """The ids of the 15 categories, from `taxonomy.yaml`."""
    value, _ = _read_yaml(Path(__file__).with_name("taxonomy.yaml"))
    return list(value["categories"])


@cache
def category_definitions() -> Mapping[str, str]:
    """What each of the 15 categories is, by its id."""
    value, _ = _read_yaml(Path(__file__).with_name("taxonomy.yaml"))
    return {name: told["definition"] for name, told in value["categories"].items()}


@cache
def mixed_categories() -> frozenset[str]:
    """The categories whose documents a model may put into others; with them what has no category yet."""
    value, _ = _read_yaml(Path(__file__).with_name("taxonomy.yaml"))
    return frozenset(name for name, told in value["categories"].items() if told.get("mixed")) | {UNCATEGORISED}


def load_generators(directory: Path = Path(__file__).parent / "generators") -> tuple[CommonRules, list[Generator]]:
    """The rules for every page and the generators, in the order in which they are tried. Raises ManifestError."""
    common = _load(CommonRules, directory / "common.yaml", lambda value: value)
    generators: list[Generator] = []
    for name, share in GENERATOR_FILES.items():
        manifest = _load(PageManifest, directory / name, lambda value: {"generators": value})
        generators += [each.model_copy(update={"min_share": each.min_share or share}) for each in manifest.generators]
    return common, generators


@cache
def load_names() -> Names:
    """The names that documentation writes as variables, from `names.yaml`."""
    return _load(Names, Path(__file__).with_name("names.yaml"), lambda value: value)


@cache
def load_licences() -> LicenceManifest:
    """What licences ask for, and how their texts are known, from `licences.yaml`."""
    return _load(LicenceManifest, Path(__file__).with_name("licences.yaml"), lambda value: value)


@cache
def load_junk() -> JunkManifest:
    """What pages say that are no documents, from `junk.yaml`."""
    return _load(JunkManifest, Path(__file__).with_name("junk.yaml"), lambda value: value)


@cache
def load_privacy() -> PrivacyManifest:
    """What is personal or secret, from `privacy.yaml`."""
    return _load(PrivacyManifest, Path(__file__).with_name("privacy.yaml"), lambda value: value)


@cache
def load_rules() -> list[Rule]:
    """The rules that hold where a recipe says nothing, in their order, from `quality.yaml`."""
    return _load(RuleManifest, Path(__file__).with_name("quality.yaml"), lambda value: value).rules


def generators_digest(directory: Path = Path(__file__).parent / "generators") -> str:
    """A hash of the generators, of the names and of the model for other pages: they decide what is extracted."""
    digest = hashlib.sha256()
    beside = [directory.parent / name for name in ("content.json", "names.yaml")]
    for path in (*sorted(directory.iterdir()), *beside):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _load(model: type[M], path: Path, shape: Callable[[Any], Any]) -> M:
    """A model from a file, read by the fast parser; where there is a fault, the slow one says on which line."""
    try:
        return model.model_validate(shape(yaml.load(path.read_bytes(), _FastLoader)))
    except (OSError, yaml.YAMLError, ValidationError):
        value, lines = _read_yaml(path)
        shaped = shape(value)
        root = () if shaped is value else (next(iter(shaped)),)
        return _validate(model, shaped, path, {(*root, *place): line for place, line in lines.items()})


def load_mixture(path: Path) -> Mixture:
    """The mixture of a file. Raises ManifestError."""
    return _load(Mixture, path, lambda value: value)


def mixture_of(recipe: Recipe, base: Path) -> Mixture:
    """The mixture that a recipe in `base` names; without one, every list is read once. Raises ManifestError."""
    return load_mixture(base / recipe.mixture) if recipe.mixture else READ_ONCE


def load_sources(path: Path) -> list[Source]:
    """Sources of one file (a YAML list), or of every `*.yaml` of a directory, in order of their id.

    Raises ManifestError with one line for each fault of a source.
    """
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise ManifestError([f"{path}: holds no *.yaml file"])
    found: dict[str, tuple[Source, Path]] = {}
    faults: list[str] = []
    for file in files:
        value, lines = _read_yaml(file)
        if not isinstance(value, list):
            raise ManifestError([f"{file}:1: must be a list of sources"])
        for index, entry in enumerate(value):
            try:
                source = _source(entry, file, lines, index)
            except ManifestError as error:
                faults += str(error).splitlines()
                continue
            if source.id in found:
                faults.append(f"{file}:{lines[(index,)]}: id {source.id!r} stands in {found[source.id][1]} too")
            found[source.id] = (source, file)
    if faults:
        raise ManifestError(faults)
    return [found[key][0] for key in sorted(found)]


def _source(entry: Any, file: Path, lines: Mapping[Location, int], index: int) -> Source:
    source = _validate(Source, entry, file, lines, (index,))
    categories = load_categories()
    if source.category not in categories:
        where = f"{file}:{lines.get((index, 'category'), 1)}"
        raise ManifestError([f"{where}: category: must be one of {', '.join(categories)}, not {source.category!r}"])
    return source


def read_recipe(path: str | os.PathLike[str]) -> tuple[Recipe, list[Source]]:
    """A recipe and every source of its manifests in order of their id, whether or not it could run as it stands.

    Raises ManifestError with one line for each fault of the recipe's own keys and of the manifests.
    """
    recipe, known, _ = _read_recipe(Path(path))
    return recipe, [known[key] for key in sorted(known)]


def _read_recipe(file: Path) -> tuple[Recipe, dict[str, Source], Callable[..., str]]:
    """A recipe, its sources by id, and a function that says where in its file a key stands."""
    value, lines = _read_yaml(file)
    recipe = _validate(Recipe, value, file, lines)

    def at(*location: str | int) -> str:
        return f"{file}:{lines.get(location, 1)}: {'.'.join(map(str, location))}"

    known: dict[str, Source] = {}
    for index, name in enumerate(recipe.manifests):
        where = file.parent / name
        if not where.exists():
            raise ManifestError([f"{at('manifests', index)}: there is no {where}"])
        for source in load_sources(where):
            if source.id in known:
                raise ManifestError(
                    [f"{at('manifests', index)}: source {source.id!r} stands in an earlier manifest too"]
                )
            known[source.id] = source
    return recipe, known, at


def load_recipe(path: str | os.PathLike[str]) -> LoadedRecipe:
    """The recipe of a file, checked whole: keys, types, ranges, and everything that it names.

    Raises ManifestError with one line for each fault.
    """
    file = Path(path)
    recipe, known, at = _read_recipe(file)
    sources, faults = _choose(recipe, known, at)
    if recipe.tokenize.tokenizer and not (file.parent / recipe.tokenize.tokenizer).is_file():
        faults.append(f"{at('tokenize', 'tokenizer')}: there is no {file.parent / recipe.tokenize.tokenizer}")
    faults += _check_limits(recipe.filter, at)
    try:
        mixture_of(recipe, file.parent)
    except ManifestError as error:
        faults += [f"{at('mixture')}: {line}" for line in str(error).splitlines()]
    if recipe.fallback and not (file.parent / recipe.fallback).is_file():
        faults.append(f"{at('fallback')}: there is no {file.parent / recipe.fallback}")
    if not recipe.crawl.contact and any(source.farm is None for source in sources):
        faults.append(f"{at('crawl')}.contact: is missing; a real site is asked only by someone who can be reached")
    faults += _check_teachers(recipe.synth, file.parent, at)
    faults += _check_kinds(recipe.synth, file.parent, at)
    if faults:
        raise ManifestError(faults)
    return LoadedRecipe(recipe, tuple(sources), file)


def _check_limits(settings: FilterSettings, at: typing.Callable[..., str]) -> list[str]:
    """A fault for each rule or category that the filter's limits name and nobody knows."""
    rules = [rule.name for rule in (*load_rules(), *settings.rules)]
    faults = [
        f"{at('filter', 'rules')}: {name} is there twice" for name in sorted({n for n in rules if rules.count(n) > 1})
    ]
    places: list[tuple[str, ...]] = [("limits", name) for name in settings.limits]
    places += [
        ("limits_by_category", category, name)
        for category, limits in settings.limits_by_category.items()
        for name in limits
    ]
    for place in places:
        if place[-1] not in rules:
            faults.append(f"{at('filter', *place)}: there is no such rule; there are {', '.join(rules)}")
    categories = load_categories()
    for category in settings.limits_by_category:
        if category not in categories:
            where = at("filter", "limits_by_category", category)
            faults.append(f"{where}: must be one of {', '.join(categories)}")
    return faults


def _check_teachers(synth: SynthSettings, base: Path, at: typing.Callable[..., str]) -> list[str]:
    """A fault for each key that is not set, and each tokenizer that is not there."""
    faults = []
    for name, teacher in synth.teachers.items():
        variable, tokenizer = teacher.api_key_variable, teacher.tokenizer
        if variable and variable not in os.environ:
            faults.append(f"{at('synth', 'teachers', name, 'api_key_variable')}: {variable} is not set")
        if tokenizer and not (base / tokenizer).is_file():
            faults.append(f"{at('synth', 'teachers', name, 'tokenizer')}: there is no {base / tokenizer}")
    return faults


def _check_kinds(synth: SynthSettings, base: Path, at: typing.Callable[..., str]) -> list[str]:
    """A fault for each kind that cannot be read or used, and each gate or category that nobody knows."""
    faults = []
    known = [rule.name for rule in gates()]
    categories = load_categories()
    for index, use in enumerate(synth.kinds):
        where = at("synth", "kinds", index)
        try:
            kind = load_kind(use.kind, base)
        except KindError as error:
            faults.append(f"{where}: {error}")
            continue
        if kind.seeds and use.documents is None:
            faults.append(f"{where}: {kind.name} is made from seeds: say how many (documents)")
        for name in (*kind.limits, *use.limits):
            if name not in known:
                faults.append(f"{where}: there is no gate {name!r}; there are {', '.join(known)}")
        for name in (*kind.categories, *use.categories):
            if name not in categories:
                faults.append(f"{where}: category {name!r} must be one of {', '.join(categories)}")
    return faults


def _choose(
    recipe: Recipe, known: Mapping[str, Source], at: typing.Callable[..., str]
) -> tuple[list[Source], list[str]]:
    """The sources of a recipe in order of id, and a fault for each that is unknown or not on."""
    if recipe.sources is None:
        chosen = [source for source in known.values() if source.is_on]
        faults = [] if chosen else [f"{at('manifests')}: no source is on"]
        return sorted(chosen, key=lambda source: source.id), faults
    faults = []
    for index, name in enumerate(recipe.sources):
        if name not in known:
            faults.append(f"{at('sources', index)}: no source has the id {name!r}")
        elif not known[name].is_on:
            faults.append(f"{at('sources', index)}: {name} is {known[name].status}: {known[name].reason}")
    chosen = [known[name] for name in set(recipe.sources) if name in known]
    return sorted(chosen, key=lambda source: source.id), faults
