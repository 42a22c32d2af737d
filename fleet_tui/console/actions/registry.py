"""Everything a key can do, once: footer, palette, ``:`` commands and help come from here.

Lower case looks, UPPER CASE acts. ``disabled_reason`` says in words why something cannot be done
now. A key means one thing everywhere.
"""

from collections.abc import Sequence

from fleet_tui.console.actions import (
    fleet as actions_acting,
)
from fleet_tui.console.actions import (
    looking as actions_looking,
)
from fleet_tui.console.actions import (
    tasks as actions_tasks,
)
from fleet_tui.console.actions.action import Action, Group, key_text

ACTIONS: tuple[Action, ...] = (
    *actions_looking.tab_actions(),
    *actions_looking.MOVE_ACTIONS,
    *actions_looking.WIDGETS_ACTIONS,
    *actions_looking.NARROW_ACTIONS,
    *actions_looking.SHOW_ACTIONS,
    *actions_acting.ENGINE_ACTIONS,
    *actions_tasks.TASK_ACTIONS,
    *actions_acting.ACT_ACTIONS,
    *actions_looking.REVIEW_ACTIONS,
    *actions_looking.CONSOLE_ACTIONS,
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
