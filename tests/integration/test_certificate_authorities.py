"""Where certificates come from: wildcards over DNS, another authority, the operator; and authorities that change."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from typing import Any

import pytest
import urllib3
import yaml
from testbed import pki
from testbed.state import StateDirectory, default_directory

from tests.integration.bed_host import PlaybookRun
from tests.integration.edge_host import Edge, edge, site
from tests.support.fault_proxy import FaultProxy, Problem, fault_proxy

pytestmark = pytest.mark.bed
__all__ = ["edge"]

APP = "app.petcare.com"
WILD = "wild.petcare.com"
"""A zone of the bed's own name server (BIND), in which the host may write records (RFC 2136)."""
BOUND = {"eab_kid": "customer-1", "eab_hmac_key": "Y29tcG9zZW9wcy10ZXN0YmVkLWN1c3RvbWVyLTEta2V5"}
CREDENTIALS = """\
dns_rfc2136_server = {server}
dns_rfc2136_port = 5300
dns_rfc2136_name = composeops.
dns_rfc2136_secret = {secret}
dns_rfc2136_algorithm = HMAC-SHA256
"""
SECRET, WRONG_SECRET = "Y29tcG9zZW9wcy10ZXN0YmVkLWRucy1rZXktMDAwMDE=", "bm90LXRoZS1rZXktb2YtdGhlLXpvbmUtMDAwMDAwMDA="
RENEW = "composeops certificates renew"
IN_WORDS = (
    "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after"
    " {:%Y-%m-%d %H:%M:%S} UTC: see https://letsencrypt.org/docs/rate-limits/"
)
"""Let's Encrypt's words of a limit, from its documentation."""


@pytest.fixture(scope="module")
def authority(edge: Edge) -> str:
    """Return the address of the host's authorities: the usual one, and beside it one that binds accounts."""
    found = re.search(r"https://([0-9.]+):14000/dir", edge_directory(edge))
    assert found
    return found[1]


@pytest.fixture(scope="module")
def limiter(edge: Edge, authority: str) -> Iterator[tuple[FaultProxy, str]]:
    """A way to the authority on which a test sets limits, for Pebble has none, and the directory that it leads to."""
    gateway = edge.host.output("ip -4 route show default | cut -d' ' -f3").strip()
    bed = StateDirectory(default_directory())
    pki.ensure_certificate(bed, "limiter", ["limiter"], [gateway])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(bed / "limiter/cert.pem", bed / "limiter/key.pem")
    ca = bed_variables(edge)["edge_acme_ca"]
    with fault_proxy(f"https://{authority}:14000", ca, gateway, context) as (proxy, url):
        yield proxy, f"{url}/dir"


def dns(authority: str, secret: str = SECRET) -> dict[str, Any]:
    return {
        "dns_plugin": "rfc2136",
        "dns_credentials": CREDENTIALS.format(server=authority, secret=secret),
        "dns_propagation_seconds": 0,
    }


def role(edge: Edge, sites: list[dict[str, Any]], **variables: Any) -> PlaybookRun:
    """Run the role edge as a play does."""
    play = {
        "name": "The edge",
        "hosts": edge.host.name,
        "become": True,
        "gather_facts": False,
        "vars": {"edge_sites": sites, **variables},
        "tasks": [{"name": "The edge", "ansible.builtin.import_role": {"name": "edge"}}],
    }
    playbook = edge.host.directory / "role.yml"
    playbook.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    edge.published = None
    return edge.host.playbook(playbook)


def issued(edge: Edge, *sites: dict[str, Any], **options: Any) -> dict[str, Any]:
    edge.publish(*sites)
    result = edge.certificates(*sites, **options)
    assert not result["failed"], result["msg"]
    return result


@contextlib.contextmanager
def due(edge: Edge) -> Iterator[None]:
    """Have certbot find the certificate due for renewal."""
    configuration = f"/etc/letsencrypt/renewal/{APP}.conf"
    edge.host.run(f"sed -i '1i renew_before_expiry = 4000 days' {configuration}", check=True)
    try:
        yield
    finally:
        edge.host.run(f"sed -i /renew_before_expiry/d {configuration}", check=True)


@contextlib.contextmanager
def full_disk(edge: Edge, directory: str) -> Iterator[None]:
    """Have a directory of the host, content included, on a file system of its own that has no room left."""
    edge.host.run(
        f"cp -a {directory} /run/full.copy && mount -t tmpfs -o size=4m,mode=0755 tmpfs {directory}"
        f" && cp -a /run/full.copy/. {directory}/ && rm -r /run/full.copy"
        f" && ! dd if=/dev/zero of={directory}/filler bs=4k 2> /run/dd.log",
        check=True,
    )
    try:
        yield
    finally:
        edge.host.run(
            f"rm {directory}/filler && cp -a {directory} /run/full.copy && umount {directory}"
            f" && cp -a /run/full.copy/. {directory}/ && rm -r /run/full.copy",
            check=True,
        )


def test_a_wildcard_is_proven_by_records_in_a_real_zone(edge: Edge, authority: str) -> None:
    wanted = site(WILD, aliases=[f"*.{WILD}"])
    refused = edge.certificates(wanted)
    assert f"*.{WILD} can only be proven over DNS, and no dns_plugin is set. Set edge_dns_plugin" in refused["msg"]
    options = {f"edge_{name}": value for name, value in dns(authority).items()}
    applied = role(edge, [wanted], **options)
    assert applied.ok, applied.output
    assert SECRET not in applied.output
    answer = edge.get(f"https://anything.{WILD}/")
    assert answer.status == 200
    assert answer.certificate is not None
    assert sorted(answer.certificate.names) == [f"*.{WILD}", WILD]
    again = role(edge, [wanted], **options)
    assert (again.ok, again.changed) == (True, []), again.output
    assert edge.host.output("stat -c %a /etc/composeops/acme /etc/composeops/acme/dns-rfc2136").split() == [
        "700",
        "600",
    ]
    log = edge.host.read("/var/log/letsencrypt/letsencrypt.log")
    assert SECRET not in log


def test_a_zone_that_may_not_be_written_is_told_and_what_served_still_does(edge: Edge, authority: str) -> None:
    issued(edge, site(WILD, aliases=[f"*.{WILD}"]), **dns(authority))
    before = edge.serial(WILD)
    # A name that the authority has not seen proven: of others it may still know.
    more = site(WILD, aliases=[f"*.{WILD}", f"*.more.{WILD}"])
    failed = edge.certificates(more, **dns(authority, WRONG_SECRET))
    assert failed["failed"]
    assert f"{WILD}: certbot got no certificate for {WILD}, *.{WILD}, *.more.{WILD}" in failed["msg"]
    assert "the signature we sent" in failed["msg"]
    assert WRONG_SECRET not in str(failed)
    assert edge.serial(WILD) == before


def test_an_account_that_the_authority_forgot_is_registered_again_by_a_run_and_by_the_timer(
    edge: Edge, authority: str
) -> None:
    issued(edge, site(APP))
    before = edge.serial(APP)
    accounts = f"/etc/letsencrypt/accounts/{authority}:14000/dir"
    forget = f"sed -i s,/my-account/,/my-account/no-such-, {accounts}/*/regr.json"
    edge.host.run(forget, check=True)
    again = edge.certificates(site(APP), key_type="rsa")
    assert not again["failed"], again["msg"]
    assert "no longer knew the account of this host; a new one was registered" in str(again["warnings"])
    second = edge.serial(APP)
    assert second != before
    edge.host.run(forget, check=True)
    with due(edge):
        renewed = edge.host.run(RENEW)
    assert renewed.ok, renewed
    assert "no longer knew the account of this host; a new one was registered" in renewed.stdout
    assert edge.serial(APP) != second


def test_a_certificate_that_its_authority_wants_replaced_is_replaced_by_the_timer(edge: Edge) -> None:
    issued(edge, site(APP))
    kept = edge.serial(APP)
    assert edge.host.run(RENEW).stdout.splitlines()[0] == f"{APP}: looked after"
    assert edge.serial(APP) == kept
    # Who revokes a certificate moves its window into the past. The hour in which not to ask again is over, too.
    revoke = f"certbot revoke --non-interactive --no-delete-after-revoke --cert-name {APP}"
    revoked = edge.host.run(f"REQUESTS_CA_BUNDLE=/etc/composeops/acme-ca.pem {revoke}")
    assert revoked.ok or "already revoked" in revoked.stderr, revoked
    edge.host.run(f"rm -f /var/lib/composeops/certificates/{APP}.json", check=True)
    began = edge.host.output("date +%s")
    edge.host.run("systemctl start certbot.service", check=True)
    journal = edge.host.output(f"journalctl --unit certbot.service --output cat --since @{began}")
    assert f"{APP}: {edge_directory(edge)} wants it replaced since" in journal
    assert edge.serial(APP) != kept


def test_a_window_that_the_authority_moves_is_kept_to_by_the_timer(edge: Edge, authority: str) -> None:
    issued(edge, site(APP))
    kept = edge.serial(APP)
    for days, said in ((30, f"{APP}: looked after"), (-2, f"{APP}: {edge_directory(edge)} wants it replaced since")):
        assert edge.serial(APP) == kept
        move_window(edge, authority, days)
        edge.host.run(f"rm -f /var/lib/composeops/certificates/{APP}.json", check=True)
        assert said in edge.host.run(RENEW, check=True).stdout
    assert edge.serial(APP) != kept


def move_window(edge: Edge, authority: str, days: int) -> None:
    """Have Pebble say (RFC 9773) that the certificate is to be replaced on the day in so many days."""
    start = datetime.now(timezone.utc) + timedelta(days=days)
    window = {"start": start.isoformat(), "end": (start + timedelta(days=1)).isoformat()}
    body = {
        "certificate": edge.host.read(f"/etc/letsencrypt/live/{APP}/cert.pem"),
        "ariResponse": json.dumps({"suggestedWindow": window}),
    }
    # Its own interface, which is for tests alone.
    url = f"https://{authority}:15000/set-renewal-info/"
    trusting = urllib3.PoolManager(ca_cert_data=bed_variables(edge)["edge_acme_ca"], timeout=10.0, retries=False)
    answer = trusting.request("POST", url, json=body)
    assert answer.status == HTTPStatus.OK, answer.data


def edge_directory(edge: Edge) -> str:
    return str(bed_variables(edge)["edge_acme_directory"])


def bed_variables(edge: Edge) -> dict[str, Any]:
    """Return what the bed's inventory says of this host's authorities."""
    found: dict[str, Any] = yaml.safe_load((edge.host.inventory / "group_vars/all.yml").read_text(encoding="utf-8"))
    return found


def test_a_revoked_certificate_has_its_successor_first(edge: Edge, authority: str) -> None:
    issued(edge, site(APP))
    old = edge.serial(APP)
    done = edge.host.run(f"composeops certificates revoke {APP} --reason keycompromise")
    assert done.ok, done
    assert edge.serial(APP) != old
    status = edge.host.output(
        f"python3 -c 'import ssl, urllib.request; print(urllib.request.urlopen("
        f'"https://{authority}:15000/cert-status-by-serial/{old.partition("=")[2].lower()}",'
        "context=ssl._create_unverified_context()).read().decode())'"
    )
    assert '"Status": "Revoked"' in status


@pytest.mark.parametrize("detail", [IN_WORDS, "slow down"], ids=["told in words", "told in a header"])
def test_a_rate_limit_is_told_and_the_timer_keeps_to_it(
    edge: Edge, limiter: tuple[FaultProxy, str], detail: str
) -> None:
    proxy, directory = limiter
    issued(edge, site(APP), acme_directory=directory)
    before = edge.serial(APP)
    ends = datetime.now(timezone.utc) + timedelta(hours=30)
    limit = Problem(429, "rateLimited", detail.format(ends), 30 * 3600)
    proxy.set(lambda request: limit if request.path == "/order-plz" else None)
    failed = edge.certificates(site(APP), acme_directory=directory, key_type="rsa")
    assert detail.format(ends) in failed["msg"]
    told = re.search(r"Its rate limit ends at ([0-9-]+ [0-9:]+ UTC); asking before that is in vain", failed["msg"])
    assert told, failed["msg"]
    assert abs(datetime.strptime(told[1], "%Y-%m-%d %H:%M %Z").replace(tzinfo=timezone.utc) - ends) < timedelta(
        minutes=2
    )
    assert edge.serial(APP) == before
    asked = len(proxy.requests)
    with due(edge):
        waiting = edge.host.run(RENEW, check=True)
    assert f"{APP}: not asked before {told[1]}, after 1 failures" in waiting.stdout
    assert len(proxy.requests) == asked
    proxy.clear()
    assert not edge.certificates(site(APP), acme_directory=directory, key_type="rsa")["failed"]
    assert edge.serial(APP) != before


def test_while_the_authority_is_down_the_timer_waits_and_a_run_mends(edge: Edge, authority: str) -> None:
    issued(edge, site(APP))
    before = edge.serial(APP)
    metrics = "/var/lib/composeops/metrics/certificates.prom"
    down = "https://127.0.0.1:9/dir"
    edge.host.run(f"sed -i 's,^server = .*,server = {down},' /etc/letsencrypt/renewal/{APP}.conf", check=True)
    with due(edge):
        assert not edge.host.run("systemctl start certbot.service").ok
        waiting = edge.host.run(RENEW)
    assert waiting.ok
    assert f"{APP}: not asked before" in waiting.stdout
    assert f"{APP}: 1 failures" in edge.host.output("composeops certificates list")
    assert f'failed_attempts{{site="{APP}"}} 1' in edge.host.read(metrics)
    failed = edge.certificates(site(APP), key_type="rsa", acme_directory=down)
    assert f"{APP}: certbot got no certificate for {APP} from {down}" in failed["msg"]
    assert edge.serial(APP) == before
    mended = edge.certificates(site(APP))
    assert not mended["failed"], mended["msg"]
    assert edge.serial(APP) != before
    assert f'failed_attempts{{site="{APP}"}} 0' in edge.host.read(metrics)


def test_a_full_disk_leaves_nothing_half(edge: Edge) -> None:
    issued(edge, site(APP))
    before = edge.serial(APP)
    for directory in ("/etc/letsencrypt", "/etc/nginx/composeops/tls"):
        with full_disk(edge, directory):
            failed = edge.certificates(site(APP), key_type="rsa")
            assert failed["failed"]
            assert "No space left on device" in failed["msg"]
            edge.host.run("nginx -t && systemctl reload nginx", check=True)
            assert edge.serial(APP) == before
    mended = edge.certificates(site(APP), key_type="rsa")
    assert not mended["failed"], mended["msg"]
    assert mended["plan"][0] == f"{APP}: hand the certificate to nginx: nginx has an older one"
    assert edge.serial(APP) != before


def test_what_a_killed_certbot_began_does_not_stand_in_the_way(edge: Edge) -> None:
    edge.host.run(f": > /etc/letsencrypt/renewal/{APP}.conf", check=True)
    mended = issued(edge, site(APP))
    assert "what certbot had begun and not finished is in /etc/letsencrypt/incomplete" in str(mended["warnings"])
    assert [one["serving"] for one in mended["certificates"]] == ["acme"]
    assert edge.host.output("ls /etc/letsencrypt/renewal").split().count(f"{APP}-0001.conf") == 0


def test_a_profile_of_the_authority_is_what_is_issued_and_renewed(edge: Edge, authority: str) -> None:
    edge.publish(site(APP))
    offers = f"https://{authority}:14002/dir"
    refused = edge.certificates(site(APP), acme_directory=offers, acme_profile="long")
    assert f"acme_profile is long, which {offers} does not offer." in refused["msg"]
    assert "Its profiles are: classic, shortlived." in refused["msg"]
    classic = issued(edge, site(APP), acme_directory=offers, acme_profile="classic")
    assert classic["certificates"][0]["days_left"] >= 89
    short: dict[str, Any] = {"acme_directory": offers, "acme_profile": "shortlived"}
    replaced = issued(edge, site(APP), **short)
    assert "its profile is classic, not shortlived" in str(replaced["plan"])
    assert replaced["certificates"][0]["days_left"] in (5, 6)
    assert edge.certificates(site(APP), **short)["changed"] is False
    before = edge.serial(APP)
    edge.host.run(RENEW, check=True)
    assert edge.serial(APP) == before
    with due(edge):
        edge.host.run(RENEW, check=True)
    assert edge.serial(APP) != before
    renewed = edge.certificates(site(APP), **short)
    assert renewed["changed"] is False
    assert renewed["certificates"][0]["days_left"] in (5, 6)


def test_from_one_authority_to_another_that_binds_accounts(edge: Edge, authority: str) -> None:
    issued(edge, site(APP))
    other = f"https://{authority}:14001/dir"
    edge.host.run(f"rm -rf /etc/letsencrypt/accounts/{authority}:14001", check=True)
    unbound = edge.certificates(site(APP), acme_directory=other)
    assert unbound["failed"]
    assert "external account binding" in unbound["msg"].lower()
    before = edge.serial(APP)
    moved = issued(edge, site(APP), acme_directory=other, **BOUND)
    assert any(f"it comes from https://{authority}:14000/dir, not {other}" in line for line in moved["plan"])
    assert BOUND["eab_hmac_key"] not in str(moved)
    assert edge.serial(APP) != before
    assert edge.certificates(site(APP), acme_directory=other, **BOUND)["changed"] is False
    assert edge.host.output("stat -c %a /etc/composeops/acme/account.ini") == "600"


def test_the_operators_own_certificate_is_served(edge: Edge) -> None:
    make = (
        "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 30 -subj /O=Ours"
        " -addext subjectAltName=DNS:{name} -keyout /etc/ssl/private/{name}.key -out /etc/ssl/private/{name}.pem"
    )
    for name in (APP, "other.petcare.com"):
        edge.host.run(make.format(name=name), check=True)
    texts = {
        option: edge.host.read(f"/etc/ssl/private/{APP}.{end}")
        for option, end in (("certificate", "pem"), ("key", "key"))
    }
    ours = site(APP, certificate=texts)
    edge.publish(ours)
    predicted = edge.certificates(ours, check=True)
    applied = edge.certificates(ours)
    assert not applied["failed"], applied["msg"]
    assert applied["plan"] == predicted["plan"]
    assert [(one["serving"], one["issuer"]) for one in applied["certificates"]] == [("provided", "Ours")]
    assert texts["key"] not in str(applied)
    assert edge.certificates(ours)["changed"] is False
    serial = edge.serial(APP)
    wrong = site(APP, certificate={**texts, "key": "/etc/ssl/private/other.petcare.com.key"})
    failed = edge.certificates(wrong)
    assert "the provided certificate is not used: its key belongs to another certificate" in failed["msg"]
    assert edge.serial(APP) == serial


def test_a_private_authority_signs_without_leaving_its_key_and_is_given_up_again(edge: Edge) -> None:
    place = "/run/private-ca"
    edge.host.run(
        f"mkdir -p {place} && openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 30"
        f" -subj /O=Ours -keyout {place}/ca.key -out {place}/ca.pem",
        check=True,
    )
    authority = {"ca_certificate": edge.host.read(f"{place}/ca.pem"), "ca_key": edge.host.read(f"{place}/ca.key")}
    edge.host.run(["rm", "-r", place], check=True)
    wanted = site(APP, certificate={"source": "private_ca"})
    assert "is to come from a private authority, and none is given" in edge.certificates(wanted)["msg"]
    applied = issued(edge, wanted, **authority)
    assert [(one["serving"], one["issuer"]) for one in applied["certificates"]] == [("provided", "Ours")]
    assert edge.certificates(wanted, **authority)["changed"] is False
    secret = authority["ca_key"].splitlines()[1]
    assert not edge.host.run(f"grep -rqF {secret} /etc/composeops /etc/nginx /etc/letsencrypt /run /dev/shm").ok
    assert [one["serving"] for one in issued(edge, site(APP))["certificates"]] == ["acme"]
