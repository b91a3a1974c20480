# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    Change,
    Directory,
    File,
    FoundPath,
    Link,
    MakeDirectory,
    MakeLink,
    RemoveDirectory,
    RemoveFile,
    SetAttributes,
    WriteFile,
)
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_paths import plan_paths

DIRECTORY = FoundPath("directory", 0o755, "root", "root")
FILE = FoundPath("file", 0o644, "root", "root", b"old\n")
LINK_TO_FILE = FoundPath("file", 0o644, "root", "root", b"old\n", target="/srv/real")
LINK_TO_DIRECTORY = FoundPath("directory", 0o755, "root", "root", target="/srv/real")
DANGLING = FoundPath("dangling", target="/srv/gone")
DEVICE = FoundPath("other", 0o666, "root", "root")


def plan(*wanted: Directory | File | Link, found: FoundPath | None = None) -> list[Change]:
    by_type = {kind: [one for one in wanted if isinstance(one, kind)] for kind in (Directory, File, Link)}
    paths = {} if found is None else {one.path: found for one in wanted}
    return plan_paths(by_type[Directory], by_type[File], by_type[Link], paths)  # type: ignore[arg-type]


SETTLED = [
    pytest.param(Directory("/srv/a"), DIRECTORY, id="directory as wanted"),
    pytest.param(Directory("/srv/a"), LINK_TO_DIRECTORY, id="a link to a directory is followed"),
    pytest.param(Directory("/srv/a", present=False), None, id="absent directory"),
    pytest.param(File("/srv/a", b"old\n"), FILE, id="file as wanted"),
    pytest.param(File("/srv/a", b"old\n"), LINK_TO_FILE, id="a link to a file is followed"),
    pytest.param(File("/srv/a", present=False), None, id="absent file"),
    pytest.param(Link("/srv/a", "/srv/real"), LINK_TO_FILE, id="link as wanted"),
    pytest.param(Link("/srv/a", "/srv/gone"), DANGLING, id="a link may lead nowhere yet"),
    pytest.param(Link("/srv/a", present=False), None, id="absent link"),
]


@pytest.mark.parametrize(("wanted", "found"), SETTLED)
def test_what_is_as_wanted_stays_untouched(wanted: Directory | File | Link, found: FoundPath | None) -> None:
    assert plan(wanted, found=found) == []


STEPS = [
    pytest.param(Directory("/srv/a"), None, MakeDirectory(Directory("/srv/a")), "create directory /srv/a", id="make"),
    pytest.param(
        Directory("/srv/a", 0o700, "ana"),
        DIRECTORY,
        SetAttributes("/srv/a", 0o700, "ana", "root"),
        "change /srv/a: mode 0755 to 0700, owner root to ana",
        id="attributes of a directory",
    ),
    pytest.param(
        Directory("/srv/a", present=False),
        DIRECTORY,
        RemoveDirectory("/srv/a"),
        "remove directory /srv/a with everything in it",
        id="remove a directory",
    ),
    pytest.param(File("/srv/a", b"x"), None, WriteFile(File("/srv/a", b"x")), "create /srv/a", id="create a file"),
    pytest.param(File("/srv/a", b"x"), FILE, WriteFile(File("/srv/a", b"x")), "change /srv/a", id="change a file"),
    pytest.param(
        File("/srv/a", b"x"), DANGLING, WriteFile(File("/srv/a", b"x")), "create /srv/a", id="fill a dangling link"
    ),
    pytest.param(
        File("/srv/a", b"old\n", 0o600),
        FILE,
        SetAttributes("/srv/a", 0o600, "root", "root"),
        "change /srv/a: mode 0644 to 0600",
        id="the mode alone is no new content",
    ),
    pytest.param(File("/srv/a", present=False), FILE, RemoveFile("/srv/a"), "remove /srv/a", id="remove a file"),
    pytest.param(
        File("/srv/a", present=False), LINK_TO_DIRECTORY, RemoveFile("/srv/a"), "remove /srv/a", id="remove a link"
    ),
    pytest.param(
        Link("/srv/a", "/b"), DANGLING, MakeLink(Link("/srv/a", "/b")), "point /srv/a to /b", id="repoint a link"
    ),
    pytest.param(Link("/srv/a", present=False), DANGLING, RemoveFile("/srv/a"), "remove /srv/a", id="remove by link"),
]


@pytest.mark.parametrize(("wanted", "found", "step", "sentence"), STEPS)
def test_a_difference_becomes_one_step(
    wanted: Directory | File | Link, found: FoundPath | None, step: object, sentence: str
) -> None:
    (change,) = plan(wanted, found=found)
    assert change.step == step
    assert change.sentence == sentence
    assert change.path == "/srv/a"
    assert change.before != change.after


IMPOSSIBLE = [
    pytest.param(
        Directory("/srv/a"), FILE, "is to be a directory and is a file", id="file in the place of a directory"
    ),
    pytest.param(File("/srv/a"), DIRECTORY, "is to be a file and is a directory", id="directory in a file's place"),
    pytest.param(File("/srv/a"), DEVICE, "is to be a file and is a other", id="device in the place of a file"),
    pytest.param(Link("/srv/a", "/b"), FILE, "is to be a link and is a file", id="file in the place of a link"),
    pytest.param(Link("/srv/a", present=False), FILE, "is to be no link and is a file", id="file instead of a link"),
    pytest.param(File("/srv/a", present=False), DIRECTORY, "List it under directories", id="directory as a file"),
    pytest.param(Directory("/srv/a", present=False), FILE, "List it under files", id="file as a directory"),
    pytest.param(
        Directory("/srv/a", present=False), LINK_TO_DIRECTORY, "List it under files", id="no removal through a link"
    ),
    pytest.param(File("/srv/a", follow=False), LINK_TO_FILE, "symbolic link to /srv/real", id="link where none may be"),
]


@pytest.mark.parametrize(("wanted", "found", "message"), IMPOSSIBLE)
def test_a_stranger_in_the_place_is_named_and_left_alone(
    wanted: Directory | File | Link, found: FoundPath, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        plan(wanted, found=found)


def test_directories_are_made_from_the_outside_in_and_removed_from_the_inside_out() -> None:
    made = plan(Directory("/srv/a/b"), Directory("/srv/a"), File("/srv/a/b/c"))
    assert [change.path for change in made] == ["/srv/a", "/srv/a/b", "/srv/a/b/c"]
    removed = plan(Directory("/srv/a", present=False), Directory("/srv/a/b", present=False), found=DIRECTORY)
    assert [change.path for change in removed] == ["/srv/a/b", "/srv/a"]


def test_a_sensitive_file_shows_that_it_changes_and_nothing_of_what() -> None:
    (created,) = plan(File("/srv/a", b"hunter2", sensitive=True))
    (changed,) = plan(File("/srv/a", b"hunter2", sensitive=True), found=FILE)
    assert created.after == "(sensitive)\n"
    assert (changed.before, changed.after) == ("(sensitive)\n", "(sensitive), changed\n")
    (removed,) = plan(File("/srv/a", present=False, sensitive=True), found=FILE)
    assert removed.before == "(sensitive)\n"


def test_binary_content_is_shown_by_size_and_digest() -> None:
    (change,) = plan(File("/srv/a", b"\xff\x00"), found=FILE)
    assert change.before == "old\n"
    assert change.after.startswith("(binary, 2 bytes, sha256 ")


def test_new_attributes_are_shown_with_new_content() -> None:
    (change,) = plan(File("/srv/a", b"new\n", 0o600), found=FILE)
    assert change.before == "mode 0644\nowner root\ngroup root\nold\n"
    assert change.after == "mode 0600\nowner root\ngroup root\nnew\n"
