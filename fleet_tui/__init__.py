"""fleet-tui: an operations console for fleets of OpenClaw agents.

The folders are the pipeline; each may import only what stands below it::

    cli > console | sim > feed | engine > journal | wire | config > core
"""

__version__ = "0.1.0"
