"""Prompts to and from Vertex AI's prompt management, by the REST of its datasets."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import Result
from typer.testing import CliRunner

from shared.adapters.vertex_prompt_form import VertexPromptUnfitError
from shared.adapters.vertex_prompts import (
    NoSuchVertexPromptError,
    VertexFailedError,
    VertexPrompts,
)
from shared.adapters.vertex_session import ProjectMissingError
from shared.cli.app import app
from shared.cli.commands.vertex import NoLabelsThereError
from shared.cli.registry import ReferenceInvalidError
from shared.domain.version import FrontMatter, PromptVersion
from shared.runtime.settings import settings
from tests.contract.vertex_datasets import Datasets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARENT = "projects/p/locations/us-central1/datasets"
PARTIALS = {"_partials/a": "!"}
OWN = PromptVersion(
    name="support/classify",
    head=FrontMatter(
        description="Sorts.",
        model="gemini-2.5-flash",
        parameters={"temperature": 0.2, "max_output_tokens": 50, "service_tier": "flex"},
        system="Be kind.",
        output={"type": "object"},
    ),
    body="Sort {{ text }}{% include '_partials/a' %}",
    partials=PARTIALS,
)
# What google-cloud-aiplatform 2.7.0 sends for a prompt with a variable.
OF_THE_STUDIO: dict[str, Any] = {
    "has_prompt_variable": True,
    "prompt_api_schema": {
        "api_schema_version": "1.0.0",
        "executions": [{"arguments": {"name": {"part_list": {"parts": [{"text": "Ada"}]}}}}],
        "multimodal_prompt": {
            "prompt_message": {
                "generation_config": {"max_output_tokens": 50, "temperature": 0.2},
                "contents": [{"parts": [{"text": "Hi {name}, {not}"}], "role": "user"}],
                "system_instruction": {"parts": [{"text": "Be kind to {name}"}]},
                "model": "gemini-2.5-flash",
            }
        },
    },
    "prompt_type": "multimodal_freeform",
}


@pytest.fixture
def datasets() -> Iterator[Datasets]:
    server = Datasets()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kept(datasets: Datasets) -> Iterator[VertexPrompts]:
    with requests.Session() as session:
        yield VertexPrompts(session, datasets.url, ("p", "us-central1"), sleep=lambda _: None)


def pulled(kept: VertexPrompts, own: PromptVersion | None = OWN, **about: Any) -> PromptVersion:
    return kept.pull("support/classify", own, PARTIALS, **about)


def test_what_is_pushed_is_pulled_as_the_same_version(kept: VertexPrompts) -> None:
    pushed = kept.push(OWN)
    assert pushed.is_new
    assert pulled(kept).version == OWN.version
    assert pulled(kept, prompt_id=pushed.prompt_id, version_id="1").version == OWN.version


def test_what_is_there_is_changed_and_has_one_version_for_each_content(
    kept: VertexPrompts, datasets: Datasets
) -> None:
    other = PromptVersion(name=OWN.name, head=OWN.head, body="Another {{ text }}")
    pushed = [kept.push(one) for one in (OWN, other, OWN)]
    assert [(one.version_id, one.is_new) for one in pushed] == [
        ("1", True),
        ("2", True),
        ("1", False),
    ]
    assert len(datasets.kept) == len({one.prompt_id for one in pushed}) == 1
    assert pulled(kept).body == OWN.body
    assert pulled(kept, version_id="2").body == other.body


def test_a_push_that_broke_off_before_its_version_is_finished_by_the_next(
    kept: VertexPrompts, datasets: Datasets
) -> None:
    first = kept.push(OWN)
    datasets.versions[first.prompt_id].clear()
    assert kept.push(OWN).is_new
    assert len(datasets.kept) == 1


def test_a_prompt_of_another_page_is_found(kept: VertexPrompts, datasets: Datasets) -> None:
    for _ in range(5):
        datasets.add(PARENT, {"displayName": "support/classify", "metadata": OF_THE_STUDIO})
    number = kept.push(OWN).prompt_id
    assert number == max(datasets.kept)


@pytest.mark.parametrize("style", ["snake", "camel"])
def test_a_prompt_of_the_studio_is_ours_with_its_variables(
    kept: VertexPrompts, datasets: Datasets, style: str
) -> None:
    metadata = OF_THE_STUDIO if style == "snake" else _camel(OF_THE_STUDIO)
    number = datasets.add(PARENT, {"displayName": "Greeting", "metadata": metadata})
    found = kept.pull("greet", None, {}, prompt_id=number)
    assert (found.body, found.head.system) == ("Hi {{ name }}, {not}", "Be kind to {{ name }}")
    assert found.head.model == "gemini-2.5-flash"
    assert found.head.parameters == {"max_output_tokens": 50, "temperature": 0.2}


def test_what_is_no_prompt_of_ours_is_refused(kept: VertexPrompts, datasets: Datasets) -> None:
    several: dict[str, Any] = json.loads(json.dumps(OF_THE_STUDIO))
    message = several["prompt_api_schema"]["multimodal_prompt"]["prompt_message"]
    message["contents"] *= 2
    number = datasets.add(PARENT, {"displayName": "Chat", "metadata": several})
    with pytest.raises(VertexPromptUnfitError, match="2 messages"):
        kept.pull("chat", None, {}, prompt_id=number)
    message["contents"] = [{"parts": [{"inline_data": {}}]}]
    with pytest.raises(VertexPromptUnfitError, match="no text"):
        kept.pull("chat", None, {}, prompt_id=number)


def test_what_is_not_there_and_what_is_refused_is_told(
    kept: VertexPrompts, datasets: Datasets
) -> None:
    with pytest.raises(NoSuchVertexPromptError, match="support/classify"):
        pulled(kept)
    with pytest.raises(NoSuchVertexPromptError, match="datasets/7"):
        pulled(kept, prompt_id="7")
    datasets.refusal = (403, "Permission denied on resource project p")
    with pytest.raises(VertexFailedError, match=r"403 .* Permission denied"):
        kept.push(OWN)


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    first = {key: key.split("_") for key in value}
    return {
        "".join([words[0], *(word.title() for word in words[1:])]): _camel(value[key])
        for key, words in first.items()
    }


# -- on the command line ------------------------------------------------------------------------


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, datasets: Datasets) -> Iterator[Path]:
    """Prompts on disk, and the server in place of Vertex AI."""
    file = tmp_path / "templates/greet.md.j2"
    file.parent.mkdir()
    file.write_text("---\ndescription: Greets.\nmodel: m\n---\nHi {{ name }}.\n", "utf-8")
    monkeypatch.setenv("SEGUE_PROMPTS", str(tmp_path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", datasets.url)
    monkeypatch.setattr("time.sleep", lambda _: None)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def segue(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["prompts", *arguments])


def test_a_prompt_goes_there_is_changed_there_and_comes_back(
    folder: Path, datasets: Datasets
) -> None:
    assert "version 1" in segue("push", "greet", "--to", "vertex").output
    again = segue("push", "--all", "--to", "vertex", "--json")
    assert [one["is_new"] for one in json.loads(again.output)] == [False]
    assert segue("pull", "greet").output == (folder / "templates/greet.md.j2").read_text("utf-8")
    [changed] = datasets.kept.values()
    schema = changed["metadata"]["prompt_api_schema"]
    [content] = schema["multimodal_prompt"]["prompt_message"]["contents"]
    content["parts"] = [{"text": "Hello {{ name }}!"}]
    assert json.loads(segue("pull", "greet", "--write", "--json").output)["written"]
    assert (folder / "templates/greet.md.j2").read_text("utf-8").endswith("---\nHello {{ name }}!")
    assert all("/us-central1/" in one for one in datasets.asked)


@pytest.mark.usefixtures("folder")
def test_labels_are_not_kept_there() -> None:
    refused = segue("push", "greet", "--to", "vertex", "--label", "staging")
    assert isinstance(refused.exception, NoLabelsThereError)


@pytest.mark.usefixtures("folder")
def test_a_file_is_written_among_the_prompts_alone() -> None:
    assert isinstance(segue("pull", "../greet", "--write").exception, ReferenceInvalidError)


@pytest.mark.usefixtures("folder")
def test_a_project_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    settings.cache_clear()
    assert isinstance(segue("pull", "greet").exception, ProjectMissingError)
