"""No two that are about to listen are told the same port."""

from __future__ import annotations

from emulator.ports import free_port


def test_a_port_is_named_once():
    named = [free_port() for _ in range(500)]
    assert len(set(named)) == len(named)
