"""A typed flow that is run under misfortune: what its steps edit at once is in its outputs."""

from __future__ import annotations

from shared.testing.simulator.case import Case
from tests.functional.system import library
from tests.functional.typed_flows import Sorting, typed

TYPED = Case.revised(
    "typed",
    library(typed(Sorting)),
    Sorting.on,
    {"texts": ["a", "bb", "cccccc", "dd", "eeee", "ffffff"]},
)
