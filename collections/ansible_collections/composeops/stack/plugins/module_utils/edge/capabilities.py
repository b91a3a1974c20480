# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the nginx of a host understands, read from what it says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, int, int]

_NGINX = re.compile(r"nginx version: nginx/(\d+)\.(\d+)\.(\d+)")
_OPENSSL = re.compile(r"(?:built|running) with OpenSSL (\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Capabilities:
    """The versions that decide which directives the generated configuration may use.

    The defaults describe Debian 13; they are used to predict what a host without nginx will get.
    """

    nginx: Version = (1, 26, 3)
    openssl: Version = (3, 5, 0)
    ipv6: bool = True
    http3: bool = True
    brotli: bool = True
    """Whether nginx loads a module for it."""

    @property
    def http2_directive(self) -> bool:
        """``http2 on``; before it, http2 was a parameter of ``listen``."""
        return self.nginx >= (1, 25, 1)

    @property
    def keepalive_min_timeout(self) -> bool:
        """Whether a reload can leave idle client connections open long enough for a request under way."""
        return self.nginx >= (1, 27, 4)

    @property
    def post_quantum(self) -> bool:
        """Whether OpenSSL knows the group X25519MLKEM768; naming it to an older one stops nginx."""
        return self.openssl >= (3, 5, 0)


def parse(text: str, *, ipv6: bool, modules: str = "") -> Capabilities:
    """Return the capabilities of the nginx whose ``nginx -V`` printed ``text``.

    ``modules`` is what it is told to load.

    The OpenSSL that runs counts, not the one nginx was built with: nginx prints it last, and only when they differ.
    """
    nginx, openssl = _NGINX.search(text), _OPENSSL.findall(text)
    return Capabilities(
        nginx=_version(nginx.groups()) if nginx else Capabilities.nginx,
        openssl=_version(openssl[-1]) if openssl else (0, 0, 0),
        ipv6=ipv6,
        http3="--with-http_v3_module" in text,
        brotli="brotli_filter" in modules,
    )


def _version(parts: tuple[str, ...]) -> Version:
    major, minor, patch = (int(part) for part in parts)
    return major, minor, patch
