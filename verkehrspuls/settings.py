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

from verkehrspuls.access.permissions import OPERATOR, ROLES
from verkehrspuls.errors import BadFile, UnknownSetting, UsageError
from verkehrspuls.files import parse_toml, read_text
from verkehrspuls.model import LINK
from verkehrspuls.wording import choice, nearest

PREFIX = "VERKEHRSPULS_"
CONFIG = f"{PREFIX}CONFIG"
#: hosts that are this machine, which nobody else listens to
LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: where tests and benchmarks find real data; not a setting of the program
DATA = f"{PREFIX}DATA"


class Section(BaseModel):
    """A group of settings: the text below each field says what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _separate(value: object) -> object:
    """Split words at commas, as in the environment; keep an array."""
    if not isinstance(value, str):
        return value
    return tuple(word for part in value.split(",") if (word := part.strip()))


Keys = Annotated[tuple[str, ...], BeforeValidator(_separate)]
#: `https://…`, `http://…` or `mailto:…`; a page links there.
Link = Annotated[str, StringConstraints(pattern=rf"^{LINK}$", max_length=500)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_separate)]
Count = Annotated[int, Field(ge=1)]
NoneOrMore = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]


class Database(Section):
    """PostgreSQL, 15 or newer, with or without TimescaleDB."""

    url: SecretStr = SecretStr("")
    """libpq URL of the database; if empty, `up` starts the embedded PostgreSQL"""
    web_url: SecretStr = SecretStr("")
    """the same for `api run`, which logs in as `vp_web`; if empty, `url`. It refuses to
    log in as the owner of the database"""
    ingest_url: SecretStr = SecretStr("")
    """the same for `ingest run`, which logs in as `vp_ingest`"""
    analytics_url: SecretStr = SecretStr("")
    """the same for `analytics run`, which logs in as `vp_analytics`"""

    def login(self, part: str) -> str:
        """Return with which URL a part logs in: its own, or `url`."""
        own = {
            "api": self.web_url,
            "ingest": self.ingest_url,
            "analytics": self.analytics_url,
        }
        return (own.get(part) or self.url).get_secret_value()


class Broker(Section):
    """The MQTT broker."""

    url: SecretStr = SecretStr("")
    """mqtt:// or mqtts://user:password@host:port; if empty, `up` starts the embedded
    broker"""
    publish_url: SecretStr = SecretStr("")
    """URL for `simulate` and `replay`, if they have their own credential at the broker;
    if empty, `broker.url`"""
    ca_file: Path | None = None
    """PEM file of the certificate authority that signed the broker's certificate, for
    mqtts://"""
    address: Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]+(:[0-9]{1,5})?)?$")] = ""
    """host, or host:port, at which sensors reach the broker, for the configuration of
    devices; if empty, that of `broker.url`"""
    admin_url: SecretStr = SecretStr("")
    """how `credential run` administrates the broker, so that each sensor has an own
    credential: mosquitto+mqtts://user:password@host:port, with a login that may use the
    control topic of the plugin for dynamic security"""
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 60
    """seconds between pings to the broker when nothing else is sent"""

    @property
    def known_url(self) -> str:
        """Return the broker's URL; the web server may know that for publishing only."""
        return self.url.get_secret_value() or self.publish_url.get_secret_value()


class Ingest(Section):
    """The ingest worker."""

    slot: Annotated[int, Field(ge=0, le=99)] = 0
    """number of this worker; the broker keeps messages for each slot, so two workers
    must not share one"""
    share: str = ""
    """name of a group of workers that share all messages, if the broker supports shared
    subscriptions; if empty, this worker reads all"""
    municipalities: Keys = ()
    """keys of the municipalities that this worker reads, separated by commas; if empty,
    all"""
    unregistered: bool = True
    """also receive messages of unknown devices that publish beside registered foreign
    topics; they are rejected, and `doctor` lists them"""
    bulk: bool = False
    """read and acknowledge messages in bulk, which is faster"""
    batch_readings: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """maximum number of readings in a batch, which is written in one transaction"""
    linger_ms: Annotated[int, Field(ge=0, le=10_000)] = 30
    """milliseconds to collect a batch; a batch with many messages gets up to five times
    as long"""
    queue_messages: Count = 40_000
    """number of unwritten messages above which the worker stops reading from the
    broker"""
    queue_mb: Count = 64
    """size of unwritten messages in MB above which the worker stops reading from the
    broker"""
    future_h: Annotated[int, Field(ge=0)] = 48
    """hours; a reading further in the future is rejected"""
    late_h: Count = 24
    """hours; an older reading is stored, and counted as late"""
    oldest_year: Annotated[int, Field(ge=1970)] = 2000
    """a reading from before this year is rejected"""
    message_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    """maximum size of a message in bytes; a larger one is rejected"""
    registry_s: Positive = 30
    """seconds after which the worker reads the registered sensors again"""
    reject_bytes: Annotated[int, Field(ge=0)] = 65_536
    """bytes kept of a rejected payload from an unknown sender; those of registered
    sensors are kept whole, but of a larger array only the unusable parts"""
    keep_rejects: Count = 1_000_000
    """maximum number of rejected messages kept; beyond it they are only counted, and
    `doctor` warns"""
    keep_flood_per_minute: Count = 6000
    """maximum number of rejected messages kept in a minute: of each sensor beyond its
    rate, and of all unknown senders together"""
    sensor_messages_per_minute: Count = 6000
    """messages a minute that a sensor may send permanently; those beyond are
    rejected"""
    sensor_burst: Count = 100_000
    """messages that a sensor may send at once, such as after an outage"""
    database_s: Annotated[float, Field(ge=1)] = 60
    """seconds that a statement may take; then it is cancelled and tried again"""
    drain_s: Positive = 4
    """seconds to write what has been read, after SIGTERM"""


class Analytics(Section):
    """The analytics worker."""

    poll_s: Positive = 1.0
    """seconds between two looks for stale buckets"""
    claim_hours: Count = 20_000
    """maximum number of stale buckets (hours of a channel) computed in one
    transaction"""
    baseline_weeks: Annotated[int, Field(ge=2, le=52)] = 8
    """past weeks from which usual values are computed"""
    silence_s: Positive = 60
    """seconds between two checks for channels without readings"""
    forecast_s: Positive = 300
    """seconds between two forecasts"""
    impute_s: Positive = 900
    """seconds between two imputations of gaps"""
    estimate_weeks: Annotated[int, Field(ge=8, le=52)] = 12
    """past weeks that forecasts and imputation learn from"""
    keep_forecast_days: Count = 35
    """days that forecasts are kept, for comparison with what was counted"""
    valid_bin: Share = 0.75
    """share of an hour that must be observed for the hour to be valid"""
    gap_volumes: Numbers = (100, 500, 1500)
    """usual vehicles per hour, in rising order: each starts a class of traffic with its
    own acceptable gap"""
    gap_minutes: Numbers = (20, 15, 10, 5)
    """acceptable gap in minutes of a valid hour, for each class: below the first of
    `gap_volumes`, then from each of them on (Toronto)"""
    valid_day: Share = 0.875
    """share of a day's hours that must be valid for the day to be valid"""
    mean_days: Count = 2
    """minimum number of valid days for a mean (DAVe)"""
    mean_days_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """minimum share of the calendar days that must be valid for a mean (DAVe)"""
    keep_raw_days: Annotated[int | None, Field(ge=60)] = None
    """days that readings are kept; if not set, forever"""
    keep_rejected_days: Count = 90
    """days that rejected messages are kept"""
    keep_audit_days: Annotated[int, Field(ge=30)] = 1095
    """days that entries of the audit log are kept; the default is three years"""
    compress_after_days: Annotated[int, Field(ge=7)] = 30
    """age in days from which tables are compressed; TimescaleDB Community edition
    only"""
    flow_parameters: Path | None = None
    """TOML file with car units and level-of-service profiles; if not set, the built-in
    one"""
    car_units: str = "munich"
    """key of the car units to use, in `flow_parameters`"""
    service_profile: str = "hbs-like"
    """key of the level-of-service profile to use, in `flow_parameters`"""

    @model_validator(mode="after")
    def _gaps_match(self) -> Self:
        volumes = self.gap_volumes
        if list(volumes) != sorted(volumes):
            raise ValueError("gap_volumes must rise")
        if len(self.gap_minutes) != len(volumes) + 1:
            raise ValueError("gap_minutes must have one number more than gap_volumes")
        return self


class Acceptance(Section):
    """When a sensor keeps its rates in a manual count; agree them in the contract."""

    sum_pct: Positive = 5.0
    """maximum deviation of a direction's sum, in % of what was counted by hand"""
    class_pct: Positive = 15.0
    """maximum deviation of the sum of a vehicle class, in %"""
    quarter_hour_pct: Positive = 10.0
    """maximum sum of the deviations by quarter-hour, whatever their sign, in %"""
    quarter_hours: Annotated[int, Field(ge=2)] = 4
    """minimum number of quarter-hours that both counted completely; hours, of sensors
    whose intervals do not divide a quarter-hour"""
    vehicles: Count = 100
    """minimum number of vehicles of a direction; with fewer, its sum is not judged"""
    class_vehicles: Count = 30
    """minimum number of vehicles of a class; with fewer, the class is not judged"""


class Health(Section):
    """Channel health: when a channel's day or hour fails a test.

    The sources are in docs/reference/health.md.
    """

    every_s: Positive = 600
    """seconds between two judgements of the current day"""
    enough: Share = 0.6
    """`insufficient-data`: minimum share of expected time that readings cover (PeMS)"""
    overlap: NotNegative = 0.01
    """`readings-overlap`: maximum share of the counted time that several readings
    cover"""
    outage_h: Positive = 4
    """`gap`: maximum gap of a day in hours (Toronto)"""
    zero_usual: NotNegative = 10
    """`zero-count`: zeros are judged where at least this number of vehicles is usual in
    the day or run"""
    zero_occupancy: Share = 0.59
    """`card-off`: maximum share of intervals with an occupancy of zero (PeMS, urban)"""
    zero_flow: Share = 0.95
    """`card-off` of a sensor without occupancy: maximum share of intervals with a count
    of zero (PeMS, ramps)"""
    low_volume: NotNegative = 5
    """`card-off` is judged where at least this number of vehicles is usual in an
    interval"""
    high_occupancy: Share = 0.7
    """`high-value`: maximum plausible occupancy of an interval (PeMS)"""
    high_flow: Positive = 2400
    """`high-value`: maximum plausible flow of a lane in vehicles per hour (PeMS: 20 in
    30 s)"""
    high_share: Share = 0.2
    """`high-value`: maximum share of intervals above such a maximum (PeMS)"""
    flow_without_occupancy: Share = 0.5
    """`intermittent`: maximum share of intervals with a count but an occupancy of zero
    (PeMS)"""
    occupancy_without_flow: Share = 0.02
    """`intermittent`: maximum share of intervals with an occupancy but a count of zero
    (PeMS)"""
    constant_h: Positive = 4
    """`constant`: maximum hours with the same occupancy (PeMS)"""
    persistence_h: Positive = 6
    """`constant`: maximum hours with the same environment value"""
    frozen_score: Positive = 8
    """`frozen`: maximum score of a run of equal counts, which is −log₁₀ of its
    probability"""
    battery_pct: NotNegative = 20
    """a battery with less is low, in %"""
    battery_days: NotNegative = 30
    """a battery that is forecast to end within so many days is low"""
    bins_offset_s: NotNegative = 30
    """`bins-offset`: maximum seconds between the start of intervals and the clock's"""
    affinity: Annotated[float, Field(ge=0, le=50)] = 20
    """`swapped-direction`: minimum affinity of a direction to its own usual profile, of
    100"""
    drift: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """`drift`: maximum change against neighbouring sensors, as the median of 7 days"""


_MAIL_ADDRESS = re.compile(r"[!#-'*+\-./-9=?A-Z^-~]{1,64}@[0-9A-Za-z.-]{1,253}")
_HOST = re.compile(r"(?=.{1,253}\.?$)[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?")


def _require_host(host: str) -> None:
    """Refuse what is not a host name or IP address; errors do not quote it."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        if not _HOST.fullmatch(host):
            raise ValueError(
                "the host may have only ASCII letters, digits, dots and hyphens; write "
                "an international name as xn--…"
            ) from None


def _require_web_address(text: str) -> None:
    """Refuse what is not an address to post to; errors do not quote it: a secret."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            "it contains a space or a character that is not ASCII; write an "
            "international host as xn--… and other characters as %…"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its host or port cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it does not have the form https://host/path")
    if parts.username is not None:
        raise ValueError("it contains a user name; use webhook_secret instead")
    if port == 0:
        raise ValueError("port 0 cannot be used")
    _require_host(parts.hostname)


class Alerts(Section):
    """Messages about anomaly cases, sent by the analytics worker; none by default."""

    rules: Keys = ("*:high",)
    """least severity that is reported, for each municipality: `municipality:severity`,
    separated by commas; the severity is low, medium, high or off (nothing), and `*`
    stands for all other municipalities"""
    devices: bool = False
    """also report devices (no readings, a wrong clock, a low battery) whatever the
    severity, in municipalities of which anything is reported"""
    webhook_url: SecretStr = SecretStr("")
    """URL that messages are posted to; if empty, none are"""
    webhook_secret: SecretStr = SecretStr("")
    """secret that signs posted messages (HMAC-SHA-256)"""
    email_to: Keys = ()
    """e-mail addresses of the recipients, separated by commas; if empty, no e-mail is
    sent"""
    email_from: str = ""
    """sender of e-mails; if empty, the first recipient"""
    smtp_host: str = ""
    """mail server"""
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = 587
    """port of the mail server"""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """encryption of the connection to the mail server"""
    smtp_user: str = ""
    """user name at the mail server; if empty, without login"""
    smtp_password: SecretStr = SecretStr("")
    """password at the mail server"""
    language: Literal["de", "en"] = "de"
    """language of e-mails"""
    digest_min: Annotated[int, Field(ge=0, le=10_080)] = 15
    """minimum minutes between two messages about a municipality"""
    quiet: Annotated[
        str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$")
    ] = ""
    """time of day without messages, such as 22:00-06:00 in the municipality's time
    zone; they are sent afterwards"""
    newest_h: Annotated[int, Field(ge=1, le=8760)] = 24
    """hours; a case that ended longer ago is not reported"""
    attempts: Annotated[int, Field(ge=1, le=1000)] = 12
    """attempts to send a message, after which it is given up"""

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
            # parseaddr ignores what it cannot read: nothing may be left over
            whole = address.endswith((bare, f"<{bare}>")) and address.isprintable()
            if address and not (whole and _MAIL_ADDRESS.fullmatch(bare)):
                raise ValueError(
                    f"{address!r} is not an e-mail address in ASCII; write an "
                    "international domain as xn--…"
                )
        return found


class Api(Section):
    """The web server."""

    host: str = "127.0.0.1"
    """address that the server listens on"""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """port that the server listens on; 0 takes a free one"""
    trusted_proxies: Keys = ("127.0.0.1", "::1")
    """addresses and networks of reverse proxies, separated by commas, whose
    `X-Forwarded-Proto` and `X-Forwarded-For` are believed"""
    pool: Count = 4
    """maximum number of database connections"""
    connections: Annotated[int, Field(ge=16)] = 1000
    """maximum number of open connections; beyond it, the client that has kept the
    server waiting for longest is disconnected"""
    request_s: Positive = 30
    """seconds within which a request must have arrived completely"""
    ingest_items: Count = 1000
    """maximum number of messages in a request that sends readings"""
    ingest_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    """maximum size in bytes of a request that sends readings"""
    ingest_per_minute: Count = 6000
    """maximum number of messages a minute sent with a token"""
    address_requests_per_minute: NoneOrMore = 3000
    """maximum number of requests a minute from an address (IPv6: a /64 network) that
    change nothing; 0: without a limit. Many people may share an address"""
    address_changes_per_minute: NoneOrMore = 1200
    """likewise, of those that send or change something"""
    account_requests_per_minute: NoneOrMore = 3000
    """maximum number of requests a minute of an account, or of a token, that change
    nothing; 0: without a limit"""
    account_changes_per_minute: NoneOrMore = 600
    """likewise, of those that change something; readings are counted by message"""
    unlimited_addresses: Keys = ()
    """addresses and networks, separated by commas, whose requests have no limit by
    address, such as that of monitoring; nor have those of `trusted_proxies`"""

    @field_validator("trusted_proxies", "unlimited_addresses")
    @classmethod
    def _are_addresses(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for address in given:
            try:
                ip_network(address)
            except ValueError:
                raise ValueError(
                    f"{address} is not an address or network, such as 172.16.0.0/12"
                ) from None
        return given


class Access(Section):
    """Accounts: how people log in, and for how long."""

    idle_min: Annotated[int, Field(ge=1, le=1440)] = 30
    """minutes without a request after which a session ends"""
    session_h: Annotated[int, Field(ge=1, le=720)] = 12
    """hours after which a session ends in any case"""
    link_h: Annotated[int, Field(ge=1, le=720)] = 48
    """hours within which a link of an invitation or reset has to be used"""
    attempts_per_minute: Annotated[int, Field(ge=1, le=1000)] = 5
    """attempts to log in to an account in a minute; beyond it, the account is locked"""
    address_attempts_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 30
    """attempts in a minute from a network address (IPv6: a /64 network); beyond it, the
    address is locked"""
    lockout_s: Annotated[int, Field(ge=1, le=86_400)] = 60
    """seconds that the first lockout lasts; each further one lasts twice as long"""
    longest_lockout_min: Annotated[int, Field(ge=1, le=1440)] = 15
    """minutes that a lockout lasts at most"""
    token_days: Annotated[int, Field(ge=1, le=365)] = 365
    """days that a token which a person makes is valid at most"""
    second_factor: Keys = ()
    """roles that need a second factor, separated by commas; others may have one"""

    @field_validator("second_factor")
    @classmethod
    def _are_roles(cls, roles: tuple[str, ...]) -> tuple[str, ...]:
        for role in roles:
            if role not in ROLES:
                raise ValueError(f"{role} is not a role; {choice(role, ROLES)}")
        return roles


class Oidc(Section):
    """Single sign-on at an OpenID Connect provider; none by default."""

    issuer: str = ""
    """address of the provider, as it calls itself, such as
    https://sso.example.org/realms/stadt; if empty, people log in with passwords only"""
    client_id: str = ""
    """identifier that the provider gave to this installation"""
    client_secret: SecretStr = SecretStr("")
    """secret that belongs to it. After a change, `db migrate` is to be run"""
    button_de: Annotated[str, Field(min_length=1, max_length=100)] = (
        "Mit dem Konto der Verwaltung anmelden"
    )
    """words of the button on the German page"""
    button_en: Annotated[str, Field(min_length=1, max_length=100)] = (
        "Log in with your organisation's account"
    )
    """words of the button on the English page"""
    scopes: Keys = ("openid", "email", "profile")
    """scopes that are asked for, separated by commas"""
    groups_claim: str = "groups"
    """claim with a person's groups; dots lead into objects: realm_access.roles"""
    roles: Keys = ()
    """roles that groups give: `group=municipality/role`, separated by commas, or
    `group=operator`"""
    require_verified_email: bool = True
    """whether an e-mail address counts only if the provider says that it is verified"""
    second_factor: Keys = ()
    """values of `acr` or `amr`, separated by commas, by which the provider says that it
    saw a second factor; then none is asked for here"""
    skew_s: Annotated[int, Field(ge=0, le=300)] = 60
    """seconds that the clocks of provider and server may differ"""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5
    """seconds within which the provider must answer"""
    ca_file: Path | None = None
    """PEM file of the certificate authority that signed the provider's certificate; if
    not set, the public ones"""

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, issuer: str) -> str:
        if issuer:
            _require_web_address(issuer)
            parts = urlsplit(issuer)
            if parts.scheme != "https" and parts.hostname not in LOOPBACK:
                raise ValueError("it does not begin with https://")
            if parts.query or parts.fragment:
                raise ValueError("it has a query or fragment")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _have_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError("the scope openid is needed")
        return scopes

    @field_validator("roles")
    @classmethod
    def _name_roles(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            group, _, given = rule.rpartition("=")
            municipality, slash, role = given.rpartition("/")
            if not group or role not in ROLES:
                raise ValueError(
                    f"{rule} does not have the form group=municipality/role; "
                    f"{choice(role, ROLES)}"
                )
            if (role == OPERATOR) == bool(slash and municipality):
                raise ValueError(
                    f"{rule}: {OPERATOR} is for the whole installation, any other role "
                    "in a municipality"
                )
        return rules


class Stack(Section):
    """The embedded parts and their supervisor."""

    directory: Path | None = None
    """directory of the data; `verkehrspuls doctor` shows the default"""
    account: str = "nobody"
    """if started as root: account that the servers run as, preferably one used for
    nothing else"""
    postgres_binaries: Path | None = None
    """directory of PostgreSQL's programs; if not set, those of the installed package"""
    start_s: Positive = 60
    """seconds within which a part must answer after its start"""


class Simulator(Section):
    """The simulated towns."""

    enabled: bool = True
    """whether `up` runs simulated sensors"""
    seed: int = 1
    """seed of the random numbers"""
    weeks: Annotated[int, Field(ge=0, le=520)] = 8
    """weeks of history that `up` simulates"""
    logins: Path | None = None
    """file with the credentials of the simulated sensors, which `simulate register` has
    issued; if not set, they publish together, with `broker.publish_url`"""


class Log(Section):
    """Logging, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """least severity that is logged"""
    format: Literal["console", "json"] = "console"
    """lines for people, or a JSON object per line"""


class Pages(Section):
    """The address of the pages, and links at their foot."""

    address: Link = ""
    """public address of the pages, such as https://verkehr.example.org, for links that
    commands print; if empty, that of a running `up`"""
    imprint: Link = ""
    """address of the imprint, for towns without their own"""
    privacy: Link = ""
    """address of the privacy notice, likewise"""
    contact: Link = ""
    """address of a contact page, or mailto:…, likewise"""

    @field_validator("address")
    @classmethod
    def _is_page(cls, address: str) -> str:
        if address.startswith("mailto:"):
            raise ValueError("it does not have the form https://host/path")
        return address


class Settings(Section):
    """All settings."""

    database: Database = Database()
    broker: Broker = Broker()
    ingest: Ingest = Ingest()
    analytics: Analytics = Analytics()
    alerts: Alerts = Alerts()
    access: Access = Access()
    oidc: Oidc = Oidc()
    health: Health = Health()
    acceptance: Acceptance = Acceptance()
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
        reason = first["msg"]
        if first["type"] == "literal_error":
            words = re.findall("'([^']*)'", first["ctx"]["expected"])
            given = str(first["input"])
            reason = f"{given} is not one of its values; {choice(given, words)}"
        elif first["type"] == "value_error":
            reason = str(first["ctx"]["error"])
        elif first["type"] == "string_pattern_mismatch":
            given = repr(first["input"])
            reason = f"{given} is malformed; see docs/reference/settings.md"
        raise UsageError(reason=f"setting {where}: {reason}.") from error


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


def meanings(section: type[Section]) -> dict[str, str]:
    """Return what each setting of a section is, for the reference."""
    import ast
    from inspect import getsource
    from itertools import pairwise

    found = {}
    nodes = ast.iter_child_nodes(ast.parse(getsource(section)).body[0])
    for field, text in pairwise(nodes):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                found[name] = " ".join(said.split())
    return found


def _from_toml(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    given = environment.get(CONFIG)
    path = Path(given or "verkehrspuls.toml")
    # the null device: no file, not even one in the working directory
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
