"""The keys of a window on log lines."""

from textual.binding import Binding, BindingType

LOG_KEYS: list[BindingType] = [
    Binding("down,j", "cursor(1)", "down", show=False, id="log.down"),
    Binding("up,k", "cursor(-1)", "up", show=False, id="log.up"),
    Binding("pagedown", "page(1)", "page down", show=False, id="log.page-down"),
    Binding("pageup", "page(-1)", "page up", show=False, id="log.page-up"),
    Binding("ctrl+d", "half_page(1)", "half page down", show=False, id="log.half-down"),
    Binding("ctrl+u", "half_page(-1)", "half page up", show=False, id="log.half-up"),
    Binding("home,g", "first", "first", show=False, id="log.first"),
    Binding("G", "follow", "newest, follow", show=False, id="log.last"),
    Binding("end", "end", "newest, follow", show=False, id="log.end"),
    Binding("right", "side(1)", "scroll right", show=False, id="log.right"),
    Binding("left", "side(-1)", "scroll left", show=False, id="log.left"),
    Binding("f", "toggle_follow", "follow", show=False, id="log.follow"),
    Binding("w", "toggle_wrap", "wrap", show=False, id="log.wrap"),
    Binding("e", "error(1)", "next error", show=False, id="log.next-error"),
    Binding("E", "error(-1)", "previous error", show=False, id="log.previous-error"),
    Binding("i", "screen.perform('histogram')", "histogram", show=False, id="log.histogram"),
    Binding("n", "match(1)", "next match", show=False, id="log.next-match"),
    Binding("N", "match(-1)", "previous match", show=False, id="log.previous-match"),
]
