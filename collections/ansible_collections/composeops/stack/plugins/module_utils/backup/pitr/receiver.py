# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PostgreSQL's own pg_receivewal, out of the server's image, in a container beside it that sees the spool alone."""

from __future__ import annotations

import math

from ansible_collections.composeops.stack.plugins.module_utils.backup import container as containers
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import sql
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import Process
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import PASSWORD, Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

SPOOL = "/spool"
STATUS_SECONDS = 5
"""How often it tells the server what it has, so that the server keeps no more than that."""


def container_name(source: Source) -> str:
    return f"composeops-wal-{source.stack}-{source.name}"


def command(place: Place, directory: str) -> list[str]:
    """Return how to receive the log into ``directory`` of this host.

    It shares the network of the server's container, so that nothing has to be published, and reads the password from
    the first line of its input. The image's user does not own the spool; root of a container without capabilities does.
    """
    source = place.source
    argv = [
        *("pg_receivewal", f"--directory={SPOOL}", f"--slot={sql.slot(source.name)}", "--no-loop", "--no-password"),
        *(f"--status-interval={STATUS_SECONDS}", "--host=127.0.0.1", f"--port={source.port}"),
        *(f"--username={source.user}", f"--dbname=application_name={container_name(source)}"),
    ]
    script = f'IFS= read -r {PASSWORD}; export {PASSWORD}; exec "$@"'
    return [
        *("docker", "run", "--rm", "--interactive", "--name", container_name(source), "--log-driver", "none"),
        *("--network", f"container:{place.container}", "--read-only", "--cap-drop", "ALL", "--user", "0:0"),
        *("--security-opt", "no-new-privileges", "--mount", f"type=bind,source={directory},target={SPOOL}"),
        *("--entrypoint", "sh", place.image, "-c", script, "sh", *argv),
    ]


class Receiver:
    """The process that receives, started and ended as often as needed."""

    def __init__(self, source: Source, runner: Runner) -> None:
        self._source = source
        self._runner = runner
        self._process: Process | None = None
        self.place: Place | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def start(self, place: Place, directory: str) -> None:
        """Begin, or begin anew, with what the server still keeps."""
        self.stop()
        secret = containers.first_line(postgres.password(self._source))
        argv, purpose = command(place, directory), f"pg_receivewal of {self._source.name}"
        self._process = Process(argv, purpose=purpose, secret=secret, deadline=math.inf)
        self.place = place

    def why(self) -> str:
        """Return why it ended."""
        if self._process is None:
            return "it was not started"
        try:
            self._process.finish()
        except CommandError as error:
            return str(error)
        return "pg_receivewal ended by itself"

    def stop(self) -> None:
        """End it; what it has finished stays. A killed service leaves its container, which goes as well."""
        self._runner.run(["docker", "rm", "--force", "--volumes", container_name(self._source)], check=False)
        if self._process is not None:
            self._process.close()
            self._process = None
