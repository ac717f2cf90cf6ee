"""The table of deviations says nothing that is not so, and speaks of Google's emulator alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.deviations import FIRESTORE, GOOGLE, PUBSUB, Deviation

HERE = Path(__file__).parent


def _tests(folder: str) -> list[str]:
    found: list[str] = []
    for path in sorted((HERE / folder).glob("test_*.py")):
        found += re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    return found


@pytest.mark.parametrize(
    ("table", "folder"), [(PUBSUB, "pubsub"), (FIRESTORE, "firestore")], ids=["pubsub", "firestore"]
)
def test_every_deviation_is_of_a_test(table: dict[str, Deviation], folder: str) -> None:
    assert {key.partition("[")[0] for key in table} <= set(_tests(folder))


def test_a_deviation_names_one_test() -> None:
    tests = _tests("pubsub") + _tests("firestore")
    assert [
        name for name in {key.partition("[")[0] for key in GOOGLE} if tests.count(name) > 1
    ] == []


def test_a_deviation_names_its_source() -> None:
    assert [key for key, each in GOOGLE.items() if not each.source.startswith("https://")] == []


def test_no_case_is_excused_on_the_embedded_engine() -> None:
    marks = re.compile(r"(pytest|mark)\.(skip|xfail|importorskip)")
    given = {"conftest.py", "deviations.py", "test_deviations.py", "test_random_operations.py"}
    files = [path for path in HERE.rglob("*.py") if path.name not in given]
    assert [path.name for path in files if marks.search(path.read_text())] == []


def test_only_google_s_cases_are_expected_to_fail(request: pytest.FixtureRequest) -> None:
    excused = [item for item in request.session.items if item.get_closest_marker("xfail")]
    ours = [item for item in excused if HERE in item.path.parents]
    assert [item.name for item in ours if item.callspec.params["engine"] != "google"] == []
