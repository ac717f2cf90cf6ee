"""Builds the reader of a deployment's log, for the command line; no stage reads logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.ports import LogReader


def build_log_reader(project: str, prefix: str) -> LogReader:
    """For the running event loop. Raises CloudLoginError where there is no login.

    Imported here, because the client takes half a second and few commands need it.
    """
    from shared.adapters.cloud_logs import CloudLogs, build_client  # noqa: PLC0415
    from shared.adapters.log_queries import Deployment  # noqa: PLC0415

    return CloudLogs(build_client(), Deployment(project, prefix))
