#!/usr/bin/env bash
# Takes a rival away, its volumes included. The next contestant brings its own nginx configuration.
# Usage: end.sh RIVAL
set -euo pipefail
cd "/opt/release-bench/$1"
docker compose down --volumes --remove-orphans
