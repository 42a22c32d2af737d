"""What can go wrong, row by row, and the tests that make it go wrong.

The rows are those of the catalogues of faults (F) and of bad input (B) that the promises in the
README stand on; numbers that are missing were never given. ``tests/hygiene/test_catalogue.py``
checks that every test named here exists and that a row without any says why.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One thing that can go wrong."""

    what: str
    tests: tuple[str, ...] = ()
    """``file::test`` below ``tests``."""
    why: str = ""
    """Why no test does this, or what the tests leave out."""


def row(what: str, *tests: str, why: str = "") -> Row:
    """A row as it is written below."""
    return Row(what, tests, why)


CHAOS = "acceptance/test_command_fleet.py::test_sixty_blows_lose_nothing_and_run_nothing_twice"
NETWORK = "acceptance/test_networks.py::test_a_network_that_fails_in_every_way"
BAD_HOSTS = "acceptance/test_bad_hosts.py::test_each_bad_host_says_what_is_wrong_and_delays_nobody"
FROZEN = "acceptance/test_bad_hosts.py::test_a_host_that_freezes_is_told_and_comes_back"
LOG = (
    "acceptance/test_bad_hosts.py::test_hostile_log_lines_are_framed_cut_redacted_and_shown_as_text"
)
ZOMBIE = "acceptance/test_zombie.py::test_a_zombie_commits_and_starts_nothing_and_leaves"
HARM = "journal/test_damage.py::test_harm_to_a_file_is_found_and_no_engine_goes_on"
FULL = "acceptance/test_modes.py::test_a_full_disk_loses_nothing_and_is_over_when_there_is_room"
GARBAGE = (
    "wire/test_line_faults.py::"
    "test_garbage_on_the_line_is_unknown_and_the_next_connection_is_as_good_as_any"
)
WRONG_CLOCK = (
    "wire/test_bad_machines.py::test_a_host_whose_clock_is_a_day_wrong_works_like_any_other"
)
ENGINE_PAUSED = "acceptance/test_pauses.py::test_an_engine_that_was_stopped_blames_nobody"
CONSOLES = "acceptance/test_pauses.py::test_whatever_becomes_of_a_console_the_engine_goes_on"
WORLDS = "simulation/test_virtual_worlds.py::test_every_promise_holds_in_every_world"
BEGINNINGS = "wire/test_ssh_faults.py::test_a_bad_beginning_is_a_failure_of_its_kind"
REFUSED = "config/test_bad_input.py::test_what_is_refused_before_it_is_understood"
NAMED = "config/test_bad_input.py::test_a_value_that_means_nothing_is_named_in_its_place"
NEUTRAL = "core/test_firewall.py::test_payloads_are_neutral"
NO_SCREEN = "console/test_hostile.py::test_no_screen_sends_what_remote_text_holds"
EVERY_PAIR = "console/test_hostile.py::test_every_screen_shows_every_payload_and_sends_none"
KEYS = "console/test_seatbelt.py::test_answers_of_the_terminal_are_not_keys"
TMUX = "console/test_tmux.py::test_a_hostile_fleet_changes_nothing_in_tmux_and_presses_no_key"

FAULTS = {
    "F1": row("engine killed at a random moment", CHAOS),
    "F2": row(
        "engine killed at the n-th system call",
        "journal/test_syscalls.py::test_a_kill_at_a_call_loses_nothing",
    ),
    "F3": row(
        "console killed",
        CONSOLES,
        "acceptance/test_one_engine.py::test_a_console_that_breaks_off_is_let_go_without_a_word",
    ),
    "F4": row(
        "the operator's link drops: SIGHUP",
        "console/test_leaving.py::test_the_terminal_is_given_back",
        "acceptance/test_one_engine.py::test_neither_sighup_nor_a_closing_console_changes_anything",
    ),
    "F5": row("SIGTERM to the console", "console/test_leaving.py::test_the_terminal_is_given_back"),
    "F6": row(
        "console stopped and continued",
        CONSOLES,
        "console/test_leaving.py::test_a_hangup_with_a_continue_as_tmux_sends_it_ends_the_console",
    ),
    "F7": row(
        "a terminal that nobody reads",
        CONSOLES,
        "console/test_leaving.py::test_a_terminal_that_nobody_reads_holds_nobody_back",
        "engine/test_server.py::test_a_console_that_never_reads_is_not_rung_for_ever_and_delays_nobody",
    ),
    "F8": row(
        "a storm of resizes",
        "support/test_pty_harness.py::test_it_has_the_size_it_was_given_and_hears_of_changes",
        why="sizes down to one cell are drawn in the tests of the screens; storms are not timed",
    ),
    "F9": row(
        "two engines on one directory",
        "acceptance/test_one_engine.py::test_a_second_engine_refuses_and_names_the_first",
    ),
    "F10": row("a stopped engine wakes up beside its successor", ZOMBIE),
    "F11": row(
        "the lock file is removed, or inherited",
        "acceptance/test_zombie.py::test_an_engine_whose_lock_file_was_removed_takes_it_again",
        "journal/test_directory.py::test_a_child_does_not_inherit_the_lock",
    ),
    "F12": row(
        "the connection is cut while a task is uploaded",
        "wire/test_line_faults.py::test_an_upload_that_is_cut_anywhere_starts_whole_or_not_at_all",
        "wire/test_runs.py::test_a_question_cut_anywhere_never_starts_a_run",
    ),
    "F13": row(
        "cut between the start and our hearing of it",
        "wire/test_command.py::test_connections_killed_at_any_moment_never_start_a_run_twice",
        "wire/test_wrapper_syscalls.py::test_killed_at_any_step_a_run_is_whole_or_fenced",
        CHAOS,
    ),
    "F14": row(
        "cut while a run is at work",
        "wire/test_command.py::"
        "test_a_connection_lost_while_it_runs_is_unknown_and_the_run_is_found_again",
        "wire/test_command.py::test_a_log_goes_on_at_the_next_byte",
    ),
    "F15": row(
        "a start that arrives after the tombstone",
        "wire/test_line_faults.py::test_a_start_that_arrives_after_the_tombstone_runs_nothing",
    ),
    "F16": row("a peer that is stopped", FROZEN, CHAOS),
    "F17": row("packets vanish", NETWORK),
    "F18": row("connections are reset and refused", NETWORK, BAD_HOSTS),
    "F19": row(
        "a blackout of three seconds",
        NETWORK,
        why="one failed probe may show: TCP sends again after up to 3.2 s, a probe waits for 4 s",
    ),
    "F20": row(
        "a line that comes and goes",
        NETWORK,
        "core/test_health.py::test_flapping_is_quarantined_for_longer_each_time",
        why="falls count, missed looks that do not make a fall are not limited",
    ),
    "F23": row(
        "no banner, an endless banner, one that is no UTF-8",
        BEGINNINGS,
        BAD_HOSTS,
        "wire/test_ssh_rude.py::test_a_banner_in_latin_1_keeps_nobody_out",
    ),
    "F24": row(
        "sshd allows few sessions or few beginners",
        "wire/test_ssh_crowds.py::"
        "test_a_server_that_lets_two_begin_and_gives_one_session_each_serves_everybody",
        "wire/test_ssh.py::test_more_commands_than_sshd_allows_sessions",
    ),
    "F25": row(
        "many hosts come back at once",
        "wire/test_ssh_crowds.py::test_a_fleet_that_comes_back_at_once_shakes_few_hands_at_a_time",
        "wire/test_ssh_faults.py::test_hosts_that_never_answer_delay_nobody",
    ),
    "F26": row(
        "the jump host is down",
        "acceptance/test_bad_hosts.py::"
        "test_a_jump_host_that_is_gone_freezes_failover_and_moves_nothing",
        "core/test_alerts.py::test_a_frozen_pool_is_one_alert_and_not_one_for_each_of_its_agents",
        "core/test_alerts.py::"
        "test_most_of_a_pool_lost_at_once_freezes_its_failover_until_it_is_back",
        "core/test_silence.py::test_a_frozen_pool_gives_nothing_up",
    ),
    "F27": row(
        "the host's key changed",
        "wire/test_ssh.py::test_a_changed_host_key_is_refused_until_it_is_trusted",
        BAD_HOSTS,
    ),
    "F28": row(
        "our key is not accepted any more",
        "wire/test_ssh_crowds.py::"
        "test_a_key_that_is_not_accepted_any_more_is_offered_once_a_minute_at_the_most",
        "wire/test_ssh.py::test_the_wrong_user_key_is_an_authentication_failure",
    ),
    "F29": row(
        "the host was rebooted",
        "wire/test_runs.py::test_a_rebooted_host_and_a_reused_pid_are_seen_through",
        "core/test_attempts.py::test_death_after_the_start_follows_the_class",
    ),
    "F30": row(
        "the host's disk is full",
        "wire/test_bad_machines.py::test_a_disk_with_room_for_half_a_task_starts_none",
        "wire/test_bad_machines.py::test_a_disk_that_is_full_to_the_last_bytes_is_called_full",
        "wire/test_runs.py::test_a_full_disk_takes_no_work",
        "core/test_health.py::test_an_agent_whose_host_cannot_hold_runs_takes_no_work_and_says_why",
    ),
    "F31": row(
        "run directories are wiped or put back from an old copy",
        "wire/test_run_directories.py::"
        "test_a_run_directory_that_was_deleted_proves_nothing_about_its_runs",
        "wire/test_run_directories.py::"
        "test_a_run_directory_put_back_from_an_older_copy_proves_nothing",
    ),
    "F32": row(
        "a pid is used again",
        "wire/test_runs.py::test_a_rebooted_host_and_a_reused_pid_are_seen_through",
    ),
    "F33": row(
        "somebody sets a clock",
        WRONG_CLOCK,
        "engine/test_clock.py::test_a_wall_that_jumps_neither_ends_a_deadline_nor_makes_it_last",
    ),
    "F35": row("the engine itself was paused", ENGINE_PAUSED, WORLDS, ZOMBIE),
    "F37": row(
        "no room for the journal",
        FULL,
        "acceptance/test_modes.py::"
        "test_an_engine_starts_on_a_full_disk_and_begins_when_there_is_room",
    ),
    "F38": row(
        "no room for log lines",
        "journal/test_logs.py::test_a_flood_drops_lines_and_counts_them",
    ),
    "F39": row(
        "the disk refuses a write or a sync",
        "journal/test_syscalls.py::test_a_refused_call_is_told_and_loses_nothing",
        "journal/test_writer.py::test_after_an_error_of_the_disk_nothing_is_trusted",
    ),
    "F41": row(
        "a bit flips in the journal",
        "journal/test_damage.py::test_every_flipped_bit_that_changes_a_row_is_found",
        "journal/test_damage.py::"
        "test_an_acknowledged_commit_hidden_by_a_bad_bit_in_the_log_is_missed",
        "engine/test_proving.py::test_damage_in_an_old_segment_ends_the_work",
    ),
    "F42": row("pages of garbage, truncated or deleted files", HARM),
    "F43": row(
        "an old copy of the journal",
        "journal/test_damage.py::test_a_ledger_that_was_rolled_back_is_refused",
    ),
    "F44": row(
        "a reader that never ends",
        "journal/test_reader.py::test_a_reader_does_not_hold_up_checkpoints",
    ),
    "F46": row(
        "a disk on the network", "journal/test_directory.py::test_a_network_disk_is_refused"
    ),
    "F47": row(
        "a directory of somebody else, or for everybody",
        "journal/test_directory.py::test_another_owner_is_refused",
        "journal/test_directory.py::test_what_others_could_read_is_refused_with_the_remedy",
    ),
    "F48": row(
        "killed during a migration",
        "journal/test_syscalls.py::test_a_kill_at_a_call_loses_nothing",
        "journal/test_migrations.py::test_a_golden_journal_is_lifted_and_its_backup_kept",
        why="there is one version of the tables so far: the step is to one made for the tests",
    ),
    "F49": row(
        "programs and journals of different versions",
        "journal/test_reader.py::test_a_newer_format_is_refused_and_not_touched",
        "engine/test_server.py::test_another_protocol_is_turned_away_with_both_versions_named",
    ),
    "F50": row(
        "callers that change their mind",
        "journal/test_writer.py::test_a_cancelled_caller_changes_nothing_for_the_others",
    ),
    "F51": row(
        "a flood of log lines",
        "journal/test_logs.py::test_a_flood_drops_lines_and_counts_them",
        "feed/test_attached.py::test_lines_that_nobody_takes_are_dropped_and_counted",
    ),
    "F52": row("a line without an end", LOG),
    "F53": row(
        "an answer after we gave up",
        "core/test_attempts.py::"
        "test_unknown_for_too_long_asks_for_a_verdict_and_a_late_result_is_only_attached",
    ),
    "F55": row(
        "a gateway goes on with a turn by itself",
        "acceptance/test_openclaw_phases.py::"
        "test_a_turn_that_a_gateway_goes_on_with_by_itself_is_found_again_and_ends_once",
    ),
    "F56": row("a rollout whose agent never returns", why="there are no rollouts yet"),
    "F57": row(
        "no new work for an agent whose runs are out of sight",
        "cli/test_commands.py::test_cordoned_agents_get_nothing_and_uncordoned_ones_do",
        "core/test_attempts.py::"
        "test_unknown_for_too_long_asks_for_a_verdict_and_a_late_result_is_only_attached",
    ),
    "F59": row(
        "the kernel kills the engine for its memory",
        CHAOS,
        why="it is the same SIGKILL; limits of control groups need rights that CI does not give",
    ),
    "F62": row(
        "the ssh-agent is gone",
        "wire/test_ssh_crowds.py::"
        "test_without_its_agent_what_is_connected_goes_on_and_nothing_new_begins",
    ),
    "F63": row("garbage on the line", GARBAGE, BEGINNINGS),
    "F64": row(
        "a bug in a part of the engine",
        "engine/test_modes.py::"
        "test_a_part_that_fails_three_times_in_a_minute_puts_the_engine_on_hold",
        "engine/test_modes.py::test_a_bug_that_one_input_meets_costs_that_input_alone",
    ),
}
"""Machines, networks, disks and processes that fail."""

BAD_INPUT = {
    "B1": row("billion laughs", REFUSED),
    "B2": row("a list inside itself", REFUSED),
    "B3": row("a bomb of merge keys", REFUSED),
    "B4": row("brackets without end", REFUSED),
    "B5": row(
        "files and values that are too large",
        "config/test_bad_input.py::test_a_file_too_large_is_refused_before_it_is_parsed",
    ),
    "B6": row("NO, on, yes", "config/test_bad_input.py::test_words_of_yaml_1_1_stay_words", NAMED),
    "B7": row("010, 22:22, 1_000, 0x16", NAMED, "config/test_bad_input.py::test_ports_are_ports"),
    "B9": row(
        "what is written twice",
        "config/test_bad_input.py::test_what_is_written_twice_names_both_lines",
        "config/test_bad_input.py::test_two_hosts_that_are_one_machine_name_both_lines",
    ),
    "B10": row(
        "an unknown key", "config/test_bad_input.py::test_an_unknown_key_gets_the_nearest_name"
    ),
    "B11": row(
        "no agents",
        "config/test_bad_input.py::test_an_empty_file_is_no_fleet",
        "config/test_bad_input.py::test_a_fleet_without_agents_must_be_meant",
    ),
    "B13": row("tags", REFUSED),
    "B14": row("words that look like dates", "config/test_properties.py::test_any_shape_is_judged"),
    "B15": row("ports that are none", "config/test_bad_input.py::test_ports_are_ports"),
    "B17": row("bytes that are not UTF-8", REFUSED),
    "B19": row("escapes in names", "config/test_bad_input.py::test_names_are_safe_everywhere"),
    "B20": row(
        "names that are paths or look like others",
        "config/test_bad_input.py::test_names_are_safe_everywhere",
    ),
    "B21": row(
        "hosts that are options or commands",
        "config/test_bad_input.py::test_a_host_can_be_no_option_and_no_command",
    ),
    "B22": row(
        "users that are options or commands",
        "config/test_bad_input.py::test_a_user_can_be_no_option_and_no_command",
    ),
    "B23": row(
        "commands in the fleet file",
        "config/test_bad_input.py::test_nothing_in_the_file_runs_on_this_machine",
    ),
    "B24": row(
        "key files that are none",
        "config/test_bad_input.py::test_only_regular_files_are_read",
        "config/test_bad_input.py::test_key_files_that_ssh_would_refuse",
        "cli/test_ssh_keys.py::test_a_key_that_is_passed_over_is_a_warning_at_its_line",
        "wire/test_ssh_identities.py::test_keys_that_cannot_be_read_are_passed_over",
    ),
    "B26": row(
        "work that nobody could get",
        "config/test_bad_input.py::test_work_that_no_agent_could_get_is_a_warning",
    ),
    "B27": row("impossible limits of a rollout", why="there are no rollouts yet"),
    "B28": row("durations that are none", NAMED),
    "B29": row("retries without end", "config/test_bad_input.py::test_retries_are_bounded"),
    "B30": row(
        "secrets in the fleet file",
        "config/test_secrets_and_variables.py::test_secrets_are_refused_wherever_they_stand",
    ),
    "B31": row(
        "includes and expansions",
        "config/test_bad_input.py::test_include_is_said_to_be_unsupported",
        "config/test_secrets_and_variables.py::test_keys_are_not_expanded",
    ),
    "B33": row(
        "a running fleet's file becomes unsound",
        "engine/test_reload.py::test_an_unsound_file_changes_nothing_and_is_told_once",
    ),
    "B34": row(
        "an agent at work leaves the file",
        "engine/test_reload.py::test_an_agent_that_is_added_is_watched_and_one_that_is_removed_retires",
    ),
    "B35": row(
        "a half-written file", "config/test_properties.py::test_a_half_written_file_is_judged"
    ),
    "B36": row(
        "a typing mistake",
        "cli/test_main.py::test_a_typing_mistake_is_answered_with_the_nearest_name",
    ),
    "B37": row(
        "everything at once",
        "console/test_app.py::test_much_of_a_pool_asks_for_the_fleets_name",
        "cli/test_verbs.py::test_all_needs_their_number",
        "cli/test_verbs.py::test_what_is_not_meant_is_not_done",
    ),
    "B38": row(
        "nothing matches",
        "core/test_decide.py::test_cordon_names_the_unknown_and_does_nothing_then",
    ),
    "B40": row(
        "arguments that are no text",
        "cli/test_commands.py::test_bytes_that_are_no_text_are_refused_with_their_place",
        "cli/test_main.py::test_bad_usage_is_told",
    ),
    "B41": row("no terminal", "cli/test_main.py::test_the_console_needs_a_terminal"),
    "B42": row(
        "a paste with control characters",
        "console/test_submit_form.py::"
        "test_a_paste_with_line_ends_and_controls_is_kept_announced_and_never_sent",
        "console/test_widgets_asking.py::test_what_is_pasted_is_made_visible_and_never_submits",
        "console/test_bounded_work.py::"
        "test_a_paste_that_is_too_long_is_not_taken_and_one_that_fits_is_taken_whole",
    ),
    "B44": row("a terminal's answers", KEYS, TMUX),
    "B45": row(
        "a key held down",
        "console/test_keystrokes.py::test_more_than_eight_keys_at_once_are_a_burst",
    ),
    "B46": row(
        "patterns that run away",
        "core/test_regex.py::test_what_would_keep_python_busy_for_ever_is_answered",
        "console/test_bounded_work.py::"
        "test_a_search_that_takes_long_finds_what_is_there_and_what_comes",
    ),
    "B47": row(
        "two consoles with opposite orders",
        "core/test_decide.py::test_cancelling_a_waiting_task_ends_it_and_a_second_time_is_refused",
        "engine/test_server.py::test_many_consoles_ask_at_once_and_each_hears_its_own_answer",
    ),
    "B48": row(
        "state directories that cannot be",
        "journal/test_directory.py::test_no_directory_and_no_way_to_make_one",
        "journal/test_directory.py::test_a_network_disk_is_refused",
    ),
    "B49": row(
        "a task without text", "cli/test_commands.py::test_a_task_that_cannot_be_is_refused"
    ),
    "B50": row(
        "a task that is too long",
        "core/test_decide.py::test_bad_submissions_say_what_is_wrong",
        "wire/test_runs.py::test_too_much_to_send_is_refused_before_anything_is_sent",
    ),
    "B51": row(
        "a task that shells would read",
        "wire/test_runs.py::test_a_payload_arrives_byte_for_byte",
        CHAOS,
    ),
    "B53": row(
        "a task that is no text",
        "cli/test_commands.py::test_bytes_that_are_no_text_are_refused_with_their_place",
        "wire/test_openclaw_attempts.py::test_a_payload_the_gateway_cannot_take_is_refused_here",
    ),
    "B54": row(
        "a task that may be a command",
        "cli/test_submit_lines.py::test_what_cannot_be_seen_or_may_be_a_command_is_told",
    ),
    "B55": row(
        "a task with a secret in it",
        "cli/test_submit_lines.py::test_secrets_need_a_yes",
        "console/test_secrets_in_tasks.py::test_no_screen_shows_it",
        "hygiene/test_safe_text.py::test_payloads_are_shown_without_secrets",
    ),
    "B56": row(
        "a key that is used again",
        "core/test_decide.py::test_the_same_key_is_the_same_task_also_after_its_end",
        "engine/test_engine.py::test_the_same_key_is_the_same_task_and_other_work_is_a_conflict",
    ),
    "B58": row(
        "bad lines in a file of tasks",
        "cli/test_submit_lines.py::test_every_bad_line_is_told_and_then_nothing_is_submitted",
        "cli/test_submit_lines.py::test_bad_lines_can_be_skipped",
    ),
    "B59": row(
        "hidden characters in a task",
        "cli/test_submit_lines.py::test_what_cannot_be_seen_or_may_be_a_command_is_told",
        "core/test_firewall.py::test_what_cannot_be_seen_is_counted",
    ),
    "B60": row("escape sequences in a log", NEUTRAL, LOG, NO_SCREEN, EVERY_PAIR, TMUX),
    "B61": row(
        "markup in a log", "core/test_firewall.py::test_markup_is_text_like_any_other", NO_SCREEN
    ),
    "B63": row(
        "invisible characters and piles of marks",
        NEUTRAL,
        "core/test_firewall.py::test_marks_are_cut_after_four_wherever_they_stand",
    ),
    "B64": row(
        "bytes that are no text in a log",
        "wire/test_framing.py::test_invalid_utf8_is_shown_as_bytes",
        "wire/test_ssh.py::test_invalid_utf8_ends_nothing",
    ),
    "B65": row(
        "a line without an end",
        "wire/test_framing.py::test_a_line_without_an_end_is_cut_and_never_buffered",
        LOG,
    ),
    "B66": row("too many lines", "journal/test_logs.py::test_a_flood_drops_lines_and_counts_them"),
    "B67": row(
        "log records with impossible times and levels",
        "wire/test_openclaw_logs.py::test_a_time_that_cannot_be_believed_is_left_out",
        "wire/test_openclaw_logs.py::test_levels",
    ),
    "B69": row(
        "a line that imitates the screen",
        "console/test_widgets_log.py::test_a_line_cannot_write_into_the_gutter",
    ),
    "B70": row(
        "secrets in a log",
        "wire/test_redact.py::test_a_secret_of_a_known_form_is_gone",
        "wire/test_redact.py::test_a_key_over_many_lines_is_hidden_as_a_whole",
    ),
    "B71": row(
        "what login files print",
        "wire/test_command.py::test_what_login_files_print_is_skipped",
        "wire/test_runs.py::test_noise_before_the_answer_is_skipped",
    ),
    "B72": row(
        "shells that are none",
        "wire/test_command.py::test_a_key_that_may_run_nothing_is_no_lost_work",
        "wire/test_runs.py::test_the_command_line_is_constant_and_plain",
    ),
    "B73": row(
        "answers that are none",
        "wire/test_openclaw_parsers.py::test_anything_else_on_the_port_is_a_bad_answer",
        "wire/test_openclaw_attempts.py::test_no_usable_answer_to_any_question_is_unknown",
        "wire/test_lies.py::test_a_host_whose_words_are_not_whole_and_plain_said_no_success",
    ),
    "B74": row(
        "an answer for another run",
        "wire/test_lies.py::test_what_a_gateway_says_that_is_no_success",
        "wire/test_lies.py::test_another_runs_end_is_not_ours",
        why="gateways name the run in all they say; one that names none answers our question",
    ),
    "B76": row(
        "status and result that disagree",
        "wire/test_openclaw_parsers.py::test_a_strange_result_spoils_the_answer_and_not_the_verdict",
        "wire/test_lies.py::test_how_a_program_ended_is_its_exit_status_whatever_it_prints",
    ),
    "B78": row(
        "an answer of 200 MB",
        "wire/test_openclaw_attempts.py::test_a_message_longer_than_the_limit_ends_the_connection",
        "wire/test_lies.py::test_two_hundred_megabytes_are_counted_and_hashed_where_they_are",
    ),
    "B79": row(
        "a version that is none",
        "console/test_agent_rows.py::test_whatever_an_agent_calls_itself_stays_text",
    ),
    "B80": row("an audit with unknown findings", why="audits of gateways are not read yet"),
    "B81": row(
        "an agent that claims abilities",
        "core/test_routing.py::"
        "test_a_capability_that_nobody_has_holds_the_task_and_says_what_would_help",
        why="what an agent can do comes from the fleet file alone; no answer is asked about it",
    ),
    "B82": row(
        "a host with another clock",
        WRONG_CLOCK,
        "engine/test_clock.py::test_a_wall_that_jumps_neither_ends_a_deadline_nor_makes_it_last",
    ),
    "B84": row(
        "a recording that is cut",
        "journal/test_recording.py::test_a_file_cut_in_the_middle_of_its_bytes_opens",
    ),
    "B85": row(
        "a recording that was changed",
        "journal/test_recording.py::test_what_is_not_intact_opens_and_says_from_where",
    ),
    "B87": row(
        "records that nobody knows",
        "journal/test_recording.py::test_invented_events_are_kept_as_unknown",
        "console/test_why.py::test_names_in_a_recording_cannot_act_on_the_terminal",
    ),
    "B88": row(
        "acting in a recording",
        "console/test_review.py::test_nothing_can_be_sent_from_a_recording",
        "cli/test_review.py::test_a_recording_is_played_and_cannot_act",
    ),
    "B89": row(
        "a database for a recording",
        "journal/test_recording.py::test_what_is_no_recording_is_refused",
    ),
    "B91": row("two engines in one journal", ZOMBIE),
    "B92": row(
        "a directory copied without its WAL",
        "journal/test_damage.py::test_a_directory_that_was_copied_without_its_wal_is_refused",
    ),
    "B93": row(
        "terminals without colour, Unicode or a name",
        "console/test_overview.py::test_an_ascii_screen_is_ascii_to_the_last_sign",
        "console/test_terminal_colours.py::test_no_color_means_none_and_states_still_differ",
    ),
    "B94": row(
        "themes that are none",
        "console/test_themes.py::test_a_theme_that_is_not_right_is_reported_and_never_fatal",
    ),
    "B95": row(
        "a recording that others open, delete or replace while it is looked at",
        "feed/test_recorded.py::"
        "test_what_goes_while_it_is_looked_at_is_told_once_and_stays_on_screen",
        "console/test_review.py::test_a_recording_that_is_deleted_stays_on_screen_and_says_so",
        "journal/test_recordings_together.py::"
        "test_an_import_that_is_killed_leaves_nothing_that_looks_whole",
        "journal/test_recordings_together.py::test_what_is_looked_at_is_not_evicted",
    ),
}
"""What people, programs and files may give us that makes no sense."""
