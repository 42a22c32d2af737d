"""An OpenClaw gateway over one SSH connection: readiness by HTTP, everything else by WebSocket."""
