"""Settings: every wrong variable told together, no secret ever in the words."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from shared.errors import SettingsInvalidError
from shared.runtime.container import preload
from shared.runtime.settings import LOCAL_PROJECT, ROOT, Settings, settings


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


def told(patch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        patch.setenv(name, value)
    with pytest.raises(SettingsInvalidError) as caught:
        settings()
    return caught.value.detail


def test_nothing_has_to_be_set() -> None:
    chosen = settings()
    assert (chosen.project, chosen.prefix, chosen.location) == (LOCAL_PROJECT, "segue", "global")
    assert chosen.prompts == ROOT / "prompts"
    assert not chosen.is_local
    assert not chosen.uses_api_key
    assert not chosen.gate().admits("")


def test_variables_are_read_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "GOOGLE_CLOUD_PROJECT": "p",
        "PUBSUB_EMULATOR_HOST": "localhost:1",
        "SEGUE_PREFIX": "other",
        "SEGUE_RETENTION_DAYS": "1.5",
        "SEGUE_RELOAD": "true",
        "SEGUE_INGEST_TOKEN": "t0k",
        "SEGUE_HOOK_SECRETS": '{"shop": "one", "slack": ["new", "old"]}',
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    chosen = settings()
    assert (chosen.project, chosen.prefix, chosen.retention_days) == ("p", "other", 1.5)
    assert chosen.is_local
    assert chosen.reload
    gate = chosen.gate()
    assert gate.admits("Bearer t0k")
    assert gate.hook_secrets == {"shop": ("one",), "slack": ("new", "old")}


def test_tokens_prove_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().callers().tokens == {}
    settings.cache_clear()
    monkeypatch.setenv("SEGUE_CONSOLE_TOKENS", '{"ada": "one", "bob": ["new", "old"]}')
    assert settings().callers().tokens == {"ada": ("one",), "bob": ("new", "old")}


@pytest.mark.parametrize(
    "value",
    [
        '{"ada": ""}',
        '{"ada": ["s3cret", ""]}',
        '{"": "s3cret"}',
        '{"ada": "s3cret", "bob": "s3cret"}',
        '{"ada": {"a": "s3cret"}}',
        '["s3cret"]',
        "s3cret",
    ],
)
def test_tokens_that_prove_nothing_are_refused_untold(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    message = told(monkeypatch, SEGUE_CONSOLE_TOKENS=value)
    assert "SEGUE_CONSOLE_TOKENS: " in message
    assert "s3cret" not in message


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_CLOUD_PROJECT", "SEGUE_INGEST_TOKEN", "SEGUE_HOOK_SECRETS"):
        monkeypatch.setenv(name, "")
    assert settings().project == LOCAL_PROJECT
    assert settings().ingest_token is None


def test_all_problems_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    message = told(
        monkeypatch,
        SEGUE_PREFIX="Not A Prefix",
        SEGUE_MODEL="gpt",
        SEGUE_RETENTION_DAYS="-1",
        SEGUE_RELOAD="perhaps",
        SEGUE_LOG_LEVEL="loud",
        SEGUE_HOOK_SECRETS="{broken",
    )
    for name in ("PREFIX", "MODEL", "RETENTION_DAYS", "RELOAD", "LOG_LEVEL", "HOOK_SECRETS"):
        assert f"SEGUE_{name}: " in message


@pytest.mark.parametrize(
    "value",
    [
        "s3cret",
        "{s3cret",
        '{"shop": 5, "s": {"a": "s3cret"}}',
        '["s3cret"]',
        '"s3cret"',
        '{"shop": [["s3cret"]]}',
        '{"s3cret": {"shop": 1}}',
    ],
)
def test_a_secret_is_never_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SEGUE_HOOK_SECRETS", value)
    monkeypatch.setenv("SEGUE_PREFIX", "S3CRET")
    with pytest.raises(SettingsInvalidError) as caught:
        settings()
    assert "SEGUE_HOOK_SECRETS: " in caught.value.detail
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    logged = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in caught.value.detail.lower()
    assert "s3cret" not in logged.lower()


def test_pydantics_own_words_hold_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_HOOK_SECRETS", '{"shop": {"a": "s3cret"}}')
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("stage", ["ingest", "generate"])
def test_wrong_settings_fail_a_stage_at_its_start(
    monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setenv("SEGUE_MODEL", "gpt")
    with pytest.raises(SettingsInvalidError, match="SEGUE_MODEL"):
        preload(stage)


def test_settings_do_not_print_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGUE_INGEST_TOKEN", "SEGUE_SLACK_TOKEN", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("SEGUE_SMTP_URL", "smtp://u:s3cret@h")
    monkeypatch.setenv("SEGUE_HOOK_SECRETS", '{"shop": ["s3cret"]}')
    assert "s3cret" not in repr(settings())


@pytest.mark.parametrize(
    ("model", "key", "uses"),
    [
        (None, None, False),
        (None, "k", True),
        ("auto", "k", True),
        ("vertex", "k", False),
        ("gemini", None, True),
    ],
)
def test_the_api_key_is_used_where_it_is_asked_for_or_all_there_is(
    monkeypatch: pytest.MonkeyPatch, model: str | None, key: str | None, *, uses: bool
) -> None:
    for name, value in (("SEGUE_MODEL", model), ("GEMINI_API_KEY", key)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert settings().uses_api_key is uses


@pytest.mark.parametrize(
    ("endpoint", "traces_endpoint", "spans_to"),
    [
        (None, None, None),
        ("", "", None),
        ("http://localhost:4318", None, "http://localhost:4318/v1/traces"),
        ("https://collector.example/otlp/", None, "https://collector.example/otlp/v1/traces"),
        (None, "http://localhost:4318/mine", "http://localhost:4318/mine"),
        ("http://localhost:4318", "http://localhost:4319", "http://localhost:4319"),
    ],
)
def test_spans_go_where_the_standard_variables_say(
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str | None,
    traces_endpoint: str | None,
    spans_to: str | None,
) -> None:
    named = {"ENDPOINT": endpoint, "TRACES_ENDPOINT": traces_endpoint}
    for name, value in named.items():
        if value is not None:
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    assert settings().spans_to == spans_to


def test_a_collector_without_a_scheme_and_a_share_above_all_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = told(
        monkeypatch,
        OTEL_EXPORTER_OTLP_ENDPOINT="localhost:4318",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="grpc://localhost:4317",
        SEGUE_TRACE_SAMPLE="1.5",
    )
    for name in ("OTLP_ENDPOINT", "OTLP_TRACES_ENDPOINT", "TRACE_SAMPLE"):
        assert f"{name}: " in message


@pytest.mark.parametrize(
    ("environment", "bucket"),
    [
        ({}, "payloads-1"),
        ({"FIRESTORE_EMULATOR_HOST": "localhost:1"}, None),
        (
            {"FIRESTORE_EMULATOR_HOST": "localhost:1", "STORAGE_EMULATOR_HOST": "http://h:2"},
            "payloads-1",
        ),
    ],
)
def test_a_local_pipeline_writes_to_no_real_bucket(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], bucket: str | None
) -> None:
    for name, value in {"SEGUE_PAYLOAD_BUCKET": "payloads-1", **environment}.items():
        monkeypatch.setenv(name, value)
    assert settings().bucket_in_use == bucket


@pytest.mark.parametrize("value", ["gs://payloads", "payloads/today", "Payloads", "x"])
def test_a_bucket_is_named_by_its_name_alone(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "SEGUE_PAYLOAD_BUCKET" in told(monkeypatch, SEGUE_PAYLOAD_BUCKET=value)
