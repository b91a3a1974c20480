# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Directories, files and links as one tree."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

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

ABSENT = "(absent)\n"


def plan_paths(
    directories: Sequence[Directory], files: Sequence[File], links: Sequence[Link], found: Mapping[str, FoundPath]
) -> list[Change]:
    """Return the changes: what is to be made from the outside in, then what is to be removed from the inside out."""
    changes = [
        change
        for directory in sorted((one for one in directories if one.present), key=lambda one: one.path)
        for change in _directory(directory, found.get(directory.path))
    ]
    changes += [change for file in files if file.present for change in _file(file, found.get(file.path))]
    for link in links:
        changes += _link(link, found.get(link.path))
    changes += [change for file in files if not file.present for change in _absent_file(file, found.get(file.path))]
    for directory in sorted((one for one in directories if not one.present), key=lambda one: one.path, reverse=True):
        changes += _absent_directory(directory, found.get(directory.path))
    return changes


def _directory(wanted: Directory, current: FoundPath | None) -> list[Change]:
    resource = f"directory {wanted.path}"
    if current is None:
        after = _attributes(wanted.mode, wanted.owner, wanted.group)
        return [Change(resource, f"create directory {wanted.path}", ABSENT, after, MakeDirectory(wanted), wanted.path)]
    _refuse_link(wanted.follow, wanted.path, current)
    if current.kind != "directory":
        raise InvalidInput(
            f"{wanted.path} is to be a directory and is a {current.kind}.", "Look at it, then move it away."
        )
    return _attribute_change(resource, wanted, current)


def _file(wanted: File, current: FoundPath | None) -> list[Change]:
    resource = f"file {wanted.path}"
    if current is None or current.kind == "dangling":
        after = content_text(wanted.content, wanted.sensitive)
        return [Change(resource, f"create {wanted.path}", ABSENT, after, WriteFile(wanted), wanted.path)]
    _refuse_link(wanted.follow, wanted.path, current)
    if current.kind != "file":
        raise InvalidInput(f"{wanted.path} is to be a file and is a {current.kind}.", "Look at it, then move it away.")
    if current.content == wanted.content:
        return _attribute_change(resource, wanted, current)
    before = content_text(current.content or b"", wanted.sensitive)
    after = content_text(wanted.content, wanted.sensitive)
    if before == after:
        after = after.rstrip("\n") + ", changed\n"
    # Attributes are set with the content, but shown on their own: they may be the part that matters.
    before_attributes = _attributes(current.mode, current.owner, current.group)
    after_attributes = _attributes(wanted.mode, wanted.owner, wanted.group)
    if before_attributes != after_attributes:
        before, after = before_attributes + before, after_attributes + after
    return [Change(resource, f"change {wanted.path}", before, after, WriteFile(wanted), wanted.path)]


def _link(wanted: Link, current: FoundPath | None) -> list[Change]:
    resource = f"link {wanted.path}"
    if current is not None and current.target is None:
        raise InvalidInput(
            f"{wanted.path} is to be {'a link' if wanted.present else 'no link'} and is a {current.kind}.",
            "Look at it, then move it away.",
        )
    before = ABSENT if current is None else f"-> {current.target}\n"
    if not wanted.present:
        if current is None:
            return []
        return [Change(resource, f"remove {wanted.path}", before, ABSENT, RemoveFile(wanted.path), wanted.path)]
    if current is not None and current.target == wanted.target:
        return []
    sentence = f"point {wanted.path} to {wanted.target}"
    return [Change(resource, sentence, before, f"-> {wanted.target}\n", MakeLink(wanted), wanted.path)]


def _absent_file(wanted: File, current: FoundPath | None) -> list[Change]:
    if current is None:
        return []
    if current.kind == "directory" and current.target is None:
        raise InvalidInput(f"{wanted.path} is to be absent and is a directory.", "List it under directories.")
    before = "(link)\n" if current.target is not None else content_text(current.content or b"", wanted.sensitive)
    step = RemoveFile(wanted.path)
    return [Change(f"file {wanted.path}", f"remove {wanted.path}", before, ABSENT, step, wanted.path)]


def _absent_directory(wanted: Directory, current: FoundPath | None) -> list[Change]:
    if current is None:
        return []
    if current.kind != "directory" or current.target is not None:
        raise InvalidInput(f"{wanted.path} is to be absent and is no directory.", "List it under files.")
    before = _attributes(current.mode, current.owner, current.group)
    sentence = f"remove directory {wanted.path} with everything in it"
    return [Change(f"directory {wanted.path}", sentence, before, ABSENT, RemoveDirectory(wanted.path), wanted.path)]


def _refuse_link(follow: bool, path: str, current: FoundPath) -> None:
    if not follow and current.target is not None:
        raise InvalidInput(
            f"{path} is a symbolic link to {current.target}, which its account could point anywhere.",
            "Replace it by a plain file or directory, then run again.",
        )


def _attribute_change(resource: str, wanted: Directory | File, current: FoundPath) -> list[Change]:
    before = _attributes(current.mode, current.owner, current.group)
    after = _attributes(wanted.mode, wanted.owner, wanted.group)
    if before == after:
        return []
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    differing = [f"{old} to {new.split()[1]}" for old, new in pairs if old != new]
    sentence = f"change {wanted.path}: {', '.join(differing)}"
    step = SetAttributes(wanted.path, wanted.mode, wanted.owner, wanted.group)
    return [Change(resource, sentence, before, after, step, wanted.path)]


def _attributes(mode: int, owner: str, group: str) -> str:
    return f"mode {mode:04o}\nowner {owner}\ngroup {group}\n"


def content_text(content: bytes, sensitive: bool) -> str:
    """Return what a diff may show of a file: its text, or a stand-in for what is secret or no text."""
    if sensitive:
        return "(sensitive)\n"
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return f"(binary, {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()})\n"
