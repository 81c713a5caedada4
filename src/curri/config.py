"""Settings: flags before environment, before `.env`, before `curri.toml`, before defaults; read once, then frozen."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from curri.errors import ConfigError

CONFIG_FILE = "curri.toml"


class Settings(BaseSettings):
    """Everything that can be set. Each field is `CURRI_<FIELD>` in the environment and `<field>` in curri.toml."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="CURRI_", env_ignore_empty=True, populate_by_name=True
    )

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("CURRI_DATABASE_URL", "DATABASE_URL"),
        description="PostgreSQL 14 or newer: postgresql://USER:PASSWORD@HOST:5432/NAME. Unset: the embedded server",
    )
    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("curri", appauthor=False)),
        description="Folder for local state: the embedded server",
    )
    ffmpeg: Path | None = Field(
        default=None, description="The ffmpeg to use. Unset: the one on PATH, else that of the extra `embedded`"
    )
    managed_by: str = Field(default="", description="Who looks after the videos; `managedBy` on Stream")
    program: str = Field(default="", description="The programme the courses belong to; `program` on Stream")


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as `curri config` shows it."""

    name: str
    variable: str
    value: str  # masked if it is a secret
    origin: str  # flag, environment, .env, the path of a curri.toml, or default
    description: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where each came from."""

    settings: Settings
    origins: Mapping[str, str]

    def shown(self) -> list[Shown]:
        """Return every setting with its origin, secrets masked."""
        return [
            Shown(
                name, _variable(name), _show(getattr(self.settings, name)), self.origins[name], field.description or ""
            )
            for name, field in Settings.model_fields.items()
        ]


def load(
    flags: Mapping[str, Any], *, file: Path | None, root: Path | None = None, env_file: Collection[str] = ()
) -> Loaded:
    """Read all sources. `file` is what `--config` names; `root` the curriculum folder, whose curri.toml counts.

    Without either, a curri.toml in the working folder counts. `env_file` names the variables of the environment that
    came from `.env`. Raises ConfigError, naming source and setting.
    """
    toml = _config_file(file, root)
    layers: list[tuple[str, Mapping[str, Any]]] = [
        ("flag", {name: value for name, value in flags.items() if value is not None}),
        ("environment", _by_field(EnvSettingsSource(Settings)())),
        (str(toml), _read_toml(toml) if toml else {}),
    ]
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for origin, layer in layers:
        for name, value in layer.items():
            if name in Settings.model_fields and name not in values:
                values[name] = value
                from_file = origin == "environment" and _variable_set(name) in env_file
                origins[name] = ".env" if from_file else origin
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        raise ConfigError(
            f"{name} is not usable: {first['msg']}", where=f"{origins.get(name, 'settings')} ({_variable(name)})"
        ) from None  # the cause would repeat the value, which may be a secret
    home = settings.home.expanduser()
    return Loaded(settings.model_copy(update={"home": Path(os.path.abspath(home))}), origins)  # noqa: PTH100


def _config_file(file: Path | None, root: Path | None) -> Path | None:
    if file is not None:
        if not file.is_file():
            raise ConfigError("the configuration file does not exist", where=str(file), hint="check --config")
        return file
    for folder in (root, Path()):
        if folder is not None and (folder / CONFIG_FILE).is_file():
            return folder / CONFIG_FILE
    return None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the configuration file cannot be read: {error}", where=str(path)) from error
    for name in values:
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise ConfigError(
                f"unknown setting {name!r}", where=str(path), hint=f"{meant}`curri config` lists all settings"
            )
    return values


def _by_field(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer keyed by field names: sources key aliased fields by whichever alias they found."""
    names = {_variable(name).lower(): name for name in Settings.model_fields} | {"database_url": "database_url"}
    return {names.get(key.lower(), key.lower()): value for key, value in layer.items()}


def _variable(name: str) -> str:
    return f"CURRI_{name.upper()}"


def _variable_set(name: str) -> str:
    """Return the variable that gave a setting: its own, or the alias that others use too."""
    own = _variable(name)
    return own if os.environ.get(own) else name.upper()


def _show(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    return "" if value is None else str(value)
