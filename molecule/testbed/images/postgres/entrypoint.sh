#!/bin/bash
# Make a cluster on the first start, run the first-start files against a server without network, then serve.
set -Eeuo pipefail

# setting NAME DEFAULT: the variable NAME, or the content of the file that NAME_FILE names, or the default.
setting() {
    local file="$1_FILE"
    if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then
        echo "error: both $1 and $file are set; keep one of them" >&2
        exit 1
    fi
    if [ -n "${!file:-}" ]; then
        cat -- "${!file}"
    else
        printf '%s' "${!1:-$2}"
    fi
}

make_cluster() {
    local user password method secret
    user=$(setting POSTGRES_USER postgres)
    password=$(setting POSTGRES_PASSWORD '')
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$password" ] && [ "$method" != trust ]; then
        echo "error: the database has no superuser password: set POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD" >&2
        exit 1
    fi
    secret=$(mktemp)
    printf '%s\n' "$password" >"$secret"
    local arguments=(--username="$user" --auth-local=trust --auth-host="$method" --encoding=UTF8)
    [ -z "$password" ] || arguments+=(--pwfile="$secret")
    # shellcheck disable=SC2086  # POSTGRES_INITDB_ARGS is a list of words
    initdb --pgdata="$PGDATA" "${arguments[@]}" ${POSTGRES_INITDB_ARGS:-}
    rm -f "$secret"
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

first_start() {
    local user database file
    user=$(setting POSTGRES_USER postgres)
    database=$(setting POSTGRES_DB "$user")
    local query=(psql --no-psqlrc --no-password --set=ON_ERROR_STOP=1 --username="$user")
    pg_ctl --pgdata="$PGDATA" --wait --silent --options="-c listen_addresses=''" start
    if [ "$database" != postgres ]; then
        "${query[@]}" --dbname=postgres --set=name="$database" <<<'CREATE DATABASE :"name";'
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) echo "first start: running $file"; POSTGRES_USER=$user POSTGRES_DB=$database bash "$file" ;;
            *.sql) echo "first start: loading $file"; "${query[@]}" --dbname="$database" --file="$file" ;;
            *.sql.gz) echo "first start: loading $file"; gunzip -c "$file" | "${query[@]}" --dbname="$database" ;;
            '/docker-entrypoint-initdb.d/*') ;;
            *) echo "first start: leaving $file alone: neither .sql, .sql.gz nor .sh" ;;
        esac
    done
    pg_ctl --pgdata="$PGDATA" --wait --silent --mode=fast stop
}

# Arguments alone are the server's, as in `command: ["-c", "max_connections=200"]`.
if [ "${1#-}" != "$1" ]; then
    set -- postgres "$@"
fi

if [ "$1" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        install -d -m 0700 "$PGDATA"
        chown -R postgres:postgres "$PGDATA" /run/postgresql
        chmod 0700 "$PGDATA"
        exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
    fi
    # As in the image this one stands in for: after a first start that was cut off, remove the volume.
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        make_cluster
        first_start
        echo "first start: done"
    fi
fi

exec "$@"
