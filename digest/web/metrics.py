"""`/metrics` for Prometheus: for this machine, or for whoever shows the token. Read from rows at every request."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from ipaddress import ip_address

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from digest import gauges, migrations
from digest.bootstrap import Services
from digest.gauges import Family, Sample
from digest.web import clients, health
from digest.web.pages import services_of

router = APIRouter()

PREFIX = "digest_"
# What each process says of itself and its machine; the rest is the same everywhere.
FAMILIES = (
    *gauges.FAMILIES,
    Family("build_info", "The version of the process that answers", ("version",)),
    Family("migrations_current", "1 where the tables are those of this version; 0, and little else is told"),
    Family("journal_writable", "1 where opt-outs can be noted on this machine; missing where no journal is kept"),
)

_FROM_ELSEWHERE = ("x-forwarded-for", "forwarded", "x-real-ip", "via")


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Everything an alarm needs, in the text format of Prometheus."""
    refused = _refusal(request)
    if refused is not None:
        return refused
    registry = CollectorRegistry()
    registry.register(_Rows(services_of(request), datetime.now(UTC)))
    return Response(
        generate_latest(registry),
        media_type=CONTENT_TYPE_PLAIN_0_0_4,
        headers={"Cache-Control": "no-store"},
    )


class _Rows(Collector):
    """All families, with what the rows say now."""

    def __init__(self, services: Services, now: datetime) -> None:
        self._services = services
        self._now = now

    def collect(self) -> Iterator[Metric]:
        found: dict[str, list[Sample]] = defaultdict(list)
        for sample in _samples(self._services, self._now):
            found[sample.family].append(sample)
        for family in FAMILIES:
            kind = CounterMetricFamily if family.counter else GaugeMetricFamily
            metric = kind(f"{PREFIX}{family.name}", f"{family.help}.", labels=family.labels)
            for sample in found[family.name]:
                metric.add_metric(sample.labels, float(sample.value))
            yield metric

    def describe(self) -> list[Metric]:
        """Nothing: registering it must not read the rows."""
        return []


def _samples(services: Services, now: datetime) -> Iterator[Sample]:
    current = migrations.revision(services.database) == migrations.head()
    yield Sample("build_info", 1, (metadata.version("weekly-verdict-digest"),))
    yield Sample("migrations_current", current)
    if services.journal is not None:
        yield Sample("journal_writable", health.journal(services.journal.path) == "ok")
    if current:
        with services.database.reading() as session:
            yield from gauges.samples(session, now=now)


# — who may read them —


def _refusal(request: Request) -> Response | None:
    """401 for a token that is missing or wrong, 403 where none is set and somebody asks from elsewhere."""
    token = services_of(request).settings.digest_metrics_token
    if _is_of_this_machine(request):
        return None
    if token is None:
        only_here = "Metrics are for this machine only; set DIGEST_METRICS_TOKEN to read them from elsewhere."
        return PlainTextResponse(f"{only_here}\n", status_code=403)
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
    if scheme.lower() == "bearer" and same:
        return None
    needed = "Metrics need the header “Authorization: Bearer …” with DIGEST_METRICS_TOKEN."
    return PlainTextResponse(f"{needed}\n", status_code=401, headers={"WWW-Authenticate": "Bearer"})


def _is_of_this_machine(request: Request) -> bool:
    """Whether whoever asks sits here. What a proxy brings in only looks so, unless it is ours and says so."""
    client, peer = clients.client_ip(request), request.client.host if request.client else None
    if client is None or not ip_address(client).is_loopback:
        return False
    return client != peer or not any(name in request.headers for name in _FROM_ELSEWHERE)
