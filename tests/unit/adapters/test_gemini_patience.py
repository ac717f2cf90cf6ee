"""A busy model is waited out inside the call, as long as its time allows."""

from __future__ import annotations

import httpx2
import pytest

from shared.errors import ModelBusyError, SegueError
from tests.unit.adapters.gemini_api import Api, Made, ask, busy, candidate, ok


async def test_a_busy_model_is_waited_out_ever_longer(api: Api, make: Made) -> None:
    api.answers = [busy(429), busy(503), busy(429), busy(503), busy(429), busy(503)]
    await make().generate(ask(), seconds=200)
    assert api.slept == [1, 2, 4, 8, 16, 16]


async def test_waits_are_jittered(api: Api, make: Made) -> None:
    model = make()
    model._patience._jitter = lambda: 0.0
    api.answers = [busy(), busy()]
    await model.generate(ask(), seconds=200)
    assert api.slept == [0.5, 1]


async def test_waiting_stops_where_too_little_time_would_remain(api: Api, make: Made) -> None:
    api.answers = [busy() for _ in range(50)]
    with pytest.raises(ModelBusyError, match=r"429.*4 times"):
        await make().generate(ask(), seconds=12)
    assert api.slept == [1, 2, 4]


@pytest.mark.parametrize(
    "answer",
    [
        busy(headers={"Retry-After": "7"}),
        busy(details=[{"@type": "…/QuotaFailure"}, {"@type": "…/RetryInfo", "retryDelay": "7s"}]),
    ],
    ids=["header", "RetryInfo"],
)
async def test_the_wait_that_the_answer_asks_for_is_kept(
    api: Api, make: Made, answer: httpx2.Response
) -> None:
    api.answers = [answer]
    await make().generate(ask(), seconds=20)
    assert api.slept == [7]


async def test_a_longer_wait_than_there_is_time_is_not_begun(api: Api, make: Made) -> None:
    api.answers = [busy(headers={"Retry-After": "60"})]
    with pytest.raises(ModelBusyError):
        await make().generate(ask(), seconds=30)
    assert not api.slept


async def test_a_date_in_retry_after_is_ignored(api: Api, make: Made) -> None:
    api.answers = [busy(headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})]
    await make().generate(ask(), seconds=30)
    assert api.slept == [1]


async def test_each_try_may_take_what_remains(api: Api, make: Made) -> None:
    api.answers = [busy(headers={"Retry-After": "5"})]
    await make().generate(ask(), seconds=20)
    limits = [request.extensions["timeout"]["read"] for request in api.requests]
    assert limits == [20, 15]


async def test_what_was_waited_out_is_told_with_the_answer(api: Api, make: Made) -> None:
    api.answers = [busy(429), busy(503), busy(429)]
    reply = await make().generate(ask(), seconds=200)
    assert reply.refusals == 2  # 503 says nothing of a quota


@pytest.mark.parametrize("last", [httpx2.ConnectError("gone"), busy(400), ok(candidate(""))])
async def test_what_was_waited_out_is_told_with_a_failure(
    api: Api, make: Made, last: httpx2.Response | Exception
) -> None:
    api.answers = [busy(429), last]
    with pytest.raises(SegueError) as failed:
        await make().generate(ask(), seconds=200)
    assert failed.value.refusals == 1
