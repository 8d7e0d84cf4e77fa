"""What nobody may see is in no public answer: with twins of it, and without.

Every address is asked before the twins are there (`tests.twins`) and afterwards. All of
an answer stays as it was, headers too: so it tells neither of what there is nor that
there is something, and "not yours" cannot be told from "does not exist".
"""

import io
import re
from collections.abc import Iterator
from typing import Any, Final

import polars as pl
import psycopg
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests import parts, people, served, twins, walk, world
from tests.walk import Answer, Asked

#: numbers of the whole installation, which everybody may see (docs/adr/0012-access.md)
OF_ALL: Final = {
    "/readyz": "how late ingest and alerts are",
    "/metrics": "sums of the ledger, work left, and alerts",
}
#: A page is made anew after any change, and its tag counts these: it tells that
#: something changed somewhere, and nothing of what.
COUNTED: Final = re.compile(r"/(de|en)/(towns/|corridors/|$)")
OF_PEOPLE: Final = re.compile(
    r"/(\w\w/(login|link|account|people|audit|register|count)|oidc/)\b"
)
#: what is read by programs with a token only
TOKEN: Final = "registry/|commissioning/|credentials/|devices/|manual-counts/"
SITE: Final = {"municipality": twins.HOME, "site": "pariser-strasse", "kind": "means"}
#: what everybody sees
SEEN: Final[tuple[dict[str, str], ...]] = (
    SITE
    | {"corridor": "nordtangente-ost", "junction": "mainzer-tor", "sensor": "camera"}
    | dict.fromkeys(("count", "entry", "photograph", "key", "profile"), "1")
    | {"format": "csv"},
    {"number": "1"},
    {"name": "style.css"},
    {"account_id": "1"},
    {},
)
GUESSED: Final = (
    *(
        {"municipality": town, "kind": "means", kind: key, "key": key}
        for town in (twins.HOME, twins.AWAY, twins.AWAY[:-1])
        for kind, keys in twins.PARTS.items()
        for key in keys
    ),
    *({"number": str(number)} for number in range(2, 9)),
    *({"key": town} for town in (twins.HOME, twins.AWAY)),
)
TWIN: Final = {"municipality": twins.HOME, "site": twins.twin("pariser-strasse")}


def requests(app: FastAPI) -> list[Asked]:
    german, english = {"language": "de"}, {"language": "en"}
    found = walk.addresses(
        app,
        [place | german for place in (*SEEN, TWIN | {"kind": "means"})],
        [
            *(place | english for place in SEEN),
            *(place | german for place in GUESSED),
            *({"name": name} for name in app.state.assets.addresses),
        ],
        **twins.MORE,
    )
    short = '{"quantity": "motor", "hours": [{"time": "%s", "volume": 40}]}'
    body = short % "2026-03-02T10:00:00Z"
    json = (("content-type", "application/json"),)
    return [
        # of people, which need a session: see `test_access`
        *(each for each in found if not OF_PEOPLE.match(each.address)),
        *(Asked("GET", path) for path in ("/robots.txt", "/sitemap.xml", "/feed")),
        *(
            Asked("POST", f"/api/v1/municipalities/{town}/short-count", json, body)
            for town in twins.TOWNS
        ),
    ]


class Walked:
    """The answers without twins, and with them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.app = served.web(url, world.LAST)
        self.asked = requests(self.app)
        self.before = self._walk()
        twins.add(url)
        self.app = served.web(url, world.LAST)
        self.after = self._walk()

    def _walk(self) -> dict[Asked, Answer]:
        with TestClient(self.app, follow_redirects=False) as client:
            return {asked: walk.ask(client, asked) for asked in self.asked}


@pytest.fixture(scope="module")
def walked(_plain: parts.Databases) -> Iterator[Walked]:
    with _plain.fresh(twins.settle) as url:
        yield Walked(url)


def compared(asked: Asked, answer: Answer) -> Answer:
    """An answer without what the exceptions are about."""
    path = asked.address.partition("?")[0]
    left_out = {"etag"} if COUNTED.match(path) and answer.status == 200 else set()
    headers = tuple(each for each in answer.headers if each[0] not in left_out)
    return answer._replace(headers=headers)


def test_no_public_answer_changes_with_what_is_private(walked: Walked) -> None:
    different = [
        asked
        for asked in walked.asked
        if compared(asked, walked.before[asked]) != compared(asked, walked.after[asked])
        and asked.address not in OF_ALL
    ]
    assert different == []
    statuses = [answer.status for answer in walked.after.values()]
    assert statuses.count(200) > 150
    assert statuses.count(404) > 100
    assert max(statuses) < 500


def test_nothing_of_a_twin_is_in_any_public_answer(walked: Walked) -> None:
    marks = [re.compile(re.escape(each), re.IGNORECASE) for each in twins.NUMBERS]
    marks.append(re.compile(twins.MARK, re.IGNORECASE))
    told = []
    for asked, answer in walked.after.items():
        # what was asked may come back, as in "there is no site …"
        text = "\n".join((str(answer.headers), *texts(answer.body)))
        given = re.findall(r"[\w:-]*zwilling[\w-]*", asked.address)
        for word in sorted({*given, *(_keys(given))}, key=len, reverse=True):
            text = text.replace(word, "")
        told += [(asked.address, mark.pattern) for mark in marks if mark.search(text)]
    assert told == []


def _keys(words: list[str]) -> Iterator[str]:
    for word in words:
        yield word.removeprefix("site:")
        yield word.replace(":", "%3A")


def texts(body: bytes) -> Iterator[str]:
    """The text of an answer, and what a file for programs contains."""
    yield body.decode("utf-8", "replace")
    if body.startswith(b"PAR1"):
        yield pl.read_parquet(io.BytesIO(body)).write_csv()
        yield str(pl.read_parquet_metadata(io.BytesIO(body)))


def test_numbers_of_the_whole_installation_name_no_place(walked: Walked) -> None:
    (metrics,) = (
        answer.body.decode()
        for asked, answer in walked.after.items()
        if asked.address == "/metrics"
    )
    towns = set(re.findall(r'municipality="([^"]*)"', metrics))
    assert towns == {"", twins.HOME}


def test_who_belongs_there_sees_each_twin(walked: Walked) -> None:
    """So the walk goes where twins would be seen, if the boundary let it."""
    with people.of(walked.url) as them:
        own = {"cookie": f"session={them.log_in(twins.EMAIL)}"}
    german = {"language": "de"}
    twin = {kind: keys[0] for kind, keys in twins.PARTS.items()} | TWIN
    number = str(twins.cases(walked.url)[0])
    place = twin | german | {"kind": "means", "key": twin["site"], "number": number}
    place |= {"count": str(twins.counts(walked.url)[0])}
    app = served.web(walked.url, world.LAST)
    shows: dict[str, bool] = {}
    with TestClient(app, follow_redirects=False) as client:
        for asked in walk.addresses(
            app,
            [place | {"name": "x", "account_id": "1"}],
            (),
            **twins.MORE,
        ):
            answer = walk.ask(client, asked, **own)
            text = "".join(texts(answer.body)).replace(asked.address, "")
            path = asked.address.partition("?")[0]
            shows[path] = shows.get(path, False) or (
                answer.status == 200 and twins.MARK in text.lower()
            )
    seen = {path for path, shown in shows.items() if shown}
    # what is read without a token, but what only counts, and the page of former
    # addresses, which leads on
    open_reads = "|".join(
        re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))
        for path, _ in walk.open_reads(app)
        if path.startswith("/api/")
    )
    read = re.compile(f"(?:{open_reads})$|/de/(towns|cases|corr)")
    rest = {path for path in shows if read.match(path)}
    assert rest - seen <= {
        f"/api/v1/corridors/{twins.HOME}/{twin['corridor']}/balance",
        f"/api/v1/junctions/{twins.HOME}/{twin['junction']}/balance",
        "/api/v1/rejects",
        "/api/v1/openapi.json",
        "/api/v1/docs",
    }


def test_what_is_not_yours_takes_the_way_of_what_does_not_exist(
    walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same statements with as many rows, so that no time tells them apart."""
    ran: list[tuple[str, int]] = []
    execute = psycopg.Cursor.execute

    def noted(self: Any, query: Any, *given: Any, **more: Any) -> Any:
        found = execute(self, query, *given, **more)
        ran.append((str(query), self.rowcount))
        return found

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    pairs = [
        (
            twin,
            Asked(
                twin.method, re.sub(f"{twins.MARK}-[a-z]+", "nirgends", twin.address)
            ),
        )
        for twin in walked.asked
        if walked.after[twin].status == 404
        and f"/{twins.HOME}/{twins.MARK}-" in twin.address
    ]
    different = []
    app = served.web(walked.url, world.LAST)
    with TestClient(app, follow_redirects=False) as client:
        # a new connection is looked at first
        walk.ask(client, pairs[0][0])
        for pair in pairs:
            ways = []
            for asked in pair:
                ran.clear()
                assert walk.ask(client, asked).status == 404
                ways.append(list(ran))
            if ways[0] != ways[1] or not ways[0]:
                different.append(pair[0].address)
    assert different == []
    assert len(pairs) > 30
