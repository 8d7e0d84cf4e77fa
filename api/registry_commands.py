"""The commands `verkehrspuls site` and `verkehrspuls sensor`: what is registered.

The operator sees every site, whatever its visibility.
"""

from typing import Annotated, Any

import typer

from api.operator import Json, OfMunicipality
from verkehrspuls.errors import UnknownKey, UsageError

site_app = typer.Typer(help="List and show sites.", no_args_is_help=True)
sensor_app = typer.Typer(help="List and show sensors.", no_args_is_help=True)


@site_app.command("list")
def list_sites(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List sites."""
    from api import operator, tables
    from verkehrspuls.storage import series

    with operator.connection(municipality) as connection:
        sites = series.sites(
            connection, municipality=municipality, visible=series.EVERYTHING
        )
    if as_json:
        tables.show_json(sites)
        return
    tables.show(
        [
            site
            | {
                "site": f"{site['municipality']}/{site['key']}",
                "channels": len(site["channels"]),
                "measures": " ".join(sorted({c["quantity"] for c in site["channels"]})),
                "last_message": site["last_received_at"],
            }
            for site in sites
        ],
        (
            *("site", "name", "channels", "measures"),
            *("status", "visibility", "last_message"),
        ),
    )


@site_app.command("show")
def show_site(
    site: Annotated[str, typer.Argument(help="municipality/site")],
    as_json: Json = False,
) -> None:
    """Show a site with its channels and sensors."""
    from api import operator, tables
    from verkehrspuls.storage import series

    municipality, key = parse_key(site, kind="site")
    with operator.connection() as connection:
        found = series.site(connection, municipality, key, visible=series.EVERYTHING)
    if as_json:
        tables.show_json(found)
        return
    facts = {k: v for k, v in found.items() if k not in ("channels", "sensors")}
    tables.show([{"what": k, "value": v} for k, v in facts.items()], ("what", "value"))
    tables.show(
        found["channels"],
        ("key", "name", "quantity", "direction", "direction_name", "lane"),
        title="channels",
    )
    tables.show(found["sensors"], _SENSOR_COLUMNS, title="sensors")


@sensor_app.command("list")
def list_sensors(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List sensors, one line for each output that is attached to a channel."""
    from api import operator, tables
    from verkehrspuls.storage import series

    with operator.connection(municipality) as connection:
        sensors = series.sensors(
            connection, municipality=municipality, visible=series.EVERYTHING
        )
    if as_json:
        tables.show_json(sensors)
        return
    tables.show(
        [
            sensor
            | {
                "sensor": f"{sensor['municipality']}/{sensor['key']}",
                "last_message": sensor["last_received_at"],
            }
            for sensor in sensors
        ],
        ("sensor", "model", "state", "site", "channel", "output", "last_message"),
    )


@sensor_app.command("show")
def show_sensor(
    sensor: Annotated[str, typer.Argument(help="municipality/sensor")],
    as_json: Json = False,
) -> None:
    """Show a sensor with its installations."""
    from api import operator, tables
    from verkehrspuls.storage import series

    municipality, key = parse_key(sensor, kind="sensor")
    with operator.connection() as connection:
        rows = series.sensors(
            connection,
            municipality=municipality,
            sensor=key,
            visible=series.EVERYTHING,
        )
    if not rows:
        raise UnknownKey(kind="sensor", key=sensor)
    about = (
        *("municipality", "key", "name", "model", "payload_format", "interval_s"),
        *("class_scheme", "state", "last_received_at"),
    )
    where = ("output", "site", "channel", "since", "until")
    if as_json:
        facts: dict[str, Any] = {name: rows[0][name] for name in about}
        attached = [{name: row[name] for name in where} for row in rows]
        tables.show_json(facts | {"installations": attached})
        return
    tables.show(
        [{"what": name, "value": rows[0][name]} for name in about], ("what", "value")
    )
    tables.show(rows, where, title="installations")


def parse_key(text: str, *, kind: str) -> tuple[str, str]:
    """Take `municipality/key` apart."""
    municipality, slash, key = text.partition("/")
    if not (municipality and slash and key) or "/" in key:
        raise UsageError(
            reason=f"a {kind} is named municipality/{kind}, not {text}. "
            f"`verkehrspuls {kind} list` shows all"
        )
    return municipality, key


_SENSOR_COLUMNS = ("key", "model", "state", "output", "channel", "since", "until")
