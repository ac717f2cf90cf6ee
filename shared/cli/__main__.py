"""`python -m shared.cli` is `segue`."""

from __future__ import annotations

from shared.cli.app import main

main()
