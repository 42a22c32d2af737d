"""The pure middle: values in, values out.

Nothing here reads a clock, draws a random number, opens a file or writes a log. Instants are
integers of milliseconds since the Unix epoch in UTC (``*_at_ms``), durations are milliseconds
(``*_ms``), money is integer millionths of a US dollar (``*_microusd``).
"""
