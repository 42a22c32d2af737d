"""What the README promises, and the tests that would fail if it were not so.

``python -m tests.support.readme`` writes the table into the README;
``tests/hygiene/test_catalogue.py`` checks that every test named here exists.
"""

from fleet_tui.core.tasks.store import MAX_KEYS
from tests.support.catalogue import CHAOS, FULL, HARM, KEYS, NETWORK, NO_SCREEN, WORLDS, ZOMBIE, Row

PROMISES: tuple[Row, ...] = (
    Row(
        "**A task whose number you have seen is not lost**: not by a kill -9 of any of our "
        "processes, a reboot or a power cut, as long as the disk keeps what it says it wrote.",
        (
            "journal/test_kill.py::test_thirty_kills_lose_nothing_that_was_acknowledged",
            "journal/test_syscalls.py::test_a_kill_at_a_call_loses_nothing",
            CHAOS,
        ),
    ),
    Row(
        "**A repeated submit adds no task.** Every submit has a key; the same key is the same "
        "task, also after a lost reply, and after its end as long as no more than "
        f"{MAX_KEYS:,} tasks came in since.",
        (
            "core/test_keys.py::test_the_key_of_a_forgotten_task_still_stands_for_what_was_asked",
            "core/test_decide.py::test_the_same_key_is_the_same_task_also_after_its_end",
            WORLDS,
        ),
    ),
    Row(
        "**Every effect is recorded before it happens.** No run is started, stopped or fenced "
        "before the event that decides it is on the disk.",
        (WORLDS, "simulation/test_virtual_worlds.py::test_every_planted_bug_is_caught"),
    ),
    Row(
        "**A run starts at most once.** Its host keeps its id: a second start finds it, a late "
        "one is stopped by a tombstone.",
        (
            "simulation/test_port_contract.py::test_starts_at_the_same_moment_run_once",
            "simulation/test_port_contract.py::test_a_late_start_loses_against_the_tombstone",
            CHAOS,
        ),
    ),
    Row(
        "**After a restart nothing is sent again.** The engine asks their hosts about open runs; "
        "a gateway that resumed a turn by itself is recognised. A restored backup that may lack "
        "the newest events starts nothing before your thaw.",
        (
            "simulation/test_port_contract.py::test_another_engine_finds_the_run_again",
            "acceptance/test_openclaw_phases.py::"
            "test_a_turn_that_a_gateway_goes_on_with_by_itself_is_found_again_and_ends_once",
            "acceptance/test_keeping.py::"
            "test_a_restored_ledger_finds_open_runs_again_and_sends_none",
            "journal/test_restoring.py::"
            "test_a_restore_that_is_killed_never_leaves_a_ledger_that_starts_work",
        ),
    ),
    Row(
        "**An unknown outcome stays unknown.** A lost connection is neither success nor failure; "
        "only a report from the host, or your verdict with a reason, ends it.",
        (
            "core/test_attempts.py::test_a_lost_connection_is_neither_success_nor_failure",
            "simulation/test_port_contract.py::test_a_lost_connection_says_nothing_about_the_run",
        ),
    ),
    Row(
        "**What may have run is not run again** unless its class allows it: `once` never by "
        "itself, `resumable` from its checkpoint, `idempotent` again. An outcome that "
        "stays unknown waits for your verdict.",
        (
            "core/test_attempts.py::test_death_after_the_start_follows_the_class",
            "acceptance/test_resumable_fleet.py::"
            "test_killed_readers_go_on_elsewhere_and_every_page_is_read_once",
            WORLDS,
        ),
    ),
    Row(
        "**One engine.** A second one refuses; one that was replaced while it slept can commit "
        "nothing and start nothing.",
        (
            "acceptance/test_one_engine.py::test_a_second_engine_refuses_and_names_the_first",
            ZOMBIE,
        ),
    ),
    Row(
        "**Failover is careful.** A silent agent gets no new work; when most of a pool falls "
        "silent at once, failover stops and you are told.",
        (NETWORK, WORLDS),
    ),
    Row(
        "**An agent that answers and cannot work gets no more work.** After three runs in a row "
        "that it refused, or failed within 5 s for a reason of its own, it is *suspect*, with the "
        "agent's own reason in an alert. After 15 s at first, later up to 5 min, a canary run "
        "tries it: one short turn in a session of its own, which costs model usage and puts no "
        "task at risk. It returns once that succeeds, or once you `uncordon` it. One more failure "
        "takes it out again; then, and also with `canary: false` in the fleet file or where the "
        "agent is a program, a task tries it: where runs failed, only an `idempotent` one; any "
        "other waits for another agent and shows why. What did not start is tried elsewhere; a "
        "task that several working agents refuse in the same way fails with that reason and "
        "counts against none of them.",
        (
            "core/test_outcomes.py::"
            "test_an_agent_that_refuses_every_start_is_suspect_after_three_and_eats_nothing_more",
            "core/test_outcomes.py::"
            "test_a_task_that_every_agent_refuses_fails_with_that_reason_and_nobody_is_blamed",
            "acceptance/test_openclaw_canary.py::"
            "test_a_gateway_whose_model_fails_comes_back_by_a_canary_run",
        ),
    ),
    Row(
        "**The console can be closed or killed at any time.** Close it, kill it, freeze its "
        "terminal: the engine keeps running, and the next console shows the same.",
        (
            "acceptance/test_one_engine.py::"
            "test_neither_sighup_nor_a_closing_console_changes_anything",
        ),
    ),
    Row(
        "**Every degraded state has a name.** A full disk, another program's lock, a damaged "
        "journal or a bug has a named mode on every screen (READ-ONLY, RECOVERY, FROZEN): the "
        "engine keeps monitoring, shows the reason, and accepts nothing that it cannot store. "
        "Only proven damage leads to RECOVERY.",
        (
            FULL,
            "acceptance/test_modes.py::"
            "test_an_engine_with_a_damaged_journal_shows_what_it_trusts_and_takes_nothing",
            "acceptance/test_modes.py::"
            "test_another_programs_lock_is_answered_at_once_and_restarts_nothing",
        ),
    ),
    Row(
        "**Few file descriptors do not stop the engine.** With fewer file descriptors than "
        "agents, the ledger and the commands get theirs first, and the engine reports how many "
        "agents are left out.",
        (
            "acceptance/test_descriptors.py::"
            "test_with_64_descriptors_and_100_hosts_the_engine_works_and_says_what_it_leaves_out",
        ),
    ),
    Row(
        "**The engine stays reachable.** A socket, lock or head file that vanishes is recreated; "
        "an engine whose state directory is removed ends with that reason.",
        (
            "acceptance/test_vanished.py::test_what_vanishes_under_load_is_made_again",
            "acceptance/test_vanished.py::"
            "test_a_state_directory_that_goes_ends_its_engine_with_the_reason",
        ),
    ),
    Row(
        "**Damage to the ledger is found.** A missing file, an older copy, a changed byte: the "
        "range is reported, and no more work is started. An engine verifies the newest part of "
        "its journal at the start, and all of it half a minute later and then daily. Only damage "
        "to the last commit before a crash can be mistaken for a commit that never completed.",
        (
            "journal/test_damage.py::test_every_flipped_bit_that_changes_a_row_is_found",
            HARM,
            "journal/test_damage.py::test_a_ledger_that_was_rolled_back_is_refused",
            "engine/test_proving.py::test_damage_in_an_old_segment_ends_the_work",
        ),
    ),
    Row(
        "**Nothing remote controls your terminal.** Output of hosts is shown as text: no escape "
        "sequence, no markup, no link, and no reply of the terminal is read as a key.",
        (
            NO_SCREEN,
            KEYS,
            "cli/test_hostile.py::test_no_command_sends_what_a_ledger_a_file_or_an_argument_holds",
        ),
    ),
    Row(
        "**Only hosts you know.** An unknown or changed host key ends the connection before "
        "anything is sent; enrolling one shows its fingerprint. No agent or X11 forwarding.",
        ("acceptance/test_bad_hosts.py::test_each_bad_host_says_what_is_wrong_and_delays_nobody",),
    ),
    Row(
        "**Secrets stay where they are.** Tokens are in no argument list, file, log, recording or "
        "crash report; state is readable by you alone.",
        (
            "acceptance/test_secrets.py::test_what_an_agent_says_is_in_no_file_screen_or_argument",
            "test_crash.py::test_a_crash_leaves_a_private_file_without_values",
        ),
    ),
    Row(
        "**We change nothing on an agent.** Of a gateway's methods we call only those that run, "
        "watch and stop our own sessions.",
        ("hygiene/test_gateway_methods.py::test_only_our_own_sessions_are_touched",),
    ),
    Row(
        "**Decisions can be checked.** Each is recorded with every candidate, rule and score it "
        "was based on; review shows what the live console showed.",
        (
            "properties/test_core.py::test_many_in_one_round_are_decided_as_one_after_the_other",
            "acceptance/test_openclaw_fleet.py::"
            "test_thirty_tasks_a_crash_the_books_and_the_recording",
        ),
    ),
    Row(
        "**Upgrades are careful.** A ledger is migrated in one transaction after a verified "
        "backup; a newer one is refused and left unchanged.",
        (
            "journal/test_migrations.py::test_a_golden_journal_is_lifted_and_its_backup_kept",
            "journal/test_migrations.py::test_a_newer_ledger_is_refused_and_stays_as_it_is",
        ),
    ),
    Row(
        "**Everything has a bound**, and overload costs log lines with a count, never tasks or "
        "decisions; a full queue refuses new tasks and names the limit.",
        ("core/test_queueing.py::test_a_full_queue_refuses_and_says_which_limit",),
    ),
    Row(
        "**Setting the clock changes no deadline.** They are measured on a monotonic clock; the "
        "wall clock is only displayed.",
        ("engine/test_clock.py::test_a_wall_that_jumps_neither_ends_a_deadline_nor_makes_it_last",),
    ),
)


def promises_markdown() -> str:
    """The README's table: each promise with the files of its tests."""
    lines = ["| promise | shown by |", "|---|---|"]
    for promise in PROMISES:
        files = dict.fromkeys(test.partition("::")[0] for test in promise.tests)
        lines.append(f"| {promise.what} | {', '.join(f'`{file}`' for file in files)} |")
    return "\n".join(lines)
