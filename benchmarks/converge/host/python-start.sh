#!/bin/bash
# Prints the seconds one start of the host's Python takes, the second time. Usage: python-start.sh
set -euo pipefail
export LC_ALL=C
program='import json, subprocess'
/usr/bin/python3 -c "$program"
start=$EPOCHREALTIME
/usr/bin/python3 -c "$program"
end=$EPOCHREALTIME
awk -v start="$start" -v end="$end" 'BEGIN { printf "%.4f\n", end - start }'
