"""Everything a key can do, once: footer, palette, ``:`` commands and help come from here.

Lower-case keys are read-only, UPPER-CASE keys act. ``disabled_reason`` gives the reason why an
action is unavailable. A key means one thing everywhere.
"""

from collections.abc import Sequence

from fleet_tui.console.actions import acting, general, moving, narrowing, showing
from fleet_tui.console.actions.action import Action, Group, key_text
from fleet_tui.console.views.diff import actions as diff
from fleet_tui.console.views.logs import actions as logs
from fleet_tui.console.views.recordings import actions as recordings

ACTIONS: tuple[Action, ...] = (
    *moving.tab_actions(),
    *moving.MOVE_ACTIONS,
    *diff.DIFF_ACTIONS,
    *moving.WIDGETS_ACTIONS,
    *narrowing.NARROW_ACTIONS,
    *showing.SHOW_ACTIONS,
    *logs.LOG_ACTIONS,
    *showing.KEEP_ACTIONS,
    *acting.ENGINE_ACTIONS,
    *acting.ACT_ACTIONS,
    *recordings.REVIEW_ACTIONS,
    *general.CONSOLE_ACTIONS,
)

BY_NAME: dict[str, Action] = {action.name: action for action in ACTIONS}


def keys_table_markdown(actions: Sequence[Action] = ACTIONS) -> str:
    """The README's table of keys, by chapter."""
    bar, escaped = "|", "\\|"
    lines: list[str] = []
    for group in Group:
        members = [action for action in actions if action.group is group]
        if not members:
            continue
        lines += [f"### {group}", "", "| keys | does |", "|---|---|"]
        for action in members:
            keys = " ".join(f"`{key_text(key)}`" for key in action.keys).replace(bar, escaped)
            text = f"{action.title}. {action.help}".strip() if action.help else action.title
            lines.append(f"| {keys} | {text.replace(bar, escaped)} |")
        lines.append("")
    return "\n".join(lines)
