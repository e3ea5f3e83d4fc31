"""Settings: what is taken, what is refused, and what is never shown."""

from importlib.metadata import version
from pathlib import Path

import pytest

from warehouse.errors import UserError
from warehouse.settings import PROJECT_ROOT, Settings, load_settings


def test_defaults_need_no_environment() -> None:
    settings = load_settings(_env_file=None)
    assert settings.database_url is None
    assert settings.extraction_interval == 20
    assert settings.requests_per_second == 2
    assert settings.api_url == "https://p2p.binance.com"
    assert (settings.fiats, settings.assets) == ((), ())
    assert settings.home == PROJECT_ROOT / ".p2p"
    assert settings.log_format == "text"


def test_the_home_folder_of_the_user_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert load_settings(_env_file=None).home == PROJECT_ROOT / ".p2p"


def test_codes_are_trimmed_upper_cased_and_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P2P_FIATS", " ves, ARS ,,VES")
    assert load_settings(_env_file=None).fiats == ("VES", "ARS")


def test_hot_pairs_are_trimmed_upper_cased_and_counted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("P2P_HOT", " ves/usdt, ARS / USDT,,VES/USDT")
    settings = load_settings(_env_file=None)
    assert settings.hot == (("VES", "USDT"), ("ARS", "USDT"))
    assert load_settings(_env_file=None, hot=settings.hot).hot == settings.hot


def test_a_host_beside_the_exchange_may_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P2P_RATES_URL", " Off ")
    monkeypatch.setenv("P2P_SPOT_URL", "https://mirror.example/")
    settings = load_settings(_env_file=None)
    assert (settings.rates_url, settings.spot_url) == (None, "https://mirror.example")


def test_who_asks_is_the_project_and_its_version_unless_another_name_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings(_env_file=None).user_agent == (
        f"p2p-market-warehouse/{version('p2p-market-warehouse')}"
    )
    monkeypatch.setenv("P2P_USER_AGENT", "desk 7 (desk@example.org)")
    assert load_settings(_env_file=None).user_agent == "desk 7 (desk@example.org)"


def test_an_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("EXTRACTION_INTERVAL", "")
    settings = load_settings(_env_file=None)
    assert (settings.database_url, settings.extraction_interval) == (None, 20)


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text("EXTRACTION_INTERVAL=5\nP2P_LOG_FORMAT=json\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("EXTRACTION_INTERVAL", "7")
    settings = load_settings(_env_file=file)
    assert (settings.extraction_interval, settings.log_format) == (7, "json")


def test_a_relative_home_counts_from_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P2P_HOME", "data/here")
    assert load_settings(_env_file=None).home == PROJECT_ROOT / "data/here"


def test_an_override_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P2P_FIATS", "VES")
    assert load_settings(_env_file=None, fiats="ars,brl").fiats == ("ARS", "BRL")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EXTRACTION_INTERVAL", "abc"),
        ("EXTRACTION_INTERVAL", "0"),
        ("EXTRACTION_INTERVAL", "inf"),
        ("P2P_REQUESTS_PER_SECOND", "-1"),
        ("P2P_FIATS", "V-S"),
        ("P2P_ASSETS", "A" * 21),
        ("P2P_HOT", "VES"),
        ("P2P_HOT", "VES/USDT,ARS/"),
        ("P2P_HOT", "VES/USDT/BUY"),
        ("P2P_API_URL", "p2p.binance.com"),
        ("P2P_API_URL", "https://"),
        ("P2P_API_URL", "http://[::1"),
        ("P2P_API_URL", "http://host:port"),
        ("P2P_USER_AGENT", "a\r\nX-Injected: b"),
        ("P2P_USER_AGENT", "a\nb"),
        ("P2P_USER_AGENT", "é"),
        ("P2P_USER_AGENT", "a" * 201),
        ("P2P_API_URL", "https://me:hidden@p2p.binance.com"),
        ("P2P_API_URL", "https://hidden@p2p.binance.com"),
        ("P2P_RATES_URL", "https://me:hid%40den@open.er-api.com"),
        ("P2P_SPOT_URL", "https://me:hidden@data-api.binance.vision"),
        ("P2P_ARCHIVE_URL", "s3://me:hidden@bucket/folder"),
        ("P2P_RATES_URL", "open.er-api.com"),
        ("P2P_SPOT_URL", "none"),
        ("P2P_LOG_FORMAT", "xml"),
        ("BINANCE_API_KEY", "two words"),
        ("DATABASE_URL", "mysql://me:hidden@host/database"),
        ("DATABASE_URL", "me:hidden@host/database"),
        ("DATABASE_URL", "postgresql://me:hidden@host:port/database"),
        ("DATABASE_URL", "postgresql://me:hid#den@host/database"),
        ("DATABASE_URL", "postgresql://me:hid/den@host/database"),
        ("REDIS_URL", "host:6379"),
        ("REDIS_URL", "http://:hidden@host"),
        ("REDIS_URL", "redis://:hidden@:6379"),
        ("REDIS_URL", "redis://:hidden@host:port"),
        ("REDIS_URL", "redis://:hid#den@host"),
        ("REDIS_URL", "redis://:hid/den@host"),
        ("REDIS_URL", "redis://:hidden@host/name"),
        ("REDIS_URL", "unix://"),
        ("REDIS_URL", "unix://run/redis.sock"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=variable) as refused:
        load_settings(_env_file=None)
    said = str(refused.value)
    assert "\n" not in said
    assert "must be" in said
    assert not any(secret in said for secret in ("hid", "den", "two words"))


@pytest.mark.parametrize(
    "value",
    [
        "redis://host",
        "redis://me:hid%2Fden@[::1]:6380/3",
        "rediss://:hidden@host/",
        "unix:///run/redis.sock?db=2",
        "unix://me:hidden@/run/redis.sock",
    ],
)
def test_a_redis_is_named_by_its_address(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("REDIS_URL", value)
    taken = load_settings(_env_file=None).redis_url
    assert taken is not None
    assert taken.get_secret_value() == value


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "postgresql://me:hidden@localhost/d"),
        ("BINANCE_API_KEY", "hidden"),
        ("REDIS_URL", "redis://:hidden@host"),
    ],
)
def test_a_secret_may_stand_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{value}\n")
    monkeypatch.setenv(f"{variable}_FILE", str(file))
    taken = getattr(load_settings(_env_file=None), variable.lower())
    assert taken.get_secret_value() == value
    assert (
        getattr(load_settings(_env_file=None, **{variable.lower(): None}), variable.lower()) is None
    )
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=f"{variable} and {variable}_FILE are both set: unset one"):
        load_settings(_env_file=None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "cannot be read (it is no text)"),
    ],
)
def test_a_file_without_a_secret_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, why: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    with pytest.raises(UserError) as refused:
        load_settings(_env_file=None)
    assert str(refused.value).startswith(f"DATABASE_URL_FILE={file} {why}")


def test_a_wrong_secret_in_a_file_is_refused_without_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("two words")
    monkeypatch.setenv("BINANCE_API_KEY_FILE", str(file))
    with pytest.raises(UserError, match="BINANCE_API_KEY is not understood") as refused:
        load_settings(_env_file=None)
    assert "two" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("http://mirror.example", True),
        ("https://mirror.example", False),
        ("http://127.0.0.1:8000", False),
        ("http://localhost", False),
        ("http://[::1]:8000", False),
    ],
)
def test_the_key_is_sent_in_clear_text_to_this_machine_only(
    monkeypatch: pytest.MonkeyPatch, address: str, is_refused: bool
) -> None:
    monkeypatch.setenv("P2P_API_URL", address)
    assert load_settings(_env_file=None).api_url == address
    monkeypatch.setenv("BINANCE_API_KEY", "hidden")
    if not is_refused:
        assert load_settings(_env_file=None).api_url == address
        return
    with pytest.raises(UserError) as refused:
        load_settings(_env_file=None)
    assert str(refused.value) == (
        f"BINANCE_API_KEY would travel in clear text to P2P_API_URL={address}: "
        "give an address with https://, or unset the key."
    )


def test_secrets_stay_out_of_the_repr() -> None:
    settings = Settings(
        database_url="postgresql://me:hidden@localhost/d",  # type: ignore[arg-type]
        binance_api_key="hidden",  # type: ignore[arg-type]
        redis_url="redis://:hidden@localhost",  # type: ignore[arg-type]
    )
    assert "hidden" not in repr(settings) + str(settings) + settings.model_dump_json()
