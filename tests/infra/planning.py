"""`infra/modules/plan`, run by terraform itself: it needs no provider, so no network.

Each plan has a folder of its own, and terraform's data besides: the tree stays as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.runtime.settings import ROOT

INFRA = ROOT / "infra"
PLAN = INFRA / "modules" / "plan"
TERRAFORM = shutil.which("terraform")
needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="there is no terraform on the PATH")


def terraform(
    folder: Path, *words: str, data: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """What terraform says in a folder; what it keeps for itself goes to `data`."""
    settings = {
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_CONFIG_FILE": os.devnull,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        **({"TF_DATA_DIR": str(data)} if data else {}),
    }
    ours = {name: text for name, text in os.environ.items() if not name.startswith("TF_")}
    return subprocess.run(
        [str(TERRAFORM), f"-chdir={folder}", *words],
        env=ours | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def run(folder: Path, *words: str, data: Path | None = None) -> str:
    """Like `terraform`; it must succeed."""
    done = terraform(folder, *words, data=data)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def planned(folder: Path, table: Mapping[str, Any], **variables: Any) -> Any:
    """The outputs of the module for a stage table."""
    _configure(folder, table, variables)
    run(folder, "apply", "-no-color", "-auto-approve")
    return json.loads(run(folder, "output", "-json"))["plan"]["value"]


def refusal(folder: Path, table: Mapping[str, Any], **variables: Any) -> str:
    """Everything the module says against a stage table, on one line."""
    _configure(folder, table, variables)
    done = terraform(folder, "plan", "-no-color")
    assert done.returncode == 1, done.stdout
    return " ".join(done.stderr.split())


def shipped_table() -> dict[str, Any]:
    """`functions/stages.yaml` as it is written."""
    table: dict[str, Any] = yaml.safe_load((ROOT / "functions/stages.yaml").read_text("utf-8"))
    return table


def _configure(folder: Path, table: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    (folder / "table.yaml").write_text(yaml.safe_dump(dict(table)), "utf-8")
    inputs = {"project_id": "my-project", "root": str(ROOT), **variables}
    module = {
        "source": os.path.relpath(PLAN, folder.resolve()),
        "table": '${yamldecode(file("table.yaml"))}',
        "indexes": f'${{yamldecode(file("{INFRA / "indexes.yaml"}"))}}',
        **inputs,
    }
    configuration = {"module": {"plan": module}, "output": {"plan": {"value": "${module.plan}"}}}
    (folder / "main.tf.json").write_text(json.dumps(configuration), "utf-8")
    run(folder, "init", "-no-color")
