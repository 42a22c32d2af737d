"""The networks that this machine is in now, for ``Match localnetwork``."""

import ipaddress


def in_network(patterns: str) -> bool:
    """Whether an address of an interface that is up is in one of these networks
    (``192.0.2.0/24,2001:db8::/32``, as in ssh_config(5))."""
    import psutil  # noqa: PLC0415 - few need it, and check is quick

    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    addresses = []
    for name, found in psutil.net_if_addrs().items():
        for each in found if name in up else ():
            try:
                addresses.append(ipaddress.ip_address(each.address.partition("%")[0]))
            except ValueError:
                continue  # a hardware address
    for pattern in patterns.split(","):
        try:
            network = ipaddress.ip_network(pattern.strip(), strict=False)
        except ValueError:
            continue
        if any(address in network for address in addresses):
            return True
    return False
