"""The filter language of tables, logs, selectors and alerts: one grammar, one meaning.

``word`` ``"two words"`` ``/regex/`` ``key:value`` ``key:a|b`` ``key!=v`` ``key>5s`` ``key~re``
``-term`` ``since:10m`` ``until:12:00``; spaces mean *and*, ``or`` and ``( )`` have their usual
meaning.

Everything ignores case. A word is searched in the text of the line. ``key:value`` compares whole
values, ``*`` matches anything. Comparisons understand units: ``5s`` ``10m`` ``80%`` ``12k`` ``$4``.
The values of a row are milliseconds, microusd and hundredths, as everywhere.
"""
