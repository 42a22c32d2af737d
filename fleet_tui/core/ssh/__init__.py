"""What the operator's ssh_config says about hosts, as values."""
