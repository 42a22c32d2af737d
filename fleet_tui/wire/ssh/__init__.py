"""One shared SSH connection for each host, as OpenSSH would make it."""
