#!/bin/sh
# Answer names first, then run the authorities that ask for them.
set -eu

# A zone that hosts may write with a key (RFC 2136), for challenges over DNS.
install --mode 0644 /etc/testbed/zone /var/cache/bind/wild.zone
named -c /etc/testbed/named.conf

# Names of the host come from files in /run/testbed/names, read again whenever one appears or changes there.
names() {
    dnsmasq --no-hosts --hostsdir=/run/testbed/names --local-ttl=0 --no-negcache --cache-size=1000 --user=root \
        --server=/wild.petcare.com/127.0.0.1#5300 "$@"
}

# The host is told of everything else by the resolver that the engine gave this container. The authorities are told of
# nothing else: they ask over TCP, which not every such resolver answers.
names
names --port=5301 --pid-file= --no-resolv --local=/#/

# Its accounts are bound to a customer's key (RFC 8555, section 7.3.4), and it knows nothing of the other's.
pebble -config /etc/testbed/pebble-bound.json -dnsserver 127.0.0.1:5301 &
# A request that names no profile gets any of those that Pebble offers, so the usual one offers a single one.
pebble -config /etc/testbed/pebble-profiles.json -dnsserver 127.0.0.1:5301 &

exec pebble -config /etc/testbed/pebble.json -dnsserver 127.0.0.1:5301
