"""`segue publish`: the data it takes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.cli.sending import DataInvalidError, read_data


def test_data_is_json_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(b'{"from": "file"}')
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"from": "pipe"}')))
    assert read_data('{"from": "argument"}') == b'{"from": "argument"}'
    assert read_data(f"@{path}") == b'{"from": "file"}'
    assert read_data("-") == b'{"from": "pipe"}'
    assert read_data("") == b""


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("{", "not JSON"),
        ("hello", "not JSON"),
        ("@/no/such/file", "/no/such/file: No such file"),
        ("@", "No such file|Is a directory"),
    ],
)
def test_what_is_no_data_is_told(given: str, complaint: str) -> None:
    with pytest.raises(DataInvalidError, match=complaint):
        read_data(given)
