#!/bin/sh
# The broker drops root itself; what it writes has to be its own before.
set -eu

if [ "$(id -u)" = 0 ] && [ -d /mosquitto ]; then
    chown -R mosquitto:mosquitto /mosquitto/data /mosquitto/log
fi

exec "$@"
