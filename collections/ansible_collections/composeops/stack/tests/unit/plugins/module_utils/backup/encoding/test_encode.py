# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding.encode import Encoded
from ansible_collections.composeops.stack.plugins.module_utils.backup.process import Process
from ansible_collections.composeops.stack.plugins.module_utils.backup.producer import Output, Stream
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError

Opened = Callable[[float], Output]

# Stand-ins that are everywhere. The first says how much it read, as zstd does.
COUNTING = ["sh", "-c", 'exec 3>&1; tee /dev/fd/3 | { printf "(%d B => 1 B)" "$(wc -c)" >&2; }']
CAT = ["cat"]
KILLED = ["sh", "-c", "head -c 9; kill -9 $$"]
REFUSING = ["sh", "-c", "echo bad key >&2; exit 1"]


def process(script: str) -> Opened:
    return lambda deadline: Process(["sh", "-c", script], purpose="The dump", secret=None, deadline=deadline)


def made(*chunks: bytes, fail: bool = False, linger: float = 0) -> Opened:
    def generate() -> Generator[bytes]:
        yield from chunks
        time.sleep(linger)
        if fail:
            raise ComposeOpsError("Redis closed the connection.")

    return lambda deadline: generate()


class Chain:
    """Encodes by stand-ins for zstd and age."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.zstd = CAT
        self.age = CAT
        monkeypatch.setattr(programs, "encoder", lambda step, recipients: self.zstd if step == "zstd" else self.age)

    def of(self, opened: Opened, seconds: float = 20) -> Encoded:
        deadline = time.monotonic() + seconds
        return Encoded(Stream("dump", 1, lambda: opened(deadline)), ("zstd", "age"), ("age1x",), deadline)

    def run(self, opened: Opened, seconds: float = 20) -> bytes:
        return b"".join(self.of(opened, seconds).chunks())


@pytest.fixture(name="chain")
def chain_fixture(monkeypatch: pytest.MonkeyPatch) -> Chain:
    return Chain(monkeypatch)


SIZES = [1, 65536, 5_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_what_a_process_writes_comes_out_whole_and_is_counted(chain: Chain, size: int) -> None:
    chain.zstd = COUNTING
    encoded = chain.of(process(f"head -c {size} /dev/zero"))
    assert b"".join(encoded.chunks()) == bytes(size)
    assert encoded.plain_bytes == size


@pytest.mark.parametrize("size", SIZES)
def test_what_python_makes_comes_out_whole_and_is_counted(chain: Chain, size: int) -> None:
    content = os.urandom(size)
    encoded = chain.of(made(content[: size // 3], content[size // 3 :]))
    assert b"".join(encoded.chunks()) == content
    assert encoded.plain_bytes == size


FAILURES = [
    pytest.param(
        process("head -c 3000000 /dev/zero; kill -9 $$"), CAT, CAT, r"The dump failed with status -9", id="dump"
    ),
    pytest.param(
        process("exec yes"), ["sh", "-c", "head -c 9; kill -9 $$"], CAT, r"zstd of dump failed.*-9", id="zstd"
    ),
    pytest.param(process("exec yes"), CAT, ["sh", "-c", "head -c 9; kill -9 $$"], r"age of dump failed.*-9", id="age"),
    pytest.param(
        process("exec yes"), CAT, ["sh", "-c", "echo bad key >&2; exit 1"], r"age of dump.*bad key", id="refusal"
    ),
    pytest.param(made(bytes(3_000_000), fail=True), CAT, CAT, r"Redis closed", id="a stream that breaks off"),
    pytest.param(made(bytes(30_000_000)), KILLED, CAT, r"zstd of dump.*-9", id="zstd of a stream"),
    pytest.param(made(bytes(30_000_000)), CAT, KILLED, r"age of dump.*-9", id="age of a stream"),
    pytest.param(made(bytes(30_000_000)), ["true"], CAT, r"ended before its input did", id="one that ends too soon"),
    pytest.param(process("exec yes"), ["no-such-program"], CAT, r"no-such-program could not be started", id="missing"),
    pytest.param(made(), CAT, CAT, r"Nothing came out for dump", id="nothing"),
]


@pytest.mark.parametrize(("opened", "zstd", "age", "message"), FAILURES)
def test_one_that_fails_is_named_and_nothing_hangs(
    chain: Chain, opened: Opened, zstd: list[str], age: list[str], message: str
) -> None:
    chain.zstd, chain.age = zstd, age
    began = time.monotonic()
    with pytest.raises(ComposeOpsError, match=re.compile(message, re.DOTALL)):
        chain.run(opened)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("opened", [process("printf x; exec sleep 60"), made(b"x" * 9_000_000)], ids=["dump", "stream"])
def test_a_chain_that_stands_still_ends_in_time(chain: Chain, opened: Opened) -> None:
    chain.age = ["sleep", "60"]
    began = time.monotonic()
    with pytest.raises(CommandError, match="did not end in time"):
        chain.run(opened, seconds=0.5)
    assert time.monotonic() - began < 5


def test_a_reader_that_stops_ends_everything(chain: Chain, tmp_path: Path) -> None:
    identity = tmp_path / "pid"
    chunks = chain.of(process(f"echo $$ > {identity}; exec yes")).chunks()
    next(chunks)
    chunks.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(identity.read_text()), 0)


def test_a_producer_is_not_started_before_it_is_read(chain: Chain, tmp_path: Path) -> None:
    started = tmp_path / "started"
    chain.of(process(f"touch {started}")).chunks().close()
    assert not started.exists()


def test_what_was_read_so_far_is_known_meanwhile(chain: Chain) -> None:
    encoded = chain.of(process("exec yes"))
    chunks = encoded.chunks()
    while (encoded.plain_bytes or 0) < 100_000:
        next(chunks)
    chunks.close()
