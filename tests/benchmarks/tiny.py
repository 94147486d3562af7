"""A made-up package, so small that it is clear what each method must find."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

REQUIREMENT = "tiny==1.0"
PADDING = "\n".join(f"    total_{number} = {number}" for number in range(70))
OTHER_PADDING = PADDING.replace("total", "entry")
SHELF = f"""\
class Shelf:
    def shelve_record(self, record):
        self.records.append(record)

    def remove_damaged(self, record):
        self.records.remove(record)


def count_all():
{PADDING}
"""
READER = f"""\
from tiny.shelf import Shelf


def read_all():
{OTHER_PADDING}


def put_away(shelf: Shelf, entry):
    shelf.shelve_record(entry)


def sort_out(shelf: Shelf, entry):
    shelf.remove_damaged(entry)
"""
FILES = {"tiny/shelf.py": SHELF, "tiny/reader.py": READER}


def write_files(folder: Path) -> Path:
    """Lay the package's files out in a folder, which is returned."""
    for path, text in FILES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder


def write_archive(cache: Path) -> Path:
    """Put its source distribution where downloads are kept."""
    archive = cache / "sdists" / "tiny-1.0" / "tiny-1.0.tar.gz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        for path, text in {**FILES, "../escaped.py": "x = 1\n", "read.me": "hello\n"}.items():
            member = tarfile.TarInfo(f"tiny-1.0/{path}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return archive
