"""What every room may use: errors, paths, what a process gives up, what a crash leaves."""
