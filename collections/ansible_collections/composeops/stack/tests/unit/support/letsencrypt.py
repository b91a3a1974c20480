# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A certbot directory with a real, self-signed certificate in it, for tests of what reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

RENEWAL = """\
# renew_before_expiry = 30 days
version = 4.0.0
archive_dir = {archive}
cert = {live}/cert.pem
privkey = {live}/privkey.pem
chain = {live}/chain.pem
fullchain = {live}/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = 0123456789abcdef
authenticator = {authenticator}
webroot_path = /var/www/composeops-acme,
server = {server}
key_type = {key_type}
[[webroot_map]]
"""


def issue(
    directory: Path,
    *names: str,
    server: str = "https://acme.test/dir",
    key_type: str = "ecdsa",
    authenticator: str = "webroot",
    days: int = 90,
) -> Path:
    """Write what certbot keeps for a certificate of ``names``, and return its live directory."""
    live = directory / "live" / names[0]
    live.mkdir(parents=True, exist_ok=True)
    key = ["rsa:2048"] if key_type == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    alternatives = ",".join(f"DNS:{name}" for name in names)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", *key, "-days", str(days), "-subj", "/O=Test CA/CN=R1"),
            *("-addext", f"subjectAltName={alternatives}"),
            *("-keyout", str(live / "privkey.pem"), "-out", str(live / "fullchain.pem")),
        ],
        check=True,
        capture_output=True,
    )
    for name in ("cert.pem", "chain.pem"):
        (live / name).write_bytes((live / "fullchain.pem").read_bytes())
    (directory / "archive" / names[0]).mkdir(parents=True, exist_ok=True)
    renewal = directory / "renewal" / f"{names[0]}.conf"
    renewal.parent.mkdir(exist_ok=True)
    renewal.write_text(
        RENEWAL.format(archive=directory, live=live, server=server, key_type=key_type, authenticator=authenticator)
    )
    return live
