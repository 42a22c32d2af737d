"""The filter language of tables, logs, selectors and alerts: one grammar, one meaning.

``word`` ``"two words"`` ``/regex/`` ``key:value`` ``key:a|b`` ``key!=v`` ``key>5s`` ``key~re``
``-term`` ``since:10m`` ``until:12:00``; spaces mean *and*, ``or`` and ``( )`` do what they say.

Everything ignores case. A word is looked for in the text of the line. ``key:value`` compares whole
values, ``*`` standing for anything. Comparisons understand units: ``5s`` ``10m`` ``80%`` ``12k``
``$4``. Values asked of a thing are milliseconds, microusd and hundredths, as everywhere.
"""
