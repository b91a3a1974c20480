"""Test callback: writes each task's result as one JSON line, exactly as other callbacks are given it."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: result_file
type: aggregate
short_description: Write task results to a file for the tests
description: Appends one JSON object per task result to the file named by COMPOSEOPS_RESULT_FILE.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "result_file"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, status: str, result: Any) -> None:
        line = {
            "host": result.host.name,
            "task": result.task_name,
            "status": status,
            # The statuses were taken out of what callbacks are given: the kind of event says them.
            "result": {**result.result, "changed": result.is_changed(), "failed": status in ("failed", "unreachable")},
        }
        with open(os.environ["COMPOSEOPS_RESULT_FILE"], "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write("failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write("unreachable", result)
