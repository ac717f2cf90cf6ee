"""What every functional test starts from: functions that work and have not been called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional import calls, typed_flows


@pytest.fixture(autouse=True)
def _fresh_calls() -> Iterator[None]:
    calls.SEEN.clear()
    calls.BROKEN.clear()
    typed_flows.CALLED.clear()
    typed_flows.BROKEN.clear()
    yield
    calls.BROKEN.clear()
    typed_flows.BROKEN.clear()
