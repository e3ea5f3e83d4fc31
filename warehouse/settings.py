"""Every setting of the project, read in this one place from the environment and `.env`."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from warehouse import masking
from warehouse.connection import Warehouse, is_local
from warehouse.errors import BadSetting, UserError

PROJECT_ROOT = Path(__file__).resolve().parent.parent

_PROJECT = "p2p-market-warehouse"
_CODE = re.compile(r"[A-Z0-9]{1,20}")

# What a refusal says: the variable as the user wrote it, and what it may be.
_RULES = {
    "database_url": ("DATABASE_URL", "postgresql://user:password@host:port/database"),
    "binance_api_key": ("BINANCE_API_KEY", "a line of printable text without spaces"),
    "extraction_interval": ("EXTRACTION_INTERVAL", "a number of minutes above 0, such as 20"),
    "api_url": ("P2P_API_URL", "an address such as https://p2p.binance.com, without a login"),
    "rates_url": (
        "P2P_RATES_URL",
        "an address such as https://open.er-api.com, without a login, or off",
    ),
    "spot_url": (
        "P2P_SPOT_URL",
        "an address such as https://data-api.binance.vision, without a login, or off",
    ),
    "user_agent": (
        "P2P_USER_AGENT",
        "a line of printable ASCII text, such as a name and a version",
    ),
    "fiats": ("P2P_FIATS", "codes of letters and digits with commas between, such as VES,ARS"),
    "assets": ("P2P_ASSETS", "codes of letters and digits with commas between, such as USDT,BTC"),
    "hot": ("P2P_HOT", "pairs of fiat and asset with commas between, such as VES/USDT,ARS/USDT"),
    "requests_per_second": ("P2P_REQUESTS_PER_SECOND", "a number above 0, such as 2"),
    "role_prefix": ("P2P_ROLE_PREFIX", "lower-case letters, digits and _, such as p2p_"),
    "redis_url": ("REDIS_URL", "redis://:password@host:port/0, rediss://... or unix:///path"),
    "home": ("P2P_HOME", "the path of a folder"),
    "log_format": ("P2P_LOG_FORMAT", "text or json"),
    "raw_retention_days": ("P2P_RAW_RETENTION_DAYS", "a number of days such as 30, or 0 for ever"),
    "archive_url": ("P2P_ARCHIVE_URL", "the path of a folder, or a bucket's s3://name/folder"),
    "metrics_host": ("P2P_METRICS_HOST", "an address of this machine, such as 127.0.0.1"),
    "metrics_port": ("P2P_METRICS_PORT", "a port from 1 to 65535, such as 9108"),
}
_SECRETS = ("database_url", "binance_api_key", "redis_url")
_RULES |= {f"{name}_file": (f"{_RULES[name][0]}_FILE", "the path of a file") for name in _SECRETS}


class Settings(BaseSettings):
    """The settings of one process, checked and frozen; the environment wins over `.env`.

    Fields carry the prefix `P2P_` in the environment but for the four that other tools know
    by name, and the files that hold three of those: a secret in a file stays out of the
    environment, which children inherit and `docker inspect` shows. The prefix is not for looks:
    fields can also be given by name, and pydantic then looks for that name in the environment
    too, where a bare `home` would find `HOME`.
    """

    model_config = SettingsConfigDict(
        env_prefix="P2P_",
        env_file=PROJECT_ROOT / ".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        str_strip_whitespace=True,
    )

    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    database_url_file: Path | None = Field(default=None, validation_alias="DATABASE_URL_FILE")
    binance_api_key: SecretStr | None = Field(default=None, validation_alias="BINANCE_API_KEY")
    binance_api_key_file: Path | None = Field(default=None, validation_alias="BINANCE_API_KEY_FILE")
    extraction_interval: float = Field(
        default=20, gt=0, allow_inf_nan=False, validation_alias="EXTRACTION_INTERVAL"
    )
    api_url: str = "https://p2p.binance.com"
    rates_url: str | None = "https://open.er-api.com"
    spot_url: str | None = "https://data-api.binance.vision"
    user_agent: str = Field(
        default_factory=lambda: f"{_PROJECT}/{project_version()}", pattern=r"^[ -~]{1,200}$"
    )
    fiats: Annotated[tuple[str, ...], NoDecode] = ()
    assets: Annotated[tuple[str, ...], NoDecode] = ()
    hot: Annotated[tuple[tuple[str, str], ...], NoDecode] = ()
    requests_per_second: float = Field(default=2, gt=0, allow_inf_nan=False)
    redis_url: SecretStr | None = Field(default=None, validation_alias="REDIS_URL")
    redis_url_file: Path | None = Field(default=None, validation_alias="REDIS_URL_FILE")
    role_prefix: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,30})?$")
    home: Path = PROJECT_ROOT / ".p2p"
    log_format: Literal["text", "json"] = "text"
    raw_retention_days: int = Field(default=30, ge=0, le=100_000)
    archive_url: str | None = None
    metrics_host: str = Field(default="127.0.0.1", pattern=r"^[0-9A-Za-z.:-]+$")
    metrics_port: int = Field(default=9108, ge=1, le=65_535)

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Read the secrets that are given as files.

        Raises:
            UserError: the file cannot be read or is empty, or the secret is given twice.
        """
        for name in _SECRETS:
            variable = _RULES[name][0]
            file = given.get(f"{name}_file") or given.get(f"{variable}_FILE")
            if file is None:
                continue
            if name in given or variable in given:
                raise UserError(f"{variable} and {variable}_FILE are both set: unset one of them.")
            given[name] = secret_in(f"{variable}_FILE", Path(file))
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Have what is secret hidden from now on, and refuse what would give it away.

        Raises:
            UserError: the key would travel in clear text.
        """
        masking.learn(self._secrets())
        parts = urlsplit(self.api_url)
        if self.binance_api_key and parts.scheme == "http" and not is_local(parts.hostname or ""):
            raise UserError(
                f"BINANCE_API_KEY would travel in clear text to P2P_API_URL={self.api_url}: "
                "give an address with https://, or unset the key."
            )
        return self

    def _secrets(self) -> Iterator[str]:
        if self.redis_url is not None:
            yield masking.password_in(self.redis_url.get_secret_value())
        if self.database_url is not None:
            warehouse = Warehouse.from_url(self.database_url.get_secret_value())
            yield warehouse.password
            yield warehouse.options.get("sslpassword", "")
        if self.binance_api_key is not None:
            yield self.binance_api_key.get_secret_value()

    @field_validator("database_url")
    @classmethod
    def _names_a_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse early what could never be connected to."""
        if value is not None:
            Warehouse.from_url(value.get_secret_value())
        return value

    @field_validator("binance_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse a key with spaces or line ends in it: it travels as an HTTP header."""
        if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError
        return value

    @field_validator("redis_url")
    @classmethod
    def _names_a_redis(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse what the client would read as another place than was meant."""
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme == "unix":
                is_whole = len(parts.path) > 1 and not parts.netloc.rpartition("@")[2]
            else:
                is_whole = bool(parts.hostname and parts.port != 0)  # the port is checked by asking
                is_whole &= re.fullmatch(r"/?\d*", parts.path) is not None
            if parts.scheme not in ("redis", "rediss", "unix") or not is_whole or parts.fragment:
                raise ValueError
        return value

    @field_validator("rates_url", "spot_url", mode="before")
    @classmethod
    def _may_be_off(cls, value: object) -> object:
        """Take `off` for a host that is not to be asked at all."""
        return None if isinstance(value, str) and value.strip().lower() == "off" else value

    @field_validator("api_url", "rates_url", "spot_url")
    @classmethod
    def _is_a_base(cls, value: str | None) -> str | None:
        """Keep the address without a slash at its end, as endpoints bring their own.

        None of these hosts asks who we are, and what an address holds is shown and stored.
        """
        if value is None:
            return None
        parts = urlsplit(value)
        is_whole = parts.hostname and parts.port != 0  # asking for the port checks it
        if parts.scheme not in ("http", "https") or not is_whole or parts.query:
            raise ValueError
        if "@" in parts.netloc:
            raise ValueError
        return value.rstrip("/")

    @field_validator("fiats", "assets", mode="before")
    @classmethod
    def _are_codes(cls, value: object) -> object:
        """Split and upper-case a list of codes; one code twice counts once."""
        codes = value.split(",") if isinstance(value, str) else value
        if not isinstance(codes, list | tuple):
            raise ValueError
        known = dict.fromkeys(str(code).strip().upper() for code in codes)
        known.pop("", None)
        if not all(_CODE.fullmatch(code) for code in known):
            raise ValueError
        return tuple(known)

    @field_validator("hot", mode="before")
    @classmethod
    def _are_pairs(cls, value: object) -> object:
        """Split and upper-case a list of pairs (fiat, asset); one pair twice counts once."""
        given = value.split(",") if isinstance(value, str) else value
        if not isinstance(given, list | tuple):
            raise ValueError
        known = dict[tuple[str, str], None]()
        for pair in given:
            text = pair if isinstance(pair, str) else "/".join(map(str, pair))
            fiat, _, asset = (part.strip().upper() for part in text.partition("/"))
            if text.strip():
                known[fiat, asset] = None
        if not all(_CODE.fullmatch(code) for pair in known for code in pair):
            raise ValueError
        return tuple(known)

    @field_validator("archive_url")
    @classmethod
    def _is_a_place(cls, value: str | None) -> str | None:
        """Count a folder from the project root, as the home; refuse an address with a login."""
        if value is None:
            return None
        parts = urlsplit(value)
        if not re.fullmatch(r"[a-z][a-z0-9+]+", parts.scheme or "file") or "@" in parts.netloc:
            raise ValueError
        if parts.query or parts.fragment or "\0" in value:
            raise ValueError
        if parts.scheme in ("", "file"):
            return str(PROJECT_ROOT / Path(parts.path if parts.scheme else value).expanduser())
        return value.rstrip("/")

    @field_validator("log_format", mode="before")
    @classmethod
    def _ignores_case(cls, value: object) -> object:
        """Take `JSON` for `json`."""
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        """Count a relative path from the project root, so that `.env` means one place only."""
        if "\0" in str(value):
            raise ValueError
        return PROJECT_ROOT / value.expanduser()


def project_version() -> str:
    """The version of this project, as it is installed."""
    return version(_PROJECT)


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; `overrides` are fields by name and win over everything.

    Raises:
        UserError: a value is wrong; the line names the variable and what it may be.
    """
    for name in _SECRETS:
        if name in overrides:
            overrides.setdefault(f"{name}_file", None)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise _refusal(error.errors()[0]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{PROJECT_ROOT / '.env'} cannot be read: {error}") from None


def secret_in(variable: str, file: Path) -> str:
    """The secret that a file holds; the line end that most editors write is none of it."""
    try:
        secret = file.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(
            f"{variable}={file} cannot be read ({why}): fix that, or name another file."
        ) from None
    if not secret:
        raise UserError(f"{variable}={file} is empty: write the secret into it, or unset it.")
    return secret


def _refusal(error: ErrorDetails) -> BadSetting:
    """What to tell about one wrong value; a secret's value is never repeated."""
    place = str(error["loc"][0])
    field = next(name for name, rule in _RULES.items() if place in (name, rule[0]))
    variable, rule = _RULES[field]
    is_secret = field in _SECRETS or "@" in str(error["input"])
    given = "" if is_secret else str(error["input"])[:60]
    return BadSetting(variable, given, f" is not understood: it must be {rule}.")
