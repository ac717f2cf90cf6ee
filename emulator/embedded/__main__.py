"""`python -m emulator.embedded`: Pub/Sub and Firestore in one process, until it is told to stop.

Says on stdout where it listens, as one line of JSON; errors go to stderr. Decides the options and
the exit codes: 0 stopped, 1 could not start, 2 bad usage.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from pathlib import Path

from emulator.embedded.messages import light_packages

gc.disable()  # until everything is imported: there is nothing to collect meanwhile
light_packages()  # before anything can import a client

from emulator.embedded.assembly import Choices, StartError, run  # noqa: E402


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    try:
        asyncio.run(run(_choices()))
    except StartError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _choices() -> Choices:
    parser = argparse.ArgumentParser(
        prog="python -m emulator.embedded",
        description="Pub/Sub and Firestore in one process, for unmodified client libraries.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    for name, what in (
        ("pubsub", "PUBSUB_EMULATOR_HOST"),
        ("firestore", "FIRESTORE_EMULATOR_HOST"),
        ("control", "plain HTTP: GET / tells that it is up, POST /reset empties it"),
    ):
        parser.add_argument(
            f"--{name}-port", type=_port, default=0, help=f"{what}; 0, the default, is any free one"
        )
    parser.add_argument(
        "--data-dir", type=Path, help="keep the data there; without it, they end with the process"
    )
    parser.add_argument(
        "--indexes",
        type=Path,
        help="YAML like infra/indexes.yaml: its composite indexes are the only ones, as in "
        "production, and documents expire by its ttl; without it, any query is answered",
    )
    parser.add_argument(
        "--optimistic",
        action="store_true",
        help="Firestore transactions conflict at commit instead of waiting for locks",
    )
    return Choices(**vars(parser.parse_args()))


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return port


if __name__ == "__main__":
    sys.exit(main())
