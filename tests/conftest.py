"""Fixtures that the whole suite shares: expensive ones exist once per session."""

from tests.support.openclaw_lab import openclaw_lab

__all__ = ["openclaw_lab"]
