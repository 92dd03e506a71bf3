#!/bin/sh
set -eu
ip -4 route replace local default dev lo table 8192
ip -4 rule show | grep -q '^100:.*fwmark 0x2000/0x2000 lookup 8192' || ip -4 rule add priority 100 fwmark 0x2000/0x2000 lookup 8192
ip -6 route replace local default dev lo table 8192
ip -6 rule show | grep -q '^100:.*fwmark 0x2000/0x2000 lookup 8192' || ip -6 rule add priority 100 fwmark 0x2000/0x2000 lookup 8192
nft -f - <<'RULES'
add table inet sallyport
delete table inet sallyport

table inet sallyport {
	chain left-alone {
		fib daddr type local accept comment "for this host itself"
		ip daddr 169.254.0.0/16 accept comment "metadata, task credentials, DNS and time of the link"
		ip6 daddr fe80::/10 accept comment "the link itself"
		ip6 daddr fd00:ec2::/32 accept comment "metadata, credentials, DNS and time over IPv6"
	}

	chain to-gw {
		meta nfproto ipv4 tcp dport { 80, 443 } counter tproxy ip to :15443 meta mark set meta mark | 0x2000 accept comment "ipv4 to the listener, which learns the original destination"
		meta nfproto ipv6 tcp dport { 80, 443 } counter tproxy ip6 to :15443 meta mark set meta mark | 0x2000 accept comment "ipv6 to the listener, which learns the original destination"
	}

	chain to-v4 {
		meta nfproto ipv4 tcp dport 8443 counter tproxy ip to 10.0.0.1:15444 meta mark set meta mark | 0x2000 accept comment "ipv4 to the listener, which learns the original destination"
	}

	chain past-gw {
		udp dport { 80, 443 } counter reject with icmpx port-unreachable comment "QUIC hides the name: refused by ICMP, so that clients fall back to TCP at once"
		tcp dport { 80, 443 } counter reject with tcp reset comment "goes past the listener: older than these rules, or of a family that it does not serve"
	}

	chain past-v4 {
		udp dport { 80, 443, 8443 } counter reject with icmpx port-unreachable comment "QUIC hides the name: refused by ICMP, so that clients fall back to TCP at once"
		tcp dport 8443 counter reject with tcp reset comment "goes past the listener: older than these rules, or of a family that it does not serve"
	}

	chain prerouting-tproxy {
		type filter hook prerouting priority -150; policy accept;
		meta l4proto tcp socket transparent 1 socket wildcard 0 meta mark set meta mark | 0x2000 accept comment "later packets of flows that a listener has"
		jump left-alone comment "what is left alone"
		iifname "eth1" jump to-gw comment "from where clients come in"
		jump to-v4 comment "from any interface"
	}

	chain forward {
		type filter hook forward priority 0; policy accept;
		jump left-alone comment "what is left alone"
		ct status dnat accept comment "sent there by another table, as to a published port of a container"
		iifname "eth1" jump past-gw comment "from where clients come in"
		jump past-v4 comment "from any interface"
	}
}
RULES
