# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_place
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner

HERE = Source("database", "postgres", "shop", "postgres", "shop", "shop")
ELSEWHERE = Source(
    "database", "postgres", "shop", database="shop", user="shop", host="db.test", image="postgres:15", port=6432
)


def test_clients_of_a_container_run_in_it() -> None:
    place = Place(HERE, "sha256:1", "abc")
    assert place.command(["psql"])[:4] == ["docker", "exec", "--interactive", "abc"]
    assert place.stream()[:4] == ["docker", "exec", "--interactive", "abc"]
    assert str(place) == "service postgres"


def test_clients_of_a_server_elsewhere_run_in_a_container_of_their_own() -> None:
    place = postgres_place.of(ELSEWHERE, CommandRunner())
    for command in (place.command(["psql"]), place.stream()):
        assert command[:2] == ["docker", "run"]
        assert {"PGHOST=db.test", "PGPORT=6432", "PGSSLMODE=require"} <= set(command)
    assert (place.container, place.image, str(place)) == ("", "postgres:15", "the server db.test")
