"""A stage's bundle: what is uploaded as its function and run with --isolated; to look at it, run
`python -m emulator.bundle [STAGE...] [--into DIR] [--zip] [--json]`.

What is in it is said in `functions/stages.yaml`, which the deployment reads as well: same paths,
same hash. Must not know any stage by name.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared.domain.stages import BundleRules
from shared.errors import SegueError, UsageError
from shared.runtime.settings import ROOT
from shared.runtime.stage_table import read_stages

_INTO = Path("build") / "bundles"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date that an archive can tell
_READABLE = 0o100644 << 16


class BundleInvalidError(UsageError):
    """Correct the tree, or what `functions/stages.yaml` says of bundles."""


class BundleTargetError(UsageError):
    """Name another folder with --into."""


def bundle_files(stage: str, root: Path = ROOT) -> dict[str, Path]:
    """Path in the bundle -> file it comes from, in ascending order of paths.

    Raises BundleInvalidError where the table names a stage, folder or file that is not there, and
    for symbolic links: they would be copied here and left out there.
    """
    table = read_stages(root / "functions" / "stages.yaml")
    if stage not in table.stages:
        known = ", ".join(table.stages)
        raise BundleInvalidError(f"there is no stage {stage!r}; the stages are {known}")
    rules, own = table.bundle, f"functions/{stage}"
    files = {name: root / own / name for name in ("main.py", "requirements.txt")}
    files |= {name: root / name for name in rules.files}
    for name in (own, *rules.folders, *table.stages[stage].data):
        files |= _under(root, name, rules)
    for name, path in files.items():
        if path.is_symlink() or not path.is_file():
            raise BundleInvalidError(f"the bundle of {stage} needs the file {name}")
    return dict(sorted(files.items()))


def _under(root: Path, name: str, rules: BundleRules) -> Mapping[str, Path]:
    """What is wanted of a folder, or of a single file."""
    found = dict(_wanted(root, name, rules))
    if not found:
        problem = "in which nothing is wanted" if (root / name).exists() else "which is not there"
        raise BundleInvalidError(f"a bundle is to have {name}, {problem}")
    return found


def _wanted(root: Path, start: str, rules: BundleRules) -> Iterator[tuple[str, Path]]:
    for path in (root / start, *(root / start).rglob("*")):
        name = path.relative_to(root).as_posix()
        if "__pycache__" in path.parts or name.startswith(rules.without):
            continue
        if path.is_symlink():
            raise BundleInvalidError(f"{name} is a symbolic link; a bundle holds files only")
        if name.endswith(rules.suffixes) and path.is_file():
            yield name, path


def bundle_hash(stage: str, root: Path = ROOT) -> str:
    """SHA-256 over paths and contents; dates, modes and the order on the disk have no part in it.

    For each file, in ascending order of paths: the path, a tab, the file's SHA-256, a line feed.
    """
    lines = (
        f"{name}\t{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for name, path in bundle_files(stage, root).items()
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def build_bundle(stage: str, into: Path, root: Path = ROOT) -> Path:
    """Copies the bundle to `into`, in place of an earlier one, and returns it.

    Raises BundleTargetError where it cannot be written, or where something else is: that stays.
    """
    files = bundle_files(stage, root)
    fresh = into.with_name(f".{into.name}.new")
    try:
        if into.exists() and any(into.iterdir()) and not _is_bundle(into):
            raise BundleTargetError(f"{into} is not empty, and no bundle that may be replaced")
        shutil.rmtree(fresh, ignore_errors=True)
        for name, source in files.items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        shutil.rmtree(into, ignore_errors=True)
        fresh.rename(into)
    except OSError as error:
        raise _unwritable(into, error) from error
    return into


def _is_bundle(folder: Path) -> bool:
    """Not even a stage's own folder looks like this, nor the repository."""
    return all((folder / name).is_file() for name in ("main.py", "functions/stages.yaml"))


def zip_bundle(stage: str, into: Path, root: Path = ROOT) -> Path:
    """Writes `<into>/<stage>/<hash>.zip`, as the archive is called in the bucket.

    Its bytes follow from the hash: one date, one mode, and not compressed, as no two versions of
    zlib need agree. Raises BundleTargetError where it cannot be written.
    """
    archive = into / stage / f"{bundle_hash(stage, root)}.zip"
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive, "w") as opened:
            for name, source in bundle_files(stage, root).items():
                entry = zipfile.ZipInfo(name, _LONG_AGO)
                entry.create_system = 3  # Unix, whose modes these are
                entry.external_attr = _READABLE
                opened.writestr(entry, source.read_bytes())
    except OSError as error:
        raise _unwritable(archive, error) from error
    return archive


def _unwritable(path: Path, error: OSError) -> BundleTargetError:
    return BundleTargetError(f"{path} cannot be written: {error.strerror or error}")


def main(arguments: list[str] | None = None) -> int:
    """Builds what is asked for. Exit code 0, or 2 where that cannot be done."""
    from shared.cli.output import complain, print_json, safe, say  # noqa: PLC0415 - for people

    parser = argparse.ArgumentParser(prog="python -m emulator.bundle")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="all of them, if none is named")
    parser.add_argument("--into", type=Path, default=_INTO, help=f"a folder (default: {_INTO})")
    parser.add_argument("--zip", action="store_true", dest="zipped", help="archives, not folders")
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args(arguments)
    try:
        stages = given.stages or list(read_stages().stages)
        built = [_built(stage, given.into, zipped=given.zipped) for stage in stages]
    except SegueError as error:
        complain(f"[bold red]error:[/] {safe(error)}")
        return 2
    if given.as_json:
        print_json(built)
    for each in () if given.as_json else built:
        say(f"{each['hash']}  {each['files']:4} files, {each['bytes']:7,} bytes  {each['path']}")
    return 0


def _built(stage: str, into: Path, *, zipped: bool) -> dict[str, Any]:
    files = bundle_files(stage)
    path = zip_bundle(stage, into) if zipped else build_bundle(stage, into / stage)
    size = sum(source.stat().st_size for source in files.values())
    digest = bundle_hash(stage)
    return {"stage": stage, "hash": digest, "files": len(files), "bytes": size, "path": str(path)}


if __name__ == "__main__":
    sys.exit(main())
