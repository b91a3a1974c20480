"""The module certificates against a real ACME server, certbot and nginx."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.bed_host import Completed
from tests.integration.edge_host import Edge, edge, site

pytestmark = pytest.mark.bed
__all__ = ["edge"]

APP, CUSTOMER = "app.petcare.com", "customer.petcare.com"
RENEW = (
    f"REQUESTS_CA_BUNDLE=/etc/composeops/acme-ca.pem certbot renew --cert-name {APP} --force-renewal"
    " --no-random-sleep-on-renew"
)
TIMER = "systemctl start certbot.service"
"""What the timer does."""


def issued(edge: Edge, *sites: dict[str, Any]) -> dict[str, Any]:
    """Serve the sites with their certificates; what an earlier test left fitting is not issued again."""
    edge.publish(*sites)
    result = edge.certificates(*sites)
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
def broken_nginx(edge: Edge) -> Iterator[None]:
    """Have nginx refuse its configuration on disk, while it goes on serving."""
    edge.host.run("cp /etc/nginx/nginx.conf /run/nginx.conf.good && echo 'frobnicate on;' >> /etc/nginx/nginx.conf")
    try:
        yield
    finally:
        edge.host.run("cat /run/nginx.conf.good > /etc/nginx/nginx.conf", check=True)


def renewed(edge: Edge) -> str:
    """Return the serial number of the certificate that certbot keeps."""
    kept = edge.host.run(f"openssl x509 -noout -serial -in /etc/letsencrypt/live/{APP}/fullchain.pem", check=True)
    return kept.stdout.strip()


def renew(edge: Edge, command: str) -> Completed:
    """Run what has certbot renew the certificate, until the authority lets it have one.

    Pebble refuses nonces on purpose, and certbot gives up when that happens twice in a row; its timer would try again.
    """
    kept = renewed(edge)
    for _attempt in range(4):
        completed = edge.host.run(command)
        log = edge.host.run("cat /var/log/letsencrypt/letsencrypt.log", check=True).stdout
        if renewed(edge) != kept or "invalid anti-replay nonce" not in log:
            break
    return completed


def test_pet_03_every_site_gets_a_certificate_from_a_clean_host(edge: Edge) -> None:
    edge.reset()
    wanted = [site(APP), site(CUSTOMER)]
    edge.publish(*wanted)
    predicted = edge.certificates(*wanted, check=True)
    assert [one["serving"] for one in predicted["certificates"]] == ["placeholder", "placeholder"]
    applied = edge.certificates(*wanted)
    assert (applied["changed"], applied["plan"]) == (predicted["changed"], predicted["plan"]) == (True, applied["plan"])
    assert [(one["site"], one["serving"]) for one in applied["certificates"]] == [(APP, "acme"), (CUSTOMER, "acme")]
    for name in (APP, CUSTOMER):
        answer = edge.get(f"https://{name}/")
        assert answer.status == 200
        assert answer.certificate is not None
        assert answer.certificate.names == (name,)
    for check in (True, False):
        again = edge.certificates(*wanted, check=check)
        assert (again["changed"], again["plan"]) == (False, [])


def test_no_hsts_for_a_placeholder_nor_for_an_authority_that_the_host_does_not_know(edge: Edge) -> None:
    result = issued(edge, site(APP))
    assert [(one["trusted"], one["hsts"]) for one in result["certificates"]] == [(False, False)]
    assert "strict-transport-security" not in edge.get(f"https://{APP}/").headers


def test_hsts_begins_and_ends_without_a_new_certificate(edge: Edge) -> None:
    issued(edge, site(APP))
    serial = edge.serial(APP)
    assert edge.certificates(site(APP), hsts="always")["plan"] == [
        f"{APP}: hand the certificate to nginx: HSTS begins",
        "record the sites for renewals in /etc/composeops/certificates.json",
    ]
    assert edge.get(f"https://{APP}/").headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    assert edge.certificates(site(APP, hsts="never"), hsts="always")["changed"]
    assert "strict-transport-security" not in edge.get(f"https://{APP}/").headers
    assert edge.serial(APP) == serial


def test_hsts_begins_by_itself_when_the_host_comes_to_trust_the_authority(edge: Edge) -> None:
    issued(edge, site(APP))
    known = "/usr/local/share/ca-certificates/composeops-test.crt"
    edge.host.write(known, edge.ca)
    try:
        edge.host.run("update-ca-certificates", check=True)
        assert edge.certificates(site(APP))["plan"] == [f"{APP}: hand the certificate to nginx: HSTS begins"]
        assert edge.get(f"https://{APP}/").headers["strict-transport-security"].startswith("max-age=63072000")
    finally:
        edge.host.run(f"rm {known} && update-ca-certificates --fresh", check=True)
    assert edge.certificates(site(APP))["plan"] == [f"{APP}: hand the certificate to nginx: HSTS ends"]
    assert "strict-transport-security" not in edge.get(f"https://{APP}/").headers


def test_an_added_and_a_removed_name_are_issued_again(edge: Edge) -> None:
    issued(edge, site(APP))
    both = issued(edge, site(APP, aliases=[CUSTOMER]))
    assert f"it lacks {CUSTOMER}" in both["plan"][0]
    assert edge.get(f"https://{CUSTOMER}/").status == 200
    one = issued(edge, site(APP))
    assert f"it also names {CUSTOMER}" in one["plan"][0]
    assert edge.certificates(site(APP))["changed"] is False


def test_a_renewal_by_certbot_is_served_through_the_hook(edge: Edge) -> None:
    issued(edge, site(APP))
    before = edge.serial(APP)
    assert renew(edge, RENEW).ok
    assert edge.serial(APP) != before
    assert edge.certificates(site(APP))["changed"] is False


def test_a_renewal_by_the_packaged_unit_is_served(edge: Edge) -> None:
    issued(edge, site(APP))
    before = edge.serial(APP)
    with due(edge):
        assert renew(edge, TIMER).ok
    assert edge.serial(APP) != before


def test_a_hook_that_fails_fails_the_unit_and_what_served_still_does(edge: Edge) -> None:
    issued(edge, site(APP))
    before = edge.serial(APP)
    with due(edge), broken_nginx(edge):
        assert not renew(edge, TIMER).ok
    assert edge.serial(APP) == before
    assert edge.host.output("systemctl show --property OnFailure --value certbot.service").startswith(
        "composeops-alert@"
    )
    waiting = renewed(edge)
    edge.host.run(["systemctl", "start", "certbot.service"], check=True)
    assert edge.serial(APP) == waiting != before


def test_a_run_killed_before_the_reload_is_completed(edge: Edge) -> None:
    issued(edge, site(APP))
    before = edge.serial(APP)
    edge.host.run("chmod -x /etc/letsencrypt/renewal-hooks/deploy/composeops", check=True)
    renew(edge, RENEW)
    edge.host.run("chmod +x /etc/letsencrypt/renewal-hooks/deploy/composeops", check=True)
    # The files as a run killed after the switch leaves them: new ones on disk, the old ones in nginx's memory.
    live, current = f"/etc/letsencrypt/live/{APP}", f"/etc/nginx/composeops/tls/{APP}/current"
    edge.host.run(f"cat {live}/fullchain.pem > {current}/fullchain.pem; cat {live}/privkey.pem > {current}/privkey.pem")
    assert edge.serial(APP) == before
    completed = edge.certificates(site(APP))
    assert completed["plan"] == [f"{APP}: hand the certificate to nginx: nginx has it but serves another"]
    assert edge.serial(APP) != before


def test_a_name_that_does_not_resolve_is_told_before_the_authority_is_asked(edge: Edge) -> None:
    edge.reset()
    wanted = [site(APP, aliases=["nowhere.invalid.petcare.com"]), site(CUSTOMER)]
    edge.publish(*wanted)
    log = edge.host.run("cat /var/log/letsencrypt/letsencrypt.log 2> /dev/null | grep -c nowhere").stdout
    failed = edge.certificates(*wanted)
    assert failed["failed"]
    assert f"{APP}: no certificate was requested" in failed["msg"]
    assert "nowhere.invalid.petcare.com does not resolve on this host." in failed["msg"]
    assert edge.host.run("cat /var/log/letsencrypt/letsencrypt.log 2> /dev/null | grep -c nowhere").stdout == log
    assert [(one["site"], one["serving"]) for one in failed["certificates"]] == [
        (APP, "placeholder"),
        (CUSTOMER, "acme"),
    ]


def test_a_wrong_answer_to_the_challenge_names_the_file_and_the_answer(edge: Edge) -> None:
    issued(edge, site(APP))
    before = edge.serial(APP)
    edge.published = None
    edge.host.run("sed -i s,/var/www/composeops-acme,/var/www/html, /etc/nginx/composeops/live/sites/*", check=True)
    edge.host.run(["systemctl", "reload", "nginx"], check=True)
    failed = edge.certificates(site(APP), key_type="rsa")
    assert failed["failed"]
    assert f"http://{APP}/.well-known/acme-challenge/composeops-" in failed["msg"]
    assert (
        "should answer with the file /var/www/composeops-acme/.well-known/acme-challenge/composeops-" in failed["msg"]
    )
    assert 'answered 404 "' in failed["msg"]
    assert edge.serial(APP) == before


def test_an_authority_that_is_down_is_told_and_what_served_still_does(edge: Edge) -> None:
    issued(edge, site(APP))
    before = edge.serial(APP)
    failed = edge.certificates(site(APP), acme_directory="https://127.0.0.1:9/dir")
    assert failed["failed"]
    assert f"{APP}: certbot got no certificate for {APP} from https://127.0.0.1:9/dir" in failed["msg"]
    assert failed["plan"] == ["record the sites for renewals in /etc/composeops/certificates.json"]
    assert edge.serial(APP) == before


def test_a_certificate_that_no_site_declares_is_named(edge: Edge) -> None:
    issued(edge, site(APP), site(CUSTOMER))
    warned = edge.certificates(site(APP))
    assert f"certbot delete --cert-name {CUSTOMER}" in str(warned.get("warnings"))


def test_bad_input_is_refused(edge: Edge) -> None:
    assert "is not a full host name" in edge.certificates(site("*.petcare.com"))["msg"]
    assert "Unsupported parameters" in edge.certificates(site(APP, names=[]))["msg"]


def test_a_changed_kind_of_key_is_issued_again(edge: Edge) -> None:
    issued(edge, site(APP))
    assert "its key is ecdsa, not rsa" in edge.certificates(site(APP), key_type="rsa")["plan"][0]
    shown = edge.host.run(f"openssl x509 -noout -text -in /etc/nginx/composeops/tls/{APP}/current/fullchain.pem")
    assert "rsaEncryption" in shown.stdout
    assert edge.certificates(site(APP), key_type="rsa")["changed"] is False
