"""Source code and configuration as a document: the path as its heading, then one fence."""

from __future__ import annotations

import re

from manifests.models import ExtractSettings
from pipelines.extract.page import Page, Unreadable
from pipelines.extract.plain import read_text
from pipelines.extract.spdx import stated_licence
from pipelines.extract.write import fence, heading

# Language: endings of file names. A language is named as highlighters and Markdown name it.
_ENDINGS = {
    "ada": "adb ads",
    "asm": "asm s nasm",
    "asn1": "asn asn1 mib",
    "awk": "awk",
    "bash": "bash ebuild eclass",
    "batch": "bat cmd",
    "bicep": "bicep bicepparam",
    "bitbake": "bb bbappend bbclass",
    "bpftrace": "bt",
    "c": "c h",
    "chapel": "chpl",
    "clojure": "clj cljs edn",
    "cmake": "cmake",
    "conf": "conf cnf cfg",
    "cpp": "cc cpp cxx c++ hh hpp hxx h++ ipp tpp inl",
    "csharp": "cs",
    "css": "css",
    "cuda": "cu cuh",
    "cue": "cue",
    "cypher": "cypher",
    "d": "d",
    "dart": "dart",
    "desktop": "desktop",
    "diff": "diff patch",
    "dockerfile": "dockerfile containerfile",
    "dot": "dot gv",
    "dts": "dts dtsi",
    "elixir": "ex exs",
    "erb": "erb",
    "erlang": "erl hrl",
    "fish": "fish",
    "fortran": "f f77 f90 f95 f03 f08 for",
    "fsharp": "fs fsi fsx",
    "glsl": "glsl vert frag comp",
    "go": "go",
    "gn": "gn gni",
    "gotmpl": "tpl tmpl gotmpl",
    "graphql": "graphql gql",
    "groovy": "groovy gradle",
    "haskell": "hs",
    "hcl": "hcl tf tfvars nomad",
    "hlsl": "hlsl",
    "ini": "ini service socket timer mount target path slice network netdev link properties editorconfig repo",
    "java": "java",
    "javascript": "js mjs cjs jsx",
    "jinja": "j2 jinja jinja2",
    "json": "json jsonl ndjson geojson avsc webmanifest workbook",
    "jsonc": "jsonc json5",
    "jsonnet": "jsonnet libsonnet",
    "julia": "jl",
    "kotlin": "kt kts",
    "kusto": "kql kusto csl",
    "lisp": "lisp lsp cl el",
    "ld": "lds",
    "llvm": "ll",
    "logql": "logql",
    "lua": "lua",
    "makefile": "mk mak make",
    "matlab": "m",
    "meson": "meson",
    "mlir": "mlir",
    "nim": "nim",
    "nix": "nix",
    "objectivec": "mm",
    "ocaml": "ml mli",
    "opencl": "opencl clcpp",
    "p4": "p4",
    "perl": "pl pm",
    "php": "php",
    "powershell": "ps1 psm1 psd1",
    "promql": "promql",
    "protobuf": "proto",
    "puppet": "pp",
    "python": "py pyi pyx pxd bzl star",
    "r": "r",
    "rpmspec": "spec",
    "rego": "rego",
    "ruby": "rb rake gemspec",
    "rust": "rs",
    "scala": "scala sc sbt",
    "scheme": "scm ss rkt",
    "sh": "sh ksh dash ash sbatch slurm pbs",
    "smt": "smt2",
    "solidity": "sol",
    "spl": "spl",
    "sql": "sql ddl dml psql pgsql hql cql",
    "starlark": "bazel",
    "swift": "swift",
    "systemtap": "stp",
    "systemverilog": "sv svh",
    "tcl": "tcl",
    "thrift": "thrift",
    "tla": "tla",
    "toml": "toml",
    "typescript": "ts mts cts tsx",
    "typst": "typ",
    "verilog": "v vh",
    "vhdl": "vhd vhdl",
    "vim": "vim",
    "wat": "wat",
    "wgsl": "wgsl",
    "xml": "xml xsd xsl xslt wsdl csproj vcxproj props targets",
    "yacc": "y yy",
    "yaml": "yaml yml sls",
    "yang": "yang",
    "yara": "yar yara",
    "zig": "zig",
    "zsh": "zsh",
}
_NAMES = {
    "bash": ".bashrc .bash_profile .bash_aliases .profile bashrc",
    "cmake": "cmakelists.txt",
    "conf": "haproxy.cfg sshd_config ssh_config named.conf my.cnf .htaccess httpd.conf squid.conf redis.conf",
    "dockerfile": "dockerfile containerfile",
    "go.mod": "go.mod go.work",
    "groovy": "jenkinsfile",
    "ignore": ".gitignore .dockerignore .helmignore .npmignore .gitattributes",
    "ini": ".gitconfig .editorconfig .npmrc .pylintrc .flake8 setup.cfg tox.ini pip.conf ansible.cfg",
    "json": ".prettierrc .eslintrc .babelrc",
    "just": "justfile",
    "kconfig": "kconfig",
    "makefile": "makefile gnumakefile kbuild",
    "meson": "meson.build meson_options.txt",
    "nginx": "nginx.conf",
    "procfile": "procfile",
    "python": "sconstruct sconscript wscript",
    "ruby": "vagrantfile rakefile gemfile brewfile podfile guardfile capfile berksfile",
    "sh": "configure .env .envrc pkgbuild apkbuild",
    "starlark": "build build.bazel workspace tiltfile",
    "systemd": "system.conf user.conf journald.conf",
    "crontab": "crontab",
    "caddyfile": "caddyfile",
    "vim": ".vimrc vimrc",
    "zsh": ".zshrc .zprofile .zshenv",
}
_INTERPRETERS = {
    "bash": "bash ebuild eclass",
    "sh": "sh ash dash ksh busybox",
    "zsh": "zsh",
    "fish": "fish",
    "python": "python pypy",
    "perl": "perl",
    "ruby": "ruby",
    "javascript": "node nodejs deno bun",
    "awk": "awk gawk mawk nawk",
    "sed": "sed",
    "lua": "lua luajit",
    "php": "php",
    "tcl": "tclsh wish expect",
    "powershell": "pwsh",
    "bpftrace": "bpftrace",
    "stap": "stap",
    "dtrace": "dtrace",
    "r": "rscript",
    "groovy": "groovy",
    "julia": "julia",
    "makefile": "make gmake",
    "yaml": "ansible-playbook",
}


def _inverted(table: dict[str, str]) -> dict[str, str]:
    return {name: language for language, names in table.items() for name in names.split()}


LANGUAGE_OF_ENDING = _inverted(_ENDINGS)
LANGUAGE_OF_NAME = _inverted(_NAMES)
LANGUAGE_OF_INTERPRETER = _inverted(_INTERPRETERS)
# Behind these a name has its own ending: `values.yaml.example`, `unit.service.in`.
_WRAPPERS = "example sample dist in tmpl tpl j2 jinja jinja2 gotmpl erb template default"
WRAPPERS = frozenset(_WRAPPERS.split())

_HOST = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)
_SHEBANG = re.compile(r"#![ \t]*\S*?([^/\s]+)(?:[ \t]+(.*))?$")
_ENV_OPTION = re.compile(r"-\S*|\w+=\S*")
_DOCKERFILE = re.compile(r"(?:dockerfile|containerfile)[.-]|.*[.-](?:dockerfile|containerfile)$")
_YAML_LINE = re.compile(r"---|(?:- )?[\w.-]+:(?:[ ]|$)")
HEAD_CHARS = 3000


def language_of(name: str, first_line: str) -> str | None:
    """The language of a file of code or configuration; None where it is no code that we know.

    name: its path or URL; first_line: of its text, for files whose name says nothing (`#!`, an editor's mark).
    """
    path = re.split(r"[?#]", _HOST.sub("", name), maxsplit=1)[0]
    base = path.rstrip("/").rsplit("/", 1)[-1].lower()
    if base in LANGUAGE_OF_NAME:
        return LANGUAGE_OF_NAME[base]
    if _DOCKERFILE.match(base):
        return "dockerfile"
    stem, dot, ending = base.rpartition(".")
    if dot and ending in WRAPPERS and (inner := LANGUAGE_OF_ENDING.get(stem.rpartition(".")[2])):
        return inner
    if dot and ending == "template":  # CloudFormation's, in one of two languages
        return "json" if first_line.lstrip().startswith("{") else "yaml"
    if ending in ("conf", "cfg") and "nginx" in name.lower():
        return "nginx"
    if ending == "rules":  # Prometheus' are YAML; those of udev, Falco and intrusion detection have forms of their own
        return "yaml" if _YAML_LINE.match(first_line) else "rules"
    return LANGUAGE_OF_ENDING.get(ending if dot else "") or _of_shebang(first_line)


def extract_source_code(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """A file of code as a page: its path, then its text byte for byte (line ends as in Unix) in a fence.

    name: the record's path. Raises `Unreadable` (to quarantine; `not_text` for what is binary) and `NoText`.
    """
    if b"\0" in body[:HEAD_CHARS] and not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("not_text", "the body has NUL bytes")
    text = read_text(body, content_type, limits)
    language = language_of(name, text.split("\n", 1)[0]) or ""
    licence = stated_licence(text)
    return Page(
        name,
        f"{heading(1, name)}\n\n{fence(text, language)}\n",
        (),
        "source",
        licence=licence,
        found={"licence": "spdx-comment"} if licence else {},
    )


def _of_shebang(line: str) -> str | None:
    found = _SHEBANG.match(line.strip())
    if found is None:
        return None
    program = found.group(1)
    if program == "env":
        words = [word for word in (found.group(2) or "").split() if not _ENV_OPTION.fullmatch(word)]
        program = words[0].rsplit("/", 1)[-1] if words else ""
    return LANGUAGE_OF_INTERPRETER.get(program.lower().rstrip("0123456789."))
