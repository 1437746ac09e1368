"""Where entries come from: this package, packages that announce theirs, and further folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.metadata import EntryPoint, entry_points
from importlib.resources.abc import Traversable
from pathlib import Path

from jupyter_oauthconn.errors import ConfigurationError, UnknownProviderError

from .entry import ProviderEntry
from .parse import parse_entry

#: Entry points of this group name a package whose `*.toml` files are entries.
GROUP = "jupyter_oauthconn.catalogs"


class Catalog:
    """All entries, by key."""

    def __init__(self, entries: Mapping[str, ProviderEntry]) -> None:
        self._entries = dict(sorted(entries.items()))

    def entry(self, key: str) -> ProviderEntry:
        """Raises `UnknownProviderError`, which names similar keys."""
        found = self.find(key)
        if found is None:
            raise UnknownProviderError(key, known=self._entries)
        return found

    def find(self, key: str) -> ProviderEntry | None:
        return self._entries.get(key)

    def entries(self) -> tuple[ProviderEntry, ...]:
        """Sorted by key."""
        return tuple(self._entries.values())


def load(paths: Sequence[Path] = ()) -> Catalog:
    """Reads the catalog; `paths` are further folders of TOML files.

    Raises:
        ConfigurationError: a folder is missing, a file is faulty, or a key exists twice. An own
            entry never replaces another silently: its endpoints receive client secrets.
    """
    found: dict[str, ProviderEntry] = {}
    origin: dict[str, str] = {}
    for folder, label in _folders(paths):
        for file, key in _files(folder, label):
            where = f"{label}/{file.name}"
            if key in found:
                raise ConfigurationError(
                    f"The provider {key!r} is defined twice: {origin[key]} and {where}.",
                    hint="Rename one of the files; its name is the provider's key.",
                )
            found[key] = parse_entry(_text(file, where), key=key, where=where)
            origin[key] = where
    return Catalog(found)


def _folders(paths: Iterable[Path]) -> Iterator[tuple[Traversable, str]]:
    yield resources.files(__package__) / "providers", "built-in catalog"
    for announced in entry_points(group=GROUP):
        yield _package(announced), f"package {announced.value}"
    for path in paths:
        yield path, str(path)


def _package(announced: EntryPoint) -> Traversable:
    try:
        return resources.files(announced.value)
    except ImportError as error:
        raise ConfigurationError(
            f"The catalog package {announced.value!r} cannot be imported: {error}.",
            hint="Repair or uninstall the distribution that announces it.",
        ) from None


def _files(folder: Traversable, label: str) -> list[tuple[Traversable, str]]:
    try:
        files = sorted(folder.iterdir(), key=lambda one: one.name)
    except OSError as error:
        raise ConfigurationError(
            f"The catalog folder {label} cannot be read: {error.strerror}.",
            hint="Correct catalog_paths.",
        ) from None
    return [(one, one.name.removesuffix(".toml")) for one in files if one.name.endswith(".toml")]


def _text(file: Traversable, where: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(
            f"The catalog file {where} cannot be read: {reason}.", hint="Correct or remove it."
        ) from None
