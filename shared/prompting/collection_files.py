"""Reads `prompts/collections`: one declared collection a file, named as the file is."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from shared.domain.retrieval.collection import Collection
from shared.prompting.source import Problem, Source, SourceProblems, read_yaml

FOLDER = "collections"


def read_collections(root: Path, problems: list[Problem]) -> dict[str, Collection]:
    """The sound ones by name; what is wrong with others is added to `problems`."""
    found: dict[str, Collection] = {}
    for path in sorted((root / FOLDER).glob("*.yaml")):
        shown = (Path(root.name) / path.relative_to(root)).as_posix()
        try:
            collection = _collection(read_yaml(path.read_text("utf-8"), shown), path.stem)
        except SourceProblems as error:
            problems.extend(error.problems)
        except UnicodeDecodeError as error:
            problems.append(Problem(shown, 1, f"not UTF-8: {error.reason}"))
        else:
            found[collection.collection] = collection
    return found


def _collection(source: Source, stem: str) -> Collection:
    try:
        collection = Collection.model_validate(source.data or {})
    except ValidationError as error:
        raise SourceProblems(source.problems(error)) from error
    if collection.collection != stem:
        message = f"the collection is called {collection.collection!r}; name the file after it"
        raise SourceProblems([source.problem(("collection",), message)])
    return collection
