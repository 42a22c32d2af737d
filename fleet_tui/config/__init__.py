"""The operator's files: ``fleet.yaml`` to a FleetSpec, other inventories to a ``fleet.yaml``."""
