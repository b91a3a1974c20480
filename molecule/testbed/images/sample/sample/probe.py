"""A GET on the application's own /health, for images without curl. Standard library only, because it runs often."""

from __future__ import annotations

import http.client


def failure(port: int, path: str, timeout: float) -> str:
    """Why the application is not healthy; empty when it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"http://127.0.0.1:{port}{path}: {type(error).__name__}: {error}"
    finally:
        connection.close()
    return "" if answer.status == 200 else f"http://127.0.0.1:{port}{path}: {answer.status} {text}"
