"""The commented fleet file that ``fleet-tui init`` writes. It passes ``check`` as it is."""

from fleet_tui.core.fleet import Strategy

_USUAL = Strategy.LOAD_AWARE
_OTHERS = ", ".join(each.value for each in Strategy if each is not _USUAL)

STARTER = """\
# yaml-language-server: $schema=./fleet.schema.json
# (`fleet-tui schema --write fleet.schema.json` writes it; editors then complete and check keys.)
#
# One fleet of agents. `fleet-tui check` tells whether this file is right, without contacting
# anything. Settings cascade: defaults, then the agent's pool, then the agent; the nearest wins.
version: 1
fleet: my-fleet
# protected: true             # ask for the fleet's name before anything that stops work

defaults:
  # Where an OpenClaw gateway's token is, never the token itself. One of
  #   secret:env:NAME   secret:file:PATH   secret:keyring:SERVICE/USER
  #   secret:host:PATH  (read from the agent's own host), such as the gateway's own configuration:
  #   secret:host:~/.openclaw/openclaw.json#gateway.auth.token
  token: secret:env:OPENCLAW_GATEWAY_TOKEN
  port: 18789                 # the gateway's port on its host's loopback
  slots: 2                    # tasks an agent may work on at the same time
  # user: openclaw            # SSH login; what is not said here comes from ~/.ssh/config
  # jump: bastion             # reach every host through this one
  # probe: {every: 5s, timeout: 4s, down_after: 3, up_after: 3}
  # prices: {per_hour: 0.12, input_per_mtok: 3.00, output_per_mtok: 15.00}   # dollars

# Only hosts that need more than an ssh_config alias or an address:
# hosts:
#   bastion: {address: bastion.example.net, user: jump}
#   gw-1: {address: 10.0.0.11, port: 2222, identity: ~/.ssh/id_fleet}

pools:
  general: {strategy: @usual}          # or @others
  # gpu: {strategy: capability, capabilities: [gpu]}

agents:
  agent-01: {pool: general, host: gw-1.example.net, region: eu-w1}
  agent-02: {pool: general, host: gw-2.example.net, region: eu-w1}
  # agent-03: {pool: gpu, host: gw-1.example.net, port: 18790, isolate: acme}
  # any other program: the task on standard input, the answer on standard output
  # worker: {pool: general, kind: command, host: worker-1, command: [python3, agent.py]}

# routing:
#   residency:                  # hard boundaries
#     - {client: globex, regions: [eu-w1]}
#   isolated: [acme]            # never on shared agents, even when no agent isolates it now

retry:
  # once: tried again only if it definitely did not start. idempotent: may run again after a death.
  # resumable: continues from the checkpoint its program left; without one it is like once.
  once: {max_attempts: 3, backoff: 2s..60s}
  # idempotent: {max_attempts: 5, non_retryable: [exit-2]}   # failures that no retry fixes

# retry_budget: {percent: 20%, floor: 60}   # retries a minute: a share of first tries, at least 60
# limits: {open: 100000, lanes: {P3: 5000}, clients: {acme: 2000}, per_client: 500}   # open tasks
# deadlines: {schedule_to_start: 30m, start_to_close: 10m, heartbeat: 1m, total: 2h}
# lost_after: 15m               # ask an operator after an outcome was unknown for so long; or never
""".replace("@usual", _USUAL).replace("@others", _OTHERS)
