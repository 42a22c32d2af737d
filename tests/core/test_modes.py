"""What an engine can do in each mode, and what an operator can do about it."""

from fleet_tui.core.modes import (
    TROUBLES,
    EngineMode,
    Healing,
    ModeNow,
    Trouble,
)


def test_only_a_normal_engine_starts_work_and_a_held_one_takes_it() -> None:
    assert {mode for mode in EngineMode if mode.starts_work} == {EngineMode.NORMAL}
    takes = {mode for mode in EngineMode if mode.takes_commands}
    assert takes == {EngineMode.NORMAL, EngineMode.FROZEN}


def test_every_mode_has_a_word_and_all_but_the_normal_one_a_way_out() -> None:
    words = {mode: mode.label for mode in EngineMode}
    assert words[EngineMode.READ_ONLY] == "READ-ONLY"
    assert all(word.isupper() for word in words.values())
    assert {mode for mode in EngineMode if mode.way_out == ""} == {EngineMode.NORMAL}


def test_an_engine_that_waits_says_for_how_long() -> None:
    within = {Healing.TRY_AGAIN: "within seconds", Healing.OPEN_AGAIN: "within a minute"}
    for row in TROUBLES.values():
        if row.mode is EngineMode.READ_ONLY:
            assert row.way_out.startswith(row.advice)
            assert row.way_out.endswith(within[row.healing])
        else:
            assert row.way_out == row.advice


def test_a_trouble_has_a_way_out_of_its_own() -> None:
    full = ModeNow(mode=EngineMode.READ_ONLY, trouble=Trouble.DISK_FULL)
    assert full.way_out == TROUBLES[Trouble.DISK_FULL].way_out
    assert ModeNow(mode=EngineMode.FROZEN).way_out == EngineMode.FROZEN.way_out


def test_room_is_kept_back_for_a_full_disk_and_only_some_troubles_can_be_damage() -> None:
    assert {t for t, row in TROUBLES.items() if row.lacks_room} == {
        Trouble.DISK_FULL,
        Trouble.QUOTA_USED_UP,
    }
    assert {t for t, row in TROUBLES.items() if row.may_be_damage} == {
        Trouble.DISK_ERROR,
        Trouble.DAMAGED,
        Trouble.UNCLEAR,
    }
