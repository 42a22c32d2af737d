"""The parts of the README that come from the program: keys, commands, the picture.

``python -m tests.support.readme`` writes them anew; a test compares.
"""

import asyncio
import re
from pathlib import Path

from fleet_tui.cli.main import chapters
from fleet_tui.console.actions.registry import keys_table_markdown
from tests.support.console import at_rest, console, running, until
from tests.support.demo_scene import demo_feed
from tests.support.promises import promises_markdown
from tests.support.release_rows import releases_markdown

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PICTURE = ROOT / "tests" / "console" / "pictures" / "overview.svg"
SIZE = (120, 40)


def generated() -> dict[str, str]:
    """What belongs between ``<!-- NAME -->`` and ``<!-- /NAME -->``."""
    rows = [
        f"| {'' if nth else chapter} | `{name}` | {line} |"
        for chapter, commands in chapters().items()
        for nth, (name, (_, line)) in enumerate(commands.items())
    ]
    return {
        "commands": "\n".join(("| about | `fleet-tui …` | does |", "|---|---|---|", *rows)),
        "keys": keys_table_markdown().strip(),
        "promises": promises_markdown(),
        "releases": releases_markdown(),
    }


def with_generated(text: str) -> str:
    """The README with its generated parts as they should be."""
    for name, content in generated().items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = pattern.sub(lambda found, c=content: f"{found[1]}{c}\n{found[2]}", text)  # type: ignore[misc]  # a default binds it early
    return text


async def picture() -> str:
    """The overview of the demo's fleet as an SVG: the same moment every time."""
    app = console(demo_feed())
    async with running(app, SIZE) as pilot:
        await until(pilot, lambda: at_rest(app))
        return app.export_screenshot(title="fleet-tui")


def main() -> None:
    """Write them."""
    README.write_text(with_generated(README.read_text()))
    PICTURE.write_text(asyncio.run(picture()))


if __name__ == "__main__":
    main()
