#!/bin/sh
# As in the image it stands in for: `agent` and options are Consul's, with the directories that volumes are mounted at.
set -eu

if [ "${1#-}" != "$1" ]; then
    set -- consul "$@"
elif [ "$1" = agent ]; then
    shift
    set -- consul agent -data-dir=/consul/data -config-dir=/consul/config "$@"
fi

if [ "$1" = consul ] && [ "$(id -u)" = 0 ]; then
    chown consul:consul /consul/data
    exec setpriv --reuid=consul --regid=consul --init-groups -- "$@"
fi

exec "$@"
