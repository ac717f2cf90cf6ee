"""Every environment variable Segue reads, typed, checked once, all problems told together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.domain.webhooks import Callers, Gate
from shared.errors import SettingsInvalidError

ROOT = Path(__file__).resolve().parents[2]  # of the repository or of the bundle
LOCAL_PROJECT = "segue-local"
_HTTP = r"^https?://[^/]"


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    """A text, or a JSON list of texts."""
    is_list = isinstance(value, str) and value.lstrip().startswith("[")
    return json.loads(value) if is_list else _several(value)


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _proving(value: dict[str, tuple[SecretStr, ...]]) -> dict[str, tuple[SecretStr, ...]]:
    """Each token proves one name, and none is proven by nothing."""
    tokens = [token.get_secret_value() for several in value.values() for token in several]
    if not all(tokens) or not all(value):
        raise ValueError("a name or a token is empty")
    if len(set(tokens)) < len(tokens):
        raise ValueError("a token is given twice; it would not tell who calls")
    return value


Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_several)]


class Settings(BaseSettings):
    """Names are those of the environment; `SEGUE_*` are ours, the others Google's and OTLP's."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    project: str = Field(LOCAL_PROJECT, validation_alias="GOOGLE_CLOUD_PROJECT")
    location: str = Field("global", validation_alias="GOOGLE_CLOUD_LOCATION")
    pubsub_emulator: str | None = Field(None, validation_alias="PUBSUB_EMULATOR_HOST")
    firestore_emulator: str | None = Field(None, validation_alias="FIRESTORE_EMULATOR_HOST")
    storage_emulator: str | None = Field(None, validation_alias="STORAGE_EMULATOR_HOST")
    vertex_base_url: str | None = Field(None, validation_alias="GOOGLE_VERTEX_BASE_URL")
    gemini_api_key: SecretStr | None = Field(None, validation_alias="GEMINI_API_KEY")

    prefix: str = Field("segue", pattern=r"^[a-z][a-z0-9-]{0,30}$", validation_alias="SEGUE_PREFIX")
    database: str = Field("(default)", validation_alias="SEGUE_DATABASE")
    model: Literal["auto", "vertex", "gemini"] = Field("auto", validation_alias="SEGUE_MODEL")
    payload_bucket: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$",  # a name, not a gs:// address
        validation_alias="SEGUE_PAYLOAD_BUCKET",
    )
    retention_days: float = Field(30, gt=0, le=3650, validation_alias="SEGUE_RETENTION_DAYS")
    prompts: Path = Field(ROOT / "prompts", validation_alias="SEGUE_PROMPTS")
    prompts_refresh: float = Field(5, ge=0, le=3600, validation_alias="SEGUE_PROMPTS_REFRESH")
    langfuse_host: str = Field(
        "https://cloud.langfuse.com", pattern=_HTTP, validation_alias="LANGFUSE_HOST"
    )
    langfuse_public_key: str | None = Field(None, validation_alias="LANGFUSE_PUBLIC_KEY")
    langfuse_secret_key: SecretStr | None = Field(None, validation_alias="LANGFUSE_SECRET_KEY")
    prompt_registry: Literal["firestore", "langfuse", "none"] = Field(
        "firestore", validation_alias="SEGUE_PROMPT_REGISTRY"
    )
    reload: bool = Field(False, validation_alias="SEGUE_RELOAD")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias="SEGUE_LOG_LEVEL"
    )

    ingest_token: SecretStr | None = Field(None, validation_alias="SEGUE_INGEST_TOKEN")
    ingest_open: bool = Field(False, validation_alias="SEGUE_INGEST_OPEN")
    hook_secrets: Annotated[dict[str, Secrets], NoDecode, BeforeValidator(_decoded)] = Field(
        default_factory=dict, validation_alias="SEGUE_HOOK_SECRETS"
    )
    link_secrets: Annotated[
        tuple[Annotated[SecretStr, Field(min_length=16)], ...], NoDecode, BeforeValidator(_listed)
    ] = Field((), validation_alias="SEGUE_LINK_SECRET")
    ingest_url: str | None = Field(None, pattern=_HTTP, validation_alias="SEGUE_INGEST_URL")
    console_tokens: Annotated[
        dict[str, Secrets], NoDecode, BeforeValidator(_decoded), AfterValidator(_proving)
    ] = Field(default_factory=dict, validation_alias="SEGUE_CONSOLE_TOKENS")

    slack_token: SecretStr | None = Field(None, validation_alias="SEGUE_SLACK_TOKEN")
    slack_base_url: str = Field("https://slack.com/api", validation_alias="SEGUE_SLACK_BASE_URL")
    smtp_url: SecretStr | None = Field(None, validation_alias="SEGUE_SMTP_URL")
    email_from: str | None = Field(None, validation_alias="SEGUE_EMAIL_FROM")

    otlp_endpoint: str | None = Field(
        None, pattern=_HTTP, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    otlp_traces_endpoint: str | None = Field(
        None, pattern=_HTTP, validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    )
    trace_sample: float = Field(1, ge=0, le=1, validation_alias="SEGUE_TRACE_SAMPLE")
    service: str | None = Field(None, validation_alias="K_SERVICE")
    revision: str | None = Field(None, validation_alias="K_REVISION")

    @field_validator("prompt_registry")
    @classmethod
    def _has_keys(cls, value: str, info: ValidationInfo) -> str:
        keys = (info.data.get("langfuse_public_key"), info.data.get("langfuse_secret_key"))
        if value == "langfuse" and None in keys:
            raise ValueError("langfuse needs LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY")
        return value

    @property
    def is_local(self) -> bool:
        """Whether the pipeline runs against emulators."""
        return self.pubsub_emulator is not None or self.firestore_emulator is not None

    @property
    def bucket_in_use(self) -> str | None:
        """Where large payloads go; a local pipeline writes to no real bucket."""
        if self.is_local and self.storage_emulator is None:
            return None
        return self.payload_bucket

    @property
    def uses_api_key(self) -> bool:
        """Gemini API rather than Vertex: asked for, or not said otherwise and a key is there."""
        if self.model == "auto":
            return self.gemini_api_key is not None
        return self.model == "gemini"

    @property
    def spans_to(self) -> str | None:
        """Where spans are sent, path and all; None where no collector is set.

        Source: OpenTelemetry specification, "OTLP exporter", endpoint URLs for OTLP/HTTP.
        """
        if self.otlp_traces_endpoint is not None or self.otlp_endpoint is None:
            return self.otlp_traces_endpoint
        return f"{self.otlp_endpoint.removesuffix('/')}/v1/traces"

    def gate(self) -> Gate:
        """Who may send events over HTTP."""
        return Gate(
            token=self.ingest_token.get_secret_value() if self.ingest_token else None,
            open=self.ingest_open,
            hook_secrets=_plain(self.hook_secrets),
            link_secrets=tuple(secret.get_secret_value() for secret in self.link_secrets),
        )

    def callers(self) -> Callers:
        """Who may use the console."""
        return Callers(_plain(self.console_tokens))


def read_settings() -> Settings:
    """The settings as the environment is now.

    Raises SettingsInvalidError naming every variable that is wrong, alone: what pydantic raised
    holds the values, and a traceback would show it.
    """
    try:
        return Settings()
    except ValidationError as error:
        told = _told(error)
    raise SettingsInvalidError(told) from None  # out here, where pydantic's error is no context


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once. Raises SettingsInvalidError."""
    return read_settings()


def _plain(secrets: Mapping[str, tuple[SecretStr, ...]]) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(secret.get_secret_value() for secret in several)
        for name, several in secrets.items()
    }


def _told(error: ValidationError) -> str:
    """Names and reasons, never the values: some of them are secrets.

    Of a place only the variable is named: what is inside of it may be a secret in the wrong place.
    """
    problems = error.errors(include_input=False, include_context=False, include_url=False)
    return "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in problems)
