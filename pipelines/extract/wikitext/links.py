"""Links of wikitext as their texts; pictures as their captions; categories and other languages dropped."""

from __future__ import annotations

import re

from pipelines.extract.wikitext.nesting import replace_nested

_FILES = "file image media archivo imagen bild datei fichier bestand immagine plik файл изображение картинка 文件"
_CATEGORIES = "category categorie catégorie kategorie categoría categoria kategoria категория 分类 分類 カテゴリ 분류"
_FILE = re.compile(rf"\s*(?:{'|'.join(_FILES.split())})\s*:", re.IGNORECASE)
_CATEGORY = re.compile(rf"\s*(?:{'|'.join(_CATEGORIES.split())})\s*:", re.IGNORECASE)
_LANGUAGE = re.compile(
    r"\s*(?:[a-z]{2,3}|simple|zh-[a-z-]{2,12}|be-x-old|roa-rup|nds-nl|bat-smg|map-bms|fiu-vro)\s*:(?!//)"
)
_OPTION = re.compile(
    r"\s*(?:thumb(?:nail)?|frame(?:d|less)?|border|left|right|center|none|baseline|sub|super|top|text-top|middle|bottom|"
    r"text-bottom|upright(?:\s*=?\s*[\d.]*)?|\d*\s*x?\s*\d+\s*px|(?:alt|link|lang|page|class|start|end|thumbtime)\s*=.*)\s*",
    re.IGNORECASE | re.DOTALL,
)
_EXTERNAL = re.compile(
    r"\[((?:https?:|ftp:|irc:|git:)?//[^\s\]<>\"]{1,2000}|mailto:[^\s\]]{1,300})[ \t]*([^\]\n]{0,2000})\]"
)
_WORDS = re.compile(r"[^\W_]{2}")


def replace_links(text: str) -> str:
    """Wikitext without links."""
    return _EXTERNAL.sub(_external, replace_nested(text, "[[", "]]", _internal))


def _external(found: re.Match[str]) -> str:
    return found.group(2).strip() or found.group(1)


def _internal(inside: str, before: str) -> str:
    if _FILE.match(inside):
        return _caption(inside, before)
    target, bar, label = inside.partition("|")
    if not target.strip().startswith(":") and (_CATEGORY.match(target) or _LANGUAGE.match(target)):
        return ""
    if not target.strip() or "\n" in target:
        return f"[[{inside}]]"
    target = target.strip().removeprefix(":").replace("_", " ")
    if not bar:
        return target.removeprefix("#")
    if not label.strip():
        # The pipe trick: the name without its prefix and what distinguishes it.
        return re.sub(r"\s*\([^()]*\)$|,.*$", "", target.rpartition(":")[2])
    return label


def _caption(inside: str, before: str) -> str:
    """The caption of a picture as a paragraph of its own, if it stands between paragraphs."""
    parts = [part for part in inside.split("|")[1:] if part.strip() and not _OPTION.fullmatch(part)]
    if not parts or not _WORDS.search(parts[-1]):
        return ""
    caption = " ".join(parts[-1].split())
    return f"\n\n{caption}\n\n" if not before or before.endswith("\n") else f" {caption} " if "thumb" in inside else ""
