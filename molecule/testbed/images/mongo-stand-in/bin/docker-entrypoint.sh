#!/bin/sh
# Serve as the user mongodb from /data/db; options alone are the server's.
set -eu
umask 077

case ${1:-} in
    -*) set -- mongod "$@" ;;
esac

if [ "${1:-}" = mongod ] && [ "$(id -u)" = 0 ]; then
    # The password may be a file that only root reads.
    for name in USERNAME PASSWORD; do
        eval "file=\${MONGO_INITDB_ROOT_${name}_FILE:-}"
        if [ -n "$file" ]; then
            eval "export MONGO_INITDB_ROOT_${name}=\$(cat \"\$file\")"
        fi
    done
    find /data/db \! -user mongodb -exec chown mongodb:mongodb '{}' +
    exec setpriv --reuid=mongodb --regid=mongodb --init-groups -- "$@"
fi

exec "$@"
