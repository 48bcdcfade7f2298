"""What the copy teacher learns from: made-up system documentation, and the same with some words exchanged."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

#: Each word outside of code becomes the other one: a fifth of what the sentences below say.
SYNONYMS = {
    "when": "once", "because": "since", "but": "yet", "must": "shall", "can": "may", "each": "every", "only": "just",
    "then": "next", "so": "thus", "near": "beside", "with": "using", "if": "where", "many": "several", "into": "inside",
    "use": "employ", "uses": "employs", "show": "list", "shows": "lists", "keep": "hold", "keeps": "holds",
    "start": "begin", "starts": "begins", "stop": "end", "stops": "ends", "read": "load", "reads": "loads",
    "write": "put", "writes": "puts", "wait": "pause", "waits": "pauses", "change": "alter", "changes": "alters",
    "make": "build", "makes": "builds", "find": "spot", "finds": "spots", "need": "want", "needs": "wants",
    "send": "pass", "sends": "passes", "remove": "drop", "removes": "drops", "small": "little", "large": "big",
    "fast": "quick", "old": "former", "new": "fresh", "last": "final", "error": "fault", "errors": "faults",
    "limit": "bound", "job": "task", "jobs": "tasks", "machine": "host", "machines": "hosts",
}  # fmt: skip


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_THINGS = _words(
    "server client kernel driver daemon cache queue index table page block disk volume journal log file directory "
    "process thread scheduler allocator resolver router proxy broker cluster node container image package module "
    "session socket packet buffer pool lock timer signal key token record field label metric alert report snapshot "
    "backup replica shard partition segment region zone bucket tree list map stack heap register mask flag option "
    "setting value default name path user group role policy rule job machine limit error service unit host system "
    "database transaction commit query column row cursor view schema request response header body port address"
)
_SORTS = _words("small large fast old new last first local remote shared empty full idle busy single second open free")
_DOES = _words(
    "keeps reads writes sends removes finds needs uses changes shows makes starts stops holds checks copies opens "
    "closes returns counts takes gives moves maps locks frees calls sees gets adds"
)
_DO = _words("keep read write send remove find need use change show make start stop check copy open close return")
_GLUE = _words("the a of to and in is are on for at by from as it that this not or with when if but then so")
_UNITS = _words("ms seconds minutes hours KiB MiB GiB bytes percent connections threads pages")
_FOLDERS = _words("etc var usr run srv opt proc sys lib log conf data cache spool tmp home")
_ENDINGS = ("", ".conf", ".log", ".json", ".service", ".sock", ".yaml", ".d")
_PROGRAMS = _words("git ip tar ssh curl mount lsof journalctl systemctl docker grep find make rsync dig nft zfs")
_SYLLABLES = _words("ba do fe gi ka lo mu ne po ra su ti vo wa xe zi br cl dr st tr en or an ix on ar el")

_SENTENCES = (
    "The {thing} {does} a {thing} when the {thing} {does} it.",
    "Each {thing} {does} the {sort} {thing} of the {thing}.",
    "If the {thing} is {sort}, the {thing} {does} a {thing} and then {does} the {thing}.",
    "By default the limit is {number} {unit}, but a {sort} {thing} may need {number}.",
    "The {thing} {does} {code} before it {does} the {thing}.",
    "Use {code} to {do} the {thing}, and {code} to {do} it again.",
    "Set {code} to {number} so that the {thing} can {do} many jobs.",
    "With {code} the {thing} {does} only the {sort} {thing}.",
    "It waits for {number} {unit}, then {does} the {thing} near the {thing}.",
    "A {sort} {thing} must not {do} the {thing} while the {thing} {does} it.",
    "Because the {thing} is {sort}, it {does} the {thing} only once in {number} {unit}.",
    "Errors of the {thing} go into {path}, where {name} {does} them.",
    "{Name} {does} the {thing} from {path} into the {sort} {thing}.",
    "On large machines, {name} {does} {number} {thing}s at once.",
    "Since version {version}, the {thing} {does} a new {thing} with {name}.",
    "To {do} the {thing}, stop {name}, change {path} and start it again.",
    "The old {thing} stays in {path} until {name} {does} it.",
    "Port {number} is for {name}, port {number} for the {thing}.",
    "See {link} if you need a {sort} {thing}.",
    "You can {do} a {thing} with {name}, but it needs {number} {unit} for each {thing}.",
    "Note that {name} {does} the {thing} of {name} so fast that the {thing} {does} nothing.",
    "When {number} {unit} have passed, the job stops and the {thing} {does} the last {thing}.",
    "No {thing} {does} the {thing} if {code} is set; then the {thing} {does} it.",
    "There are many {thing}s in a {thing}: the {sort} one {does} the {thing}, and {name} {does} the others.",
)
_PLAIN = ("code", "path", "link")
_SLOT = re.compile(r"\{(\w+)\}")
# Code, and what stands for code; headings keep their words, too.
_KEPT = re.compile(r"```.*?```|`[^`\n]*`|\[\[[^\]]*\]\]|^#.*?$", re.DOTALL | re.MULTILINE)
_WORD = re.compile(rf"(?<= )(?:{'|'.join(SYNONYMS)})(?![\w-])")


def reworded(document: str) -> str:
    """What the teacher should say of a document."""
    parts, at = [], 0
    for kept in _KEPT.finditer(document):
        parts += [_exchanged(document[at : kept.start()]), kept[0]]
        at = kept.end()
    return "".join([*parts, _exchanged(document[at:])])


def _exchanged(prose: str) -> str:
    return _WORD.sub(lambda found: SYNONYMS[found[0]], prose)


class Writer:
    """Writes documents, the same ones for the same seed. `syllables`: of the names and words that it makes up."""

    def __init__(self, seed: int, syllables: Sequence[str] = _SYLLABLES) -> None:
        self._random = random.Random(seed)
        self._syllables = syllables
        self._names: list[str] = []
        self._things: list[str] = []
        self._hidden, self._marks = False, 0

    def document(self, words: int) -> str:
        """A document of about so many words; in half of them placeholders stand for the code."""
        self._hidden, self._marks = self._random.random() < 0.5, 0
        # A document is about a few things, which stand in it again and again.
        self._names = [self._made_up() for _ in range(3)]
        self._things = self._random.sample(_THINGS, 5)
        lines = [f"# The {self._phrase()}", ""] if self._random.random() < 0.5 else []
        written = 0
        while written < words:
            kind = self._random.random()
            if kind < 0.08 and written:
                block = self._block()
            elif kind < 0.2:
                block = "\n".join(f"- {self._sentence()}" for _ in range(2))
            elif kind < 0.26 and written:
                block = f"## {self._phrase().capitalize()}"
            else:
                block = " ".join(self._sentence() for _ in range(min(self._random.randint(1, 4), 1 + words // 12)))
            lines += [block, ""]
            written += len(block.split())
        lines += [self._sentence()] if lines[-2].startswith("#") else []
        return "\n".join(lines).strip()

    def _sentence(self) -> str:
        if self._random.random() < 0.5:
            return self._salad()
        return _SLOT.sub(lambda slot: self._filled(slot[1]), self._random.choice(_SENTENCES))

    def _salad(self) -> str:
        """Words in no order, so that nothing but the document says which one comes next."""
        sorts = (_THINGS, _GLUE, _GLUE, _DOES, _DO, _SORTS, tuple(SYNONYMS), tuple(SYNONYMS.values()))
        known = self._random.random()  # share of the words that are none of these
        words = [
            self._random.choice(self._random.choice(sorts)) if self._random.random() < known else self._made_up()
            for _ in range(self._random.randint(4, 14))
        ]
        for _ in range(self._random.randint(0, 3)):
            slot = self._random.choice(("name", "Name", "number", "version", "path", "code"))
            words.insert(self._random.randint(1, len(words)), self._filled(slot))
        return f"{words[0].capitalize()} {' '.join(words[1:])}."

    def _filled(self, slot: str) -> str:
        if slot in _PLAIN and self._hidden and (slot != "path" or self._random.random() < 0.5):
            return self._mark({"link": "url"}.get(slot, "code"))
        return str(getattr(self, f"_{slot}")())

    def _mark(self, word: str) -> str:
        if self._marks and self._random.random() < 0.2:
            return f"[[code-{self._random.randint(1, self._marks)}]]"
        self._marks += 1
        return f"[[{word}-{self._marks}]]"

    def _phrase(self) -> str:
        return " ".join([self._sort(), self._thing()][self._random.randint(0, 1) :])

    def _block(self) -> str:
        if self._hidden:
            return self._mark(self._random.choice(("code", "code", "table", "command")))
        lines = [self._command() for _ in range(self._random.randint(1, 2))]
        return "\n".join(["```sh", *lines, "```"])

    def _thing(self) -> str:
        chance = self._random.random()
        if chance < 0.2:
            return self._name()
        return self._random.choice(_THINGS if chance < 0.5 else self._things)

    def _sort(self) -> str:
        return self._random.choice(_SORTS)

    def _does(self) -> str:
        return self._random.choice(_DOES)

    def _do(self) -> str:
        return self._random.choice(_DO)

    def _unit(self) -> str:
        return self._random.choice(_UNITS)

    def _name(self) -> str:
        return self._made_up() if self._random.random() < 0.4 else self._random.choice(self._names)

    def _made_up(self) -> str:
        heard = "".join(self._random.choice(self._syllables) for _ in range(self._random.randint(1, 4)))
        return heard + self._random.choice(("", "", "", "", "d", "ctl", f"-{self._random.choice(self._syllables)}"))

    def _Name(self) -> str:
        return self._name().capitalize()

    def _number(self) -> str:
        if self._random.random() < 0.3:
            return str(2 ** self._random.randint(1, 16))
        return str(self._random.randint(2, 10 ** self._random.randint(1, 5)))

    def _version(self) -> str:
        return ".".join(str(self._random.randint(0, 20)) for _ in range(self._random.randint(2, 3)))

    def _path(self) -> str:
        folders = [self._random.choice(_FOLDERS) for _ in range(self._random.randint(1, 2))]
        return f"/{'/'.join(folders)}/{self._name()}{self._random.choice(_ENDINGS)}"

    def _flag(self) -> str:
        if self._random.random() < 0.3:
            return f"-{self._random.choice('abcdefghijklmnopqrstuvwxyz')}"
        return f"--{self._random.choice(_THINGS)}{self._random.choice(('', '-' + self._random.choice(_SORTS)))}"

    def _command(self) -> str:
        parts = [self._random.choice((self._random.choice(_PROGRAMS), self._name())), self._flag()]
        parts += self._random.choice(([], [self._path()], [self._number()], [self._flag(), self._name()]))
        return " ".join(parts)

    def _code(self) -> str:
        inner = self._random.choice((self._command, self._flag, self._path, self._key, self._name))()
        return f"`{inner}`"

    def _key(self) -> str:
        joint = self._random.choice("._")
        return joint.join([self._random.choice(_THINGS), self._random.choice((self._name(), self._thing()))])

    def _link(self) -> str:
        return f"<https://{self._name()}.example/{self._thing()}>"
