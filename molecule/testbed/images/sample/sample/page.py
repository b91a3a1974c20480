"""The portal's page. Pure."""

from __future__ import annotations

from html import escape

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{service}</title></head>
<body>
<h1>{service}</h1>
<p>Version <span id="version">{version}</span></p>
<p>API <a id="api" href="{api_url}">{api_url}</a></p>
</body>
</html>
"""


def render(service: str, version: str, api_url: str) -> str:
    return PAGE.format(service=escape(service), version=escape(version), api_url=escape(api_url))
