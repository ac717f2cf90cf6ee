"""Hypothesis profiles: the same examples on every run in CI, new ones on a desk."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("desk", deadline=None, print_blob=True)
settings.register_profile(
    "ci",
    parent=settings.get_profile("desk"),
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
