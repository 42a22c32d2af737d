"""Finds the severity in a log line of any program.

Programs write it as a word in a usual place, as a field of JSON or logfmt, as a letter (klog,
logcat) or as a number (syslog, pino). A sentence that merely contains such a word has no level: ``0
errors``, ``error=null``. The forms are those of the programs in ``tests/wire/data/levels.tsv``.

Only the beginning of a line is searched, and each expression reads it once, whoever wrote it.
"""

import re

import msgspec

from fleet_tui.core.logs import Level

LEVEL_SEARCH_CHARS = 200
"""How much of a line, without its colours, is searched for a word."""

MAX_DEPTH = 2
"""A record may contain a whole line, as in Docker's files, and that line may be a record."""

_COLOURED_CHARS = 3 * LEVEL_SEARCH_CHARS

_NAMES: dict[Level, tuple[str, ...]] = {
    Level.UNKNOWN: (),
    Level.TRACE: ("trace", "trac", "trc", "trce", "silly", "finest", "finer", "verbose", "vrb"),
    Level.DEBUG: (
        *("debug", "debu", "dbg", "dbug", "debug1", "debug2", "debug3", "fine", "config"),
    ),
    Level.INFO: (
        *("info", "inf", "information", "notice", "note", "success", "http", "log", "system"),
    ),
    Level.WARN: ("warn", "warning", "wrn", "wrning", "deprecated"),
    Level.ERROR: (
        *("error", "err", "erro", "eror", "fatal", "fata", "ftl", "critical", "crit", "crt"),
        *("panic", "pani", "pnc", "dpanic", "alert", "emerg", "emergency", "severe"),
        *("fail", "failure"),
    ),
}
_LEVEL_OF = {name: level for level, names in _NAMES.items() for name in names}

_NEEDS_A_MARK = frozenset(
    {"config", "deprecated", "fail", "failure", "fine", "http", "log", "note", "success", "system"}
    | {"finer"}
)
"""Levels of some program that are ordinary words too: only in brackets or before a colon."""

_ONLY_CAPITALS = frozenset({"config", "failure", "fine", "finer", "finest", "log", "system"})
"""Before a colon too, these are ordinary words unless they are in capitals or in brackets."""

_OPENS_A_LINE = frozenset({"error", "fatal", "warning", "warn", "critical"})
"""In lower case and without a mark these are a level at a line's beginning (``error Command
failed``), unless the next word makes them a subject."""

_SUBJECT = re.compile(
    r" +(?:handl|rate|budget|count|log|level|page|code[s ]*$|recover|report|correct|messag|free"
    r"|prone|bound|thresh|toleran|detect|monitor|alert|email|analy|stat|metric|mode|system|light"
    r"|sign|path|accident|injur|mass|think|section|point|label|letter|boundar|case|flag|theme"
    r"|(?:and|or|is|was|were|are|of|has|have|had|should|will|can|may|only)\b|=)",
    re.I,
)

_WORD = re.compile(r"[A-Za-z_]\w*")
_COLOUR = re.compile(
    r"(?:\x1b|\\u001[bB]|\\x1[bB]|\\033|#033|\^\[)\[[0-?]{0,40}[ -/]{0,4}[@-~]|\x9b[0-?]{0,40}[@-~]"
)
_CONTROL = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,600}(?:\x07|\x1b\\|\x9c)"  # links, titles
    r"|\x1b[ -/]{1,4}[0-~]|\x1b[0-Z\\^_`a-~]"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
"""Control sequences without visible output, colours aside."""
_COLOUR_HINTS = ("\x1b", "\\", "\x9b", "#033", "^[")
_SYSLOG = re.compile(r"<(\d{1,3})>(?:1 )?")
_TAG = r"[\w./@()-]{1,60}(?:\[\d{1,10}\])?: "
_STAMP = r"\w{3} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
_CARRIER = re.compile(
    r"\S{20,40} std(?:out|err) [FP] "  # containers (CRI)
    r"|[\w.-]{1,60} +\| "  # compose
    r"|\[pod/[\w./-]{1,120}\] "  # kubectl
    rf"|(?:{_STAMP}|\d{{4}}-\d\d-\d\dT\S{{8,30}}) ([\w.:-]{{1,255}}) {_TAG}"  # syslog, journalctl
    r"|[\w./@()-]{1,60}\[\d{1,10}\]: "
    r"|\[ *\d{1,10}\.\d{6}\] "  # the kernel
)
"""Prefixes of another program's line; the one group is a host, or already a level."""

MAX_CARRIERS = 3

_FACILITY = re.compile(
    rf"(?:\[?(?:\w{{3}} )?{_STAMP}(?: \d{{4}})?\]? )?(?:[\w.:-]{{1,255}} )?"
    r"(?:kern|user|mail|daemon|auth|authpriv|syslog|lpr|news|uucp|cron|ftp|local[0-7]) *[.:] *"
    r"(emerg|alert|crit|err|error|warn|warning|notice|info|debug)"
    rf"(?: *: | (?={_TAG}))"
)
"""Syslog's names for the number at the beginning (BusyBox, OpenWrt, dmesg)."""
_LETTER = re.compile(
    r"(?:\[\w{1,20}\]:\[)?([IWEFD])\d{4}(?:\d{4})?[ T]\d\d:\d\d:\d\d"  # klog, glog, PyTorch
    r"|\[([TDIWEFC])(?:\]| \d)"  # tornado and the like
    r"|\d\d-\d\d \d\d:\d\d:\d\d\.\d+ +\d+ +\d+ ([VDIWEF]) "  # logcat
    r"|([VDIWEF])/[\w.-]{1,60} *\("  # logcat, brief
    r"|\d{4}-\d\d-\d\dT\S{8,30} ([DIWEF]) [A-Z]+ "  # mongod before 4.4
    r"|\d{4}-\d\d-\d\dT\S{8,30} ([DIWE])! "  # telegraf
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,6}: ([IWEF]) "  # TensorFlow
    r"|\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([DIWEFC]) "  # Ray
    r"|([VDIWE]) (?:\(\d{1,10}\)|\[\d\d/\w{3}/\d{4}:)"  # ESP-IDF, CUPS
    r"|(?:\[ *\d+\.\d+\] )?\(([EWI])[EWI]\) "  # X.Org
    r"|SLF4J\(([DIWE])\): "
    r"|([EW]): \S"  # APT
    r"|([ew]): (?=file:|/)"  # Kotlin
    r"|=([EWIC])[A-Z]+ REPORT="  # Erlang
    r"|\d+:[XCSM] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} ([.*#-]) "  # redis
)
_LETTERS = {
    **dict.fromkeys("VT.", Level.TRACE),
    **dict.fromkeys("D-", Level.DEBUG),
    **dict.fromkeys("I*", Level.INFO),
    **dict.fromkeys("W#w", Level.WARN),
    **dict.fromkeys("EFCe", Level.ERROR),
}
_KEYS = (
    r"(?:[Ll]evel|lvl|[Ss]everity|logLevel|loglevel|log_level|log\.level|levelname"
    r"|severityText|severity_text)"
)
_FIELD = re.compile(
    rf'(?:^|[\s\[{{(,;|])(?:{_KEYS}|LEVEL|SEVERITY)=["\']?([A-Za-z]{{1,20}}\d?|[1-6]0(?=\s|$))\b'
    r'|"(?:[^"\\]|\\.)*+"'
)
_AT = re.compile(r"(?:^|\w\]: )at=(debug|info|warn|warning|error|fatal)\b")
"""Heroku's router and libraries in its manner."""
_LOGFMT = re.compile(r"[\w.@-]{1,60}=")
_FORM = re.compile(
    rf'(?:[\w.]{{1,60}} = (?:"[^"]{{0,200}}"|[^\s"]{{1,60}}) ){{0,8}}{_KEYS} = "([A-Za-z]{{1,20}})"'
    rf"|[ {{-]{{0,8}}{_KEYS}: [\"']?([A-Za-z]{{1,20}})[\"']?(?=\s*$|,)"  # YAML
    r"|::(error|warning|notice|debug)(?= [A-Za-z]{1,20}=|::)"  # commands of GitHub's runners
    r"|\((debug|info|warn|warning|error|fatal|critical)\) (?=\S)"
    r"|(Warning|Error|Fatal|Critical)! (?=\S)"
    r"|##vso\[task\.logissue type=(error|warning)\b"  # Azure
    r"|(?:\([\w.-]{1,60}:\d{1,10}\): )?[\w.-]{1,60}-(CRITICAL|WARNING|ERROR|DEBUG) \*\*: "  # GLib
    r"|CMake (Error|Warning)(?: \([a-z]{1,20}\))?(?: at \S{1,150})?(?: \([^()]{1,60}\))?:"
    r"|[\w-]{2,20} (error|warning|critical|info) \(device "  # file systems of Linux
    r"|(?:rsync|[Ss]yntax|[Pp]arse|[Rr]untime|[Ii]nternal) (error|warning): (?=[a-z])"
    r"|\d{4}-\d\d-\d\d \S{8,30}: \d{1,9}: (debug|info|warning|error) : ",  # libvirt
)
_NUMBERED = re.compile(
    r"PRIORITY=([0-7]) [A-Z_]{2,40}="  # journald
    r"|(?:[^%]{0,120}: )?%[A-Z][A-Z0-9_]{1,30}(?:-[A-Z0-9_]{1,30})?-([0-7])-[A-Z0-9_]{2,40}:"
)
"""With one of syslog's numbers; the second form is Cisco's."""
_PYTHON_DICT = re.compile(
    r"\{(?:'[^'\\]{0,60}': (?:'[^'\\]{0,200}'|\"[^\"\\]{0,200}\"|[^'\",{}]{1,60}), ){0,8}"
    rf"'{_KEYS}': '([A-Za-z]{{1,20}})'"
)
_JSON_FIELD = re.compile(
    rf'(?i)"(?:{_KEYS}|logLevelName|@l|@level)"\s{{0,4}}:\s{{0,4}}"?(?:\\u001b\[[0-9;]*m)?([a-z]{{1,20}}|\d{{1,3}})'
)
_SENTENCE = re.compile(
    r"(?:[A-Za-z][a-z']{0,30},? ){3}\Z"
    r"|(?:\b(?:no|not|without|zero|any|an?|the|of|as|is|with|on|to|level|log-level)|(?<![\w.:,])0)"
    r"[ =:\"']{1,3}\Z",
    re.I,
)
"""Text before a word that is part of a sentence."""

_NOTHING = re.compile(
    r"""\s{0,4}[:=]\s{0,4}(?:0+|null|none|nil|undefined(?! symbol)|false|n/a|''|"")"""
    r"""(?=\s*$|[,;)}\]|]|\.\s|\s{1,8}[\w.]{1,40}[=:])""",
    re.I,
)
_CODE = re.compile(r"(?:\[\w{1,10}\]| [A-Z]{1,4}\d{1,6}| \(\d{1,9}\)| error)?:(?!:)", re.I)
"""Between a compiler's level and its colon: ``error[E0308]:``, ``error TS2322:``."""

_AFTER_PREFIX = re.compile(
    r"(?:^|^\W{1,6}|[:)\]|>] {1,8}|[-\u2013\u2502] |\t| {4}"
    r"|(?:\d(?:Z|[+-]\d\d:?\d\d)?|\b[A-Z]{3,4})[\])]? +|^(?:PHP|npm|pnpm|yarn|bun) )\Z"
)
_AFTER_TIME = re.compile(
    r"\d\d:\d\d(?:[.,:]\d{1,9}){0,2} ?(?:Z|[+-]\d\d:?\d\d|UTC)?[\])]?:? {1,4}"
    r"(?:\[[\w./:-]{1,40}\] ){0,2}\Z"
)
_OPENER = re.compile(
    r"Traceback \(most recent call last\):|Exception in thread |Unhandled exception"
    r"|Exception Group Traceback|Kernel panic - |Oops: |terminate called "
    r"|ERR_[A-Z]{2,8}_[A-Z_]{2,60} "  # pnpm
    r"|\*\* \([\w.]{1,80}\) "  # Elixir
    r"|\S{1,150}:\d{1,9}:in .{1,160}\((?:\w{1,60}::){0,5}\w{0,60}(?:Error|Exception)\)$"  # Ruby
    r"|thread '[^']{1,60}' (?:\(\d+\) )?panicked at|Segmentation fault|Uncaught \w*Error"
    r"|PHP (?:Fatal|Parse) error: |make: \*\*\* |\*\*\* (?:\[|No rule )|FAILED  \] "
    r"|(?:Caused by: )?(?:[\w$]{1,60}(?:\.|::)){0,10}\w{0,60}(?:Error|Exception)"
    r"(?:: |:?$| \(.{0,160}\):?$)"
    r"|((?:\S{1,150}:\d{1,9}|\(node:\d{1,9}\)(?: \[\w{1,20}\])?):? \w{0,60}Warning: )"
)
"""Messages of a program's runtime when it fails; the one group marks mere warnings."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a JSON record that may hold a level, each of any type."""

    level: object = None
    lvl: object = None
    severity: object = None
    loglevel: object = None
    log_level: object = None
    Level: object = None
    levelname: object = None
    severityText: object = None
    severity_text: object = None
    log_dot_level: object = msgspec.field(default=None, name="log.level")
    at_t: object = msgspec.field(default=None, name="@t")
    at_m: object = msgspec.field(default=None, name="@m")
    at_mt: object = msgspec.field(default=None, name="@mt")
    at_l: object = msgspec.field(default=None, name="@l")
    at_level: object = msgspec.field(default=None, name="@level")
    levelString: object = None
    syslog_severity: object = None
    L: object = None
    priority: object = None
    s: object = None
    PRIORITY: object = None
    levelno: object = None
    severity_number: object = None
    severityNumber: object = None
    SeverityNumber: object = None
    log: object = None
    record: object = None


_RECORD = msgspec.json.Decoder(_Record)


def read_level(line: str) -> Level:
    """The severity near the beginning of a line; UNKNOWN when there is none that we know."""
    return _read(line, MAX_DEPTH) or Level.UNKNOWN


def without_colours(text: str) -> str:
    """``text`` without its colour sequences, including those that a logger wrote as text."""
    if "[" in text or "\x9b" in text:
        for hint in _COLOUR_HINTS:
            if hint in text:
                return _COLOUR.sub("", text)
    return text


def _read(line: str, depth: int) -> Level | None:
    head = _beginning(line)
    priority: Level | None = None
    if head.startswith("<") and (syslog := _SYSLOG.match(head)):
        number = int(syslog[1])
        priority = _of_syslog(number & 7) if number < 192 else None
        head = head[syslog.end() :]
    elif (classed := _FACILITY.match(head)) is not None:
        priority = _LEVEL_OF[classed[1]]
        head = head[classed.end() :]
    for _ in range(MAX_CARRIERS):
        carrier = _CARRIER.match(head)
        if carrier is None or (carrier[1] or "").lower() in _LEVEL_OF:
            break
        head = head[carrier.end() :]
    brace = head.find("{")
    if brace >= 0 and _LOOKS_JSON.match(head, brace):
        return _of_words(head[:brace]) or _of_json(line, depth) or priority
    return (
        _of_letter(head)
        or _of_form(head)
        or _of_fields(head)
        or _of_words(head)
        or _of_opener(head)
        or priority
    )


def _beginning(line: str) -> str:
    """The searched part of a line: as a terminal shows it, with plain spaces and without
    colours."""
    if "\r" in line:
        line = "\n".join(map(_last_state, line.split("\n")))
    begin = line[:_COLOURED_CHARS]
    if not begin.isprintable():
        begin = _CONTROL.sub("", begin).replace("\xa0", " ")
    return without_colours(begin)[:LEVEL_SEARCH_CHARS]


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


_LOOKS_JSON = re.compile(r'\{\s*"')


def _of_syslog(severity: int) -> Level:
    """RFC 5424, 6.2.1."""
    if severity <= 3:
        return Level.ERROR
    if severity == 4:
        return Level.WARN
    return Level.DEBUG if severity == 7 else Level.INFO


def _of_letter(head: str) -> Level | None:
    found = _LETTER.match(head)
    return _LETTERS[found[found.lastindex or 1]] if found else None


def _of_form(head: str) -> Level | None:
    """A level in a form of its own at the beginning of a line."""
    if (numbered := _NUMBERED.match(head)) is not None:
        return _of_syslog(int(numbered[1] or numbered[2]))
    brace = head.find("{'")
    found = _FORM.match(head) or (_PYTHON_DICT.match(head, brace) if brace >= 0 else None)
    return _LEVEL_OF.get(found[found.lastindex or 0].lower()) if found else None


def _of_fields(head: str) -> Level | None:
    if "=" not in head:
        return None
    if (at := _AT.search(head)) is not None:
        return _LEVEL_OF[at[1]]
    for found in _FIELD.finditer(head):
        value = found[1]
        if value is None:
            continue  # quoted text, whatever its content
        if value.isdigit():
            if _LOGFMT.match(head):
                return _of_tens(int(value))
        elif (level := _LEVEL_OF.get(value.lower())) is not None:
            return level
    return None


def _of_opener(head: str) -> Level | None:
    found = _OPENER.match(head.lstrip("[]\t +|"))
    if found is None:
        return None
    return Level.WARN if found[1] else Level.ERROR


def _of_words(head: str) -> Level | None:
    for found in _WORD.finditer(head):
        word = found[0]
        name = word.lower()
        level = _LEVEL_OF.get(name)
        if level is not None and _stands_as_level(head, found.start(), found.end(), word, name):
            return level
    return None


def _stands_as_level(head: str, start: int, end: int, word: str, name: str) -> bool:
    """Whether a level's name is where loggers put it."""
    before, after = head[:start], head[end : end + 40]
    bracketed = after.lstrip(" ").startswith("]") and (
        before.rstrip(" ").endswith("[") or bool(_MODULE.search(before))
    )
    if _SENTENCE.search(before[-100:]):
        return False
    angled = after.startswith(("> ", "> <")) and (before == "<" or before.endswith((" <", "> <")))
    if bracketed or angled:
        return True
    if before and _NOTHING.match(after):
        return False
    if _IS_SPOKEN_OF.fullmatch(before) and _SUBJECT.match(after):
        return False
    if word.isupper():
        marked = after[:1] in (":", "|", ",") or after[:2] in (" |", " [") or before[-2:] == "| "
        return (marked or name not in _NEEDS_A_MARK) and _upper_stands(before, after)
    if _NOTHING.match(after):
        return False
    if _AFTER_PREFIX.search(before[-40:]):
        coded = name not in _ONLY_CAPITALS and _CODE.match(after)
        acts = name in _OPENS_A_LINE and _ACTS.match(after) and not _SUBJECT.match(after)
        if coded or acts:
            return True
    if before in _PACKAGERS:
        return after.startswith(" ")
    if before.endswith("\t") and after.startswith("\t"):
        return True
    if before.endswith("| ") and after.lstrip(" ").startswith("|"):
        return True
    opens = not before or bool(_BEFORE_OPENING.fullmatch(before))
    if opens and name not in _OPENS_A_LINE:
        return False
    return (
        name not in _NEEDS_A_MARK
        and (opens or bool(_AFTER_TIME.search(before[-50:])))
        and after.startswith((" ", "\t"))
        and _SUBJECT.match(after) is None
    )


_MODULE = re.compile(r"\[[\w.-]{0,40}:\Z")
"""Apache names its module before the level: ``[core:error]``."""

_ACTS = re.compile(r" (?:\w{2,20}ing|while|response from) ")
"""An action after a program's name: ``dpkg: error processing package``."""

_IS_SPOKEN_OF = re.compile(r"(?:[A-Za-z][a-z']{0,30} ){1,2}")

_PACKAGERS = ("npm ", "pnpm ", "yarn ", "bun ")

_BEFORE_OPENING = re.compile(r"(?:npm|pnpm|yarn|bun) |[^\w\x00-\x7f]{1,2} {1,3}")
"""The names of packagers, or a sign such as a cross."""


def _upper_stands(before: str, after: str) -> bool:
    last, following = before[-1:], after[:1]
    match last:
        case "" | " " | "\t" | "[" | "(" | "|" | "<" | "*" | ">" | ":" | "\x00":
            return following not in ("=", "_", "?", '"', "'", "\\") and not _FILE.match(after)
        case "-":
            return len(before) == 1
        case ".":
            return following == ":"
        case "," | ";":
            return following == last
        case '"':
            return after.startswith('",') or before.endswith(',"')
        case "]":
            return following in ("", " ", ":", "[")
        case "/":
            return following == "]" and before.rpartition("[")[2][:-1].replace(" ", "").isalnum()
        case _:  # a sign or a symbol that is not a letter
            return not last.isascii() and following in (" ", ":", "")


_FILE = re.compile(r"\.\w")
"""An ending, as of a file's name."""


def _of_json(line: str, depth: int) -> Level | None:
    """The level of a record; a truncated record is searched for a field instead."""
    text = line[line.index("{") :].rstrip()
    try:
        record = _RECORD.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        found = _JSON_FIELD.search(text)
        return _of_value(found[1]) if found else None
    values = (
        *(record.level, record.lvl, record.severity, record.loglevel, record.log_level),
        *(record.Level, record.levelname, record.severityText),
        *(record.severity_text, record.log_dot_level, record.at_l, record.at_level),
        *(record.levelString, record.syslog_severity, record.L),
        record.priority if isinstance(record.priority, str) else None,
    )
    # A name is clearer than a number, which may be on one of several scales.
    for value in (*(v for v in values if isinstance(v, str)), *values):
        if value is not None and (level := _of_value(value)) is not None:
            return level
    plain = record.at_t is not None and (record.at_m is not None or record.at_mt is not None)
    return (
        _of_numbers(record)
        or _of_inner(record, depth)
        or _of_any_key(text)
        or (Level.INFO if plain and record.at_l is None else None)  # as Serilog leaves it out
    )


_SPELLINGS = re.compile(r"[^a-z]")
_ANY_KEYS = frozenset(
    {"level", "lvl", "severity", "loglevel", "levelname", "errorseverity", "severitytext", "status"}
    | {"sev"}
)
"""Keys in any spelling: ``Severity``, ``level_name``, ``@severity``. The status of a record is a
level where it is the name of one (Datadog)."""
_LOGLEVEL = {
    "loglevel": (Level.TRACE, Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR, Level.ERROR)
}
"""As .NET counts (``Microsoft.Extensions.Logging.LogLevel``)."""
_HUNDREDS = {
    "level": (Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR, Level.ERROR, Level.ERROR),
    "severity": (Level.DEBUG, Level.INFO, Level.INFO, Level.WARN, Level.ERROR, Level.ERROR),
}
"""From 100 on, as Monolog counts and as Google Cloud Logging does."""


def _of_any_key(text: str) -> Level | None:
    """The level of a key in another spelling, or of a number whose scale follows from its key."""
    try:
        record: object = msgspec.json.decode(text)
    except (ValueError, RecursionError):  # keys that the fields above do not cover
        return None
    if not isinstance(record, dict):
        return None
    known = [
        (name, value)
        for key, value in record.items()
        if (name := _SPELLINGS.sub("", key[:40].lower())) in _ANY_KEYS
    ]
    for _, value in known:
        if isinstance(value, str) and (level := _of_name(value)) is not None:
            return level
    for name, value in known:
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
        if not isinstance(number, int) or isinstance(number, bool):
            continue
        if name in _LOGLEVEL and 0 <= number < len(_LOGLEVEL[name]):
            return _LOGLEVEL[name][number]
        if name in _HUNDREDS and 100 <= number < 900:
            return _HUNDREDS[name][min(number // 100, 6) - 1]
    return None


_DIGITS = re.compile(r"[0-9]{1,4}")


def _of_value(value: object) -> Level | None:
    match value:
        case str():
            word = without_colours(value[:60]).strip().lower()
            if word.isdecimal() and word.isascii():
                return _of_number(int(word))
            if word in ("i", "w", "e", "f", "d"):
                return _LETTERS[word.upper()]
            return _of_name(word)
        case bool():
            return None
        case int():
            return _of_number(value)
        case {"name": str(name)} | {"text": str(name)} | {"value": str(name)}:
            return _LEVEL_OF.get(name[:60].lower())
        case _:  # whatever else a program may put there names no level
            return None


def _of_name(word: str) -> Level | None:
    """A level's name, also with an offset (slog: ``INFO+2``)."""
    name = without_colours(word[:60]).strip().lower().partition(" ")[0]
    return _LEVEL_OF.get(_OFFSET.sub("", name))


_OFFSET = re.compile(r"[+-]\d{1,4}\Z")


def _of_number(number: int) -> Level | None:
    """Of ``level``: syslog's 0 to 7 (GELF, journald), or pino's and bunyan's tens."""
    return _of_syslog(number) if 0 <= number <= 7 else _of_tens(number)


def _of_tens(number: int) -> Level | None:
    """https://getpino.io/#/docs/api?id=loggerlevels-object"""
    if not 10 <= number < 70:
        return None
    return (Level.TRACE, Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR)[min(number // 10, 5) - 1]


def _of_numbers(record: _Record) -> Level | None:
    match record:
        case _Record(s=str(letter)) if letter in ("I", "W", "E", "F", "D"):
            return _LETTERS[letter]  # mongod
        case _Record(PRIORITY=str() | int() as number):
            return _of_value(number)
        case _Record(levelno=int(number)) if 10 <= number <= 50:
            return (Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR, Level.ERROR)[number // 10 - 1]
        case (
            _Record(severity_number=int(number))
            | _Record(severityNumber=int(number))
            | _Record(SeverityNumber=int(number))
        ):
            # OpenTelemetry: four steps each of trace, debug, info, warn, error and fatal
            return Level(min((number - 1) // 4 + 1, Level.ERROR)) if 1 <= number <= 24 else None
        case _:  # whatever else a program may put there names no level
            return None


def _of_inner(record: _Record, depth: int) -> Level | None:
    """A line or a record inside the record."""
    match record:
        case _Record(log=str(text)) if depth > 1:
            return _read(text, depth - 1)
        case _Record(log={"level": value}) | _Record(record={"level": value}):
            return _of_value(value)
        case _:  # whatever else a program may put there names no level
            return None
