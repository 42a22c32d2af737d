"""Hostile text: what agents, logs and pastes may hold to steer a terminal or a widget."""

ESCAPES: tuple[str, ...] = (
    "\x1b]52;c;cm0gLXJmIC8=\x1b\\",  # clipboard
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b]0;owned\x07",  # title and icon
    "\x1b]2;owned\x1b\\",
    "\x1b]7;file://evil/\x07",
    "\x1b]8;;https://evil.example/\x1b\\click\x1b]8;;\x1b\\",  # link
    "\x1b]9;pop\x07",
    "\x1b]10;?\x07",  # queries, answered as if typed
    "\x1b]11;?\x1b\\",
    "\x1b]1337;File=inline=1:AAAA\x07",
    "\x1b[c",
    "\x1b[>c",
    "\x1b[=c",
    "\x1b[>q",
    "\x1b[5n",
    "\x1b[6n",
    "\x1b[21t",
    "\x1bP$qm\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x1b_Gi=1;AAAA\x1b\\",
    "\x1b^private\x1b\\",
    "\x1bXstring\x1b\\",
    "\x1bkowned\x1b\\",  # a window's name in tmux and screen
    "\x1bPtmux;\x1b\x1b]52;c;cm0gLXJmIC8=\x07\x1b\\",  # past tmux, to the terminal around it
    "\x1bc",  # reset
    "\x1b[!p",
    "\x1b[2J\x1b[H",
    "\x1b[31mred\x1b[0m",
    "\x1b[?1049l",
    "\x1b[?1000l\x1b[?1003l",
    "\x1b[?25l",
    "\x1b[?2004l",
    "\x1b[3;1r",
    "\x1b[10A\x1b[2K",
    "\x1b7\x1b8",
    "\x1b(0",
    "\x1b#8",
    "\x9b31m",
    "\x9d0;owned\x9c",
    "\x90q\x9c",
    "\x05",  # answerback
    "\x0e\x0f",
    "\x07",
    "\x08\x08\x08agent-01 up",
    "down\rup  ",
    "a\x0bb\x0cc",
    "\x00",
    "\x7f\x7f",
    "\x1b",
    "\x1b[",
    "\x1b]52;c;",
)

UNICODE: tuple[str, ...] = (
    "\u202eexe.gpj",
    "\u2066left\u2069",
    "\u200bzero\u200b",
    "\u200d\u200c",
    "\ufeffbom",
    "\u2060joiner",
    "\U000e0041\U000e0042",  # tags
    "\u3164hangul\u115f\u1160\uffa0",
    "e" + "\u0301" * 60,
    "\u0489" * 20,
    "\ud800",
    "\udcff\udc80",
    "\ufe0f\ufe0f\ufe0f",
    "\U000e0101",
    "\u2028\u2029\x85",
    "\ue000\U0010fffd",
    "\u00adsoft",
    "\u180e\u061c",
    "\u3000\u00a0\u2003wide spaces",
    "漢字 ok 👩\u200d🚀 ⚠\ufe0f",
)

MARKUP: tuple[str, ...] = (
    "[/x]",
    "[/]",
    "[/bold]",
    "[bold]shout",
    "path [/usr/bin]",
    '{"a": "[/x]"}',
    "[@click=app.quit]open logs[/]",
    "[@click=app.simulate_key('d')]open logs[/]",
    "[@mouse.down=app.quit]x[/]",
    "[link=http://evil.example]here[/link]",
    "[link='http://evil.example']here[/link]",
    "[ERROR] disk full",
    "[[nested]]",
    "\\[escaped]",
    "[red on",
    ":warning: $primary",
)

ALL: tuple[str, ...] = ESCAPES + UNICODE + MARKUP

REPLIES: tuple[str, ...] = (
    "\x1b[?1;2c",
    "\x1b[?62;1;6;22c",
    "\x1b[>41;367;0c",
    "\x1b[=1;2c",
    "\x1bP>|tmux 3.3a\x1b\\",
    "\x1bP1$r0m\x1b\\",
    "\x1bP0$r\x1b\\",
    "\x1bP1+r544e=787465726d\x1b\\",
    "\x1bP!|00000000\x1b\\",
    "\x1b]11;rgb:1212/1212/1212\x1b\\",
    "\x1b]10;rgb:d0d0/d0d0/d0d0\x07",
    "\x1b]52;c;ZHJhaW4gYWxs\x1b\\",
    "\x1b]lowned\x1b\\",
    "\x1b]Lowned\x1b\\",
    "\x1b[0n",
    "\x1b[3n",
    "\x1b[?13n",
    "\x1b[?15u",
    "\x1b[?1;0;256S",
    "\x1b[8;24;80t",
    "\x1b[4;600;800t",
    "\x1b[?1004;2$y",
    "\x1b[4;1$y",
    "\x1b[2;1;1;128;128;1;0x",
    "\x1b_Gi=1;OK\x1b\\",
)
"""What terminals answer to queries."""
