#!/bin/sh
set -eu
nft -f - <<'RULES'
add table inet sallyport
delete table inet sallyport
RULES
while ip -4 rule delete priority 100 fwmark 0x2000/0x2000 lookup 8192 2>/dev/null; do :; done
ip -4 route flush table 8192 2>/dev/null || :
while ip -6 rule delete priority 100 fwmark 0x2000/0x2000 lookup 8192 2>/dev/null; do :; done
ip -6 route flush table 8192 2>/dev/null || :
