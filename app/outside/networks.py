"""Which network addresses are on the public internet."""

from ipaddress import IPv4Address, ip_address, ip_network

# The special-purpose registries of IANA (iana-ipv4-special-registry), and the one public address
# that a cloud gives to its own agent.
REFUSED_V4 = [
    ip_network(block)
    for block in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",
    ]
]
# Only 2000::/3 is handed out to the public, so everything else (loopback, mapped, NAT64,
# link-local, site-local, unique local, multicast) is refused by not being in it. Inside it these
# blocks carry or document other addresses: Teredo and its neighbours, 6to4, the old test network.
PUBLIC_V6 = ip_network("2000::/3")
REFUSED_V6 = [
    ip_network(block)
    for block in (
        ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20"]
    )
]


def permitted(address: str) -> bool:
    """Return whether an address (one that a resolver gave) is on the public internet."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in block for block in REFUSED_V4)
    # ISATAP hides an IPv4 address behind these 32 bits of the interface identifier.
    isatap = (int(parsed) >> 32) & 0xFDFFFFFF == 0x00005EFE
    scoped = parsed.scope_id is not None
    return parsed in PUBLIC_V6 and not (
        isatap or scoped or any(parsed in block for block in REFUSED_V6)
    )
