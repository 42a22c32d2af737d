"""Commands, one file per noun. Each imports what it needs when it runs: start-up is quick."""
