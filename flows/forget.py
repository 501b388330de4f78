"""Forget: an erasure request, carried out in the store and in the files that runs left."""

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agreement.errors import BadInput
from connectors.store import Store
from connectors.store.cleaning import Cleaner

log = logging.getLogger(__name__)

# Larger files are no report or log of ours; they are named instead of read.
_LARGEST = 256 * 1024 * 1024
_DATABASE_ENDS = ("", "-wal", "-shm", "-journal", ".lock")


@dataclass(frozen=True)
class Files:
    """Files that name a person: those that were (or would be) cleaned, and those left to people."""

    cleaned: tuple[str, ...]
    left: tuple[str, ...]


def forget(
    store: Store, who: str, folders: Sequence[Path], *, at: datetime, is_applied: bool
) -> dict[str, Any]:
    """Show what tells who a person was, and with `is_applied` erase it; give what went.

    Files go first: when the store was erased nobody could tell any more what to look for. Times,
    states and sums stay under random ids. The database's own file is rewritten at the end.

    Args:
        store: whose lock the caller holds while `is_applied`.
        who: our id of the person, or SYSTEM/KIND/ID of one of their records.
        folders: where logs and reports lie.
        at: when.
        is_applied: erase, not only show.

    Raises:
        BadInput: nobody of this id is known.
    """
    found = store.forget(who, at=None)
    if found is None:
        raise BadInput(
            f"no person {who} is known, or they are forgotten already. Give a person's id such as"
            " p_0123456789abcdef, or a record such as hubspot/contact/51201, salesforce/lead/00Q..."
        )
    files = clean_files(found.cleaner, folders, is_applied=is_applied)
    if is_applied:
        erased = store.forget(who, at=at)
        found = erased or found
        store.compact()
        log.info(
            "forgotten records=%d rows=%d", len(found.cleaner.aliases), sum(found.rows.values())
        )
    return {
        "is_applied": is_applied,
        "person_id": found.person.person_id,
        "records": ["/".join(place) for place in found.person.records],
        "rows": dict(found.rows),
        "files": list(files.cleaned),
        "files_left": list(files.left),
    }


def clean_files(cleaner: Cleaner, folders: Sequence[Path], *, is_applied: bool) -> Files:
    """Clean the text files of some folders; name the others that hold something of the person.

    A file is replaced as a whole, so that a reader sees the old one or the new one.
    """
    cleaned: list[str] = []
    left: list[str] = []
    for file in _files(folders):
        what = _look_into(cleaner, file, is_applied=is_applied)
        if what is not None:
            (cleaned if what else left).append(str(file))
    return Files(tuple(cleaned), tuple(left))


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.is_symlink() and file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def _look_into(cleaner: Cleaner, file: Path, *, is_applied: bool) -> bool | None:
    """Clean a file: True; name it as left to people: False; nothing of the person in it: None."""
    if file.stat().st_size > _LARGEST:
        return False
    content = file.read_bytes()
    try:
        told = content.decode("utf-8")
    except UnicodeDecodeError:
        lowered = content.lower()
        return False if any(term.encode() in lowered for term in cleaner.terms) else None
    clean = cleaner.text(told)
    if clean == told:
        return None
    if is_applied:
        _replace(file, clean)
    return True


def _replace(file: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("wb", dir=file.parent, delete=False) as new:
        new.write(text.encode("utf-8"))
    Path(new.name).chmod(file.stat().st_mode)
    os.replace(new.name, file)  # noqa: PTH105 - one step, whatever the platform


def default_folders(database: str, pages: Path | None) -> list[Path]:
    """Give the folders where runs leave files: `out`, the pages', the database's if it is ours."""
    places = [Path(".tandem"), Path("out"), *([pages] if pages else [])]
    file = Path(database)
    if file.parent.name in {".tandem", "out"}:
        places.append(file.parent)
    return [place for place in dict.fromkeys(places) if place.is_dir()]
