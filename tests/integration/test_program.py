"""The on-host program, installed from the collection and used on a real host."""

from __future__ import annotations

import pytest

from tests.integration.bed_host import BedHost

pytestmark = pytest.mark.bed

MODULE = "composeops.stack.program"
ARCHIVE = "/usr/local/lib/composeops/composeops.pyz"


def test_check_apply_again_and_repair(host: BedHost) -> None:
    host.run("rm -rf /usr/local/lib/composeops /usr/local/bin/composeops", check=True)
    predicted = host.module(MODULE, {}, check=True)
    assert predicted["changed"]
    assert not host.exists(ARCHIVE)
    done = host.module(MODULE, {})
    assert done["plan"] == predicted["plan"]
    assert not host.module(MODULE, {}, check=True)["changed"]
    assert not host.module(MODULE, {})["changed"]
    host.run(f"echo spoiled >> {ARCHIVE}; chmod 0777 {ARCHIVE}", check=True)
    assert host.module(MODULE, {})["plan"] == [f"change {ARCHIVE}"]
    assert host.run(f"stat -c '%a %U' {ARCHIVE}", check=True).stdout == "755 root\n"


def test_it_runs_for_everyone_and_explains_itself(host: BedHost) -> None:
    installed = host.module(MODULE, {})
    version = host.run(["runuser", "-u", "nobody", "--", installed["path"], "--version"], check=True).stdout
    assert version.startswith(f"composeops {installed['version']} (Python 3.")
    text = host.run([installed["path"], "--help"], check=True).stdout
    assert "usage: composeops" in text
    assert "commands:" in text
    refused = host.run([installed["path"], "no-such-command"])
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "invalid choice" in refused.stderr


def test_nothing_of_the_caller_gets_into_it(host: BedHost) -> None:
    path = host.module(MODULE, {})["path"]
    host.write("/tmp/composeops-evil/argparse.py", "print('evil')\n")
    completed = host.run(f"cd /tmp/composeops-evil && PYTHONPATH=/tmp/composeops-evil {path} --version", check=True)
    host.run("rm -r /tmp/composeops-evil", check=True)
    assert "evil" not in completed.stdout


def test_options_are_refused(host: BedHost) -> None:
    result = host.module(MODULE, {"force": True})
    assert result["failed"]
    assert "has no options" in result["msg"]
