"""The operator's ssh_config for hosts, as values."""
