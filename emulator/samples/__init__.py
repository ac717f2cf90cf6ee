"""Sample events of the shipped flows: the data of one, by the name of its flow."""

from __future__ import annotations

from pathlib import Path

DOCUMENTS = "documents"  # the flow whose sample is a document
EVENTS = {DOCUMENTS: "document.changed"}  # types, where a flow takes several


def sample_for(flow: str) -> Path | None:
    """The file with the data; None where the flow has none of its own."""
    path = Path(__file__).with_name(f"{flow}.json")
    return path if path.is_file() else None
