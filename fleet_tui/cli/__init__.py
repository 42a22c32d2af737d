"""Commands, one file per noun. Each imports its dependencies when it runs, so that start-up is
fast."""
