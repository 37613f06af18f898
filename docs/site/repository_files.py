"""A site that is laid out as the repository: its pages, and whatever files they link to.

mkdocs takes pages from `docs/` alone. With this hook the pages keep the paths that they have in the
repository, so that a link leads to the same place on the site, in a checkout and in a browser of
repositories. A linked folder becomes a page that lists its files, and a linked text file becomes a
page that shows it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "docs/reference/*.md")
STYLES = ("docs/site/*.css",)
COPIED = (".png", ".svg", ".css")
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")
LANGUAGES = {".ipynb": "json"}


def on_files(files: Files, config: Any) -> Files:
    """Put the repository's pages, their styles and what they link to in place of `docs/`."""
    docs = Path(config["docs_dir"])
    theme = [file for file in files if Path(file.src_dir or docs) != docs]
    waiting = sorted(path for pattern in (*PAGES, *STYLES) for path in ROOT.glob(pattern))
    added: dict[str, File] = {}
    while waiting:
        path = waiting.pop()
        file = _file(path, config)
        if file.src_uri in added:
            continue
        added[file.src_uri] = file
        if path.suffix == ".md" or path.is_dir():
            waiting += _linked(file)
    return Files([*theme, *added.values()])


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links to folders and to text files lead to their pages."""
    start = posixpath.dirname(page.file.src_uri)

    def led(link: re.Match[str]) -> str:
        path = ROOT / posixpath.normpath(posixpath.join(start, link[1]))
        if not path.exists():
            return link[1]
        return posixpath.relpath(_name(path), start or ".")

    return LINK.sub(led, markdown)


def _name(path: Path) -> str:
    """Name what a path of the repository is on the site, as a path of source files."""
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        return f"{name}/README.md" if (path / "README.md").exists() else f"{name}/index.md"
    return name if path.suffix in (".md", *COPIED) else f"{name}.md"


def _file(path: Path, config: Any) -> File:
    """Make the site's file for a path of the repository."""
    name = _name(path)
    if (ROOT / name).exists():
        return File(name, str(ROOT), config["site_dir"], config["use_directory_urls"])
    text = _listing(path) if path.is_dir() else _shown(path)
    return File.generated(config, name, content=text)


def _linked(file: File) -> list[Path]:
    """Return the paths of the repository that a page links to."""
    start = posixpath.dirname(file.src_uri)
    paths = (
        ROOT / posixpath.normpath(posixpath.join(start, link))
        for link in LINK.findall(file.content_string)
    )
    return [path for path in paths if path.exists()]


def _listing(folder: Path) -> str:
    """List the files of a folder, with links to them."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    links = "\n".join(f"- [{name}]({name})" for name in names if not name.startswith("."))
    return f"# {folder.relative_to(ROOT).as_posix()}\n\n{links}\n"


def _shown(path: Path) -> str:
    """Show a text file as code."""
    name = path.relative_to(ROOT).as_posix()
    language = LANGUAGES.get(path.suffix, path.suffix[1:])
    text = path.read_text(encoding="utf-8")
    return f"# {name}\n\n~~~~~ {language}\n{text}\n~~~~~\n"
