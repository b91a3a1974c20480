#!/bin/sh
# Answer names first, then run the authorities that ask for them.
set -eu

# A zone that hosts may write with a key (RFC 2136), for challenges over DNS.
install --mode 0644 /etc/testbed/zone /var/cache/bind/wild.zone
named -c /etc/testbed/named.conf

# Names of the host come from files in /run/testbed/names, read again whenever one appears or changes there;
# everything else goes to the resolver that the engine gave this container.
dnsmasq --no-hosts --hostsdir=/run/testbed/names --local-ttl=0 --no-negcache --cache-size=1000 --user=root \
    --server=/wild.petcare.com/127.0.0.1#5300

# Its accounts are bound to a customer's key (RFC 8555, section 7.3.4), and it knows nothing of the other's.
pebble -config /etc/testbed/pebble-bound.json -dnsserver 127.0.0.1:53 &

exec pebble -config /etc/testbed/pebble.json -dnsserver 127.0.0.1:53
