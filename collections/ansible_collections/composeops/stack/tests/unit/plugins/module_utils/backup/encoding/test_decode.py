# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding.decode import decode
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError

CONTENT = bytes(range(256)) * 20_000
ENCODING = ("zstd", "age")


def script(text: str) -> list[str]:
    return ["sh", "-c", text, "sh"]


class Decoder:
    """Decodes by stand-ins: age hands out its file when its input is the right key, zstd its input."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.directory = directory
        self.age = script('test "$(cat)" = key && exec cat "$2"')
        self.zstd = script("exec cat")
        monkeypatch.setattr(programs, "decoder", self.argv)
        self.source = directory / "dump.zst.age"
        self.source.write_bytes(CONTENT)
        self.target = directory / "dump"

    def argv(self, step: str, path: str | None) -> list[str]:
        return [*(self.age if step == "age" else self.zstd), *([] if path is None else ["--", path])]

    def run(self, identity: str | None = "key", plain: int | None = len(CONTENT), seconds: float = 20) -> None:
        stored = StoredObject("dump", len(CONTENT), "", ENCODING, plain)
        decode(str(self.source), str(self.target), stored, identity, deadline=time.monotonic() + seconds)


@pytest.fixture(name="decoder")
def decoder_fixture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Decoder:
    return Decoder(monkeypatch, tmp_path)


@pytest.mark.parametrize("plain", [len(CONTENT), None], ids=["of known size", "of unknown size"])
def test_what_was_encoded_comes_out_for_its_owner_alone(decoder: Decoder, plain: int | None) -> None:
    decoder.run(plain=plain)
    assert decoder.target.read_bytes() == CONTENT
    assert decoder.target.stat().st_mode & 0o777 == 0o600


FAILURES = [
    pytest.param(
        "age", "echo no identity matched any of the recipients >&2; exit 1", ComposeOpsError, "no identity", id="key"
    ),
    pytest.param(
        "age", "head -c 99 /dev/zero; echo failed to authenticate >&2; exit 1", Damaged, "authenticate", id="altered"
    ),
    pytest.param("zstd", "cat >/dev/null; echo premature end >&2; exit 1", Damaged, "premature end", id="cut short"),
    pytest.param("zstd", "exit 1", Damaged, "zstd of dump.zst.age failed", id="one that does not read on"),
    pytest.param("zstd", "echo No space left on device >&2; exit 70", ComposeOpsError, "No space left", id="full disk"),
    pytest.param("zstd", "kill -9 $$", ComposeOpsError, "status -9", id="killed"),
]


@pytest.mark.parametrize(("step", "text", "kind", "message"), FAILURES)
def test_one_that_fails_leaves_no_file_and_says_what_is_bad(
    decoder: Decoder, step: str, text: str, kind: type[ComposeOpsError], message: str
) -> None:
    setattr(decoder, step, script(text))
    with pytest.raises(ComposeOpsError, match=re.compile(message)) as raised:
        decoder.run()
    assert isinstance(raised.value, Damaged) == (kind is Damaged)
    assert list(decoder.directory.iterdir()) == [decoder.source]


def test_another_size_than_the_manifest_says_is_damage(decoder: Decoder) -> None:
    with pytest.raises(Damaged, match=r"decodes to 5120000 bytes; its manifest says 7"):
        decoder.run(plain=7)
    assert not decoder.target.exists()


def test_it_ends_in_time(decoder: Decoder) -> None:
    decoder.age = script("exec sleep 60")
    began = time.monotonic()
    with pytest.raises(CommandError, match="did not end in time"):
        decoder.run(seconds=0.3)
    assert time.monotonic() - began < 5


def test_without_a_key_nothing_is_tried(decoder: Decoder) -> None:
    with pytest.raises(ComposeOpsError, match="no identity was given"):
        decoder.run(identity=None)
    assert not decoder.target.exists()


@pytest.mark.parametrize(
    ("step", "path", "argv"),
    [
        ("zstd", None, ["zstd", "--decompress", "--quiet", "--stdout"]),
        ("age", "/x/-f", ["age", "--decrypt", "--identity", "-", "--", "/x/-f"]),
    ],
)
def test_programs_get_a_file_or_their_input(step: str, path: str | None, argv: list[str]) -> None:
    assert programs.decoder(step, path) == argv


def test_every_recipient_can_decrypt() -> None:
    argv = programs.encoder("age", ["age1a", "age1b"])
    assert argv == ["age", "--encrypt", "--recipient", "age1a", "--recipient", "age1b"]
    assert (programs.steps(["age1a"]), programs.steps([])) == (("zstd", "age"), ("zstd",))
