"""The scenarios of the catalogue around bus, host, risk, halt and surface: E to L."""

from __future__ import annotations

from tools.guarantees.table import Scenario

__all__ = ["SYSTEM_SCENARIOS"]

_ORDERS = "test_oms_orders::"
_BUS = "test_platform_eventbus_contract::"
_STORE = "test_platform_store::"

_MESSAGES = (
    Scenario(
        "E1",
        "a publish is repeated, its acknowledgement lost",
        (
            _STORE + "test_a_lost_publish_ack_is_published_again_without_a_second_copy",
            _BUS + "test_the_same_message_id_is_stored_once",
        ),
        ("bus.ack_loss",),
    ),
    Scenario(
        "E2",
        "it is repeated after the window for duplicates",
        (_STORE + "test_an_event_has_its_effect_once_whatever_is_delivered",),
        ("bus.duplicate",),
    ),
    Scenario("E3", "purge, restart, publish again"),
    Scenario("E4", "a consumer dies before it acknowledges"),
    Scenario(
        "E5",
        "an acknowledgement is lost",
        (_STORE + "test_an_event_has_its_effect_once_whatever_is_delivered",),
    ),
    Scenario(
        "E6",
        "a message that nobody can digest",
        (
            _STORE + "test_a_poison_message_goes_to_the_dead_letters_and_blocks_nothing",
            _BUS + "test_a_hopeless_message_goes_to_the_dead_letters",
        ),
    ),
    Scenario("E7", "a slow consumer, a long backlog"),
    Scenario(
        "E8", "the OMS is cut off from the bus or from operations", counters=("E8 partition.",)
    ),
    Scenario(
        "E9",
        "a stream is emptied",
        (
            _STORE + "test_a_stream_made_anew_is_filled_from_the_store",
            "test_platform_pruning_schedules::test_each_event_has_one_effect",
            "test_platform_pruning_schedules::"
            "test_what_a_reader_missed_is_told_and_nothing_is_doubled",
        ),
        ("E9 stream wiped",),
    ),
    Scenario(
        "E10",
        "the host of the bus loses power",
        (
            "test_platform_sim_parts::test_a_relay_fills_a_stream_that_was_made_anew",
            "test_platform_bus_restored::"
            "test_events_of_after_the_copy_are_read_by_running_services",
            "test_platform_bus_wire::test_what_was_on_the_wire_when_it_broke_is_read_again",
        ),
        ("E9 stream wiped",),
    ),
    Scenario(
        "E11",
        "a halt arrives after the order that it must stop",
        (
            _ORDERS + "test_a_halt_between_approval_and_send_stops_the_order",
            _ORDERS + "test_a_halt_after_the_write_ahead_still_stops_the_order",
        ),
    ),
    Scenario("E12", "a message of a later schema"),
)

_HOST = (
    Scenario(
        "F1",
        "the disk is full",
        (
            "test_brokers_client::test_a_failed_record_is_unavailable_and_changes_nothing",
            "test_halt_catalogue::test_h1_a_halt_that_can_not_be_written_halts_everything",
        ),
        ("F1 commit failed",),
    ),
    Scenario(
        "F2",
        "fsync reports an error",
        (_STORE + "test_f2_after_a_disk_that_failed_in_a_commit_a_store_takes_no_more",),
        ("F2 commit in doubt",),
    ),
    Scenario(
        "F3",
        "a bit of the store flips",
        ("test_operations_chain::test_one_flipped_byte_in_the_file_is_found",),
    ),
    Scenario("F4", "fsync takes half a minute"),
    Scenario(
        "F5",
        "a process is frozen and thawed",
        ("test_halt_processes::test_h5_h6_the_socket_halts_without_nats_and_a_zombie_is_fenced",),
    ),
    Scenario(
        "F6",
        "a file of the store is gone or unreadable",
        (
            _STORE + "test_a_missing_store_is_not_an_empty_one",
            _STORE + "test_a_file_that_is_no_database_is_refused",
        ),
    ),
)

_RISK = (
    Scenario(
        "G1",
        "two orders within the cap, together beyond it",
        (
            "test_riskengine_engine::test_no_interleaving_of_checks_overshoots_a_cap",
            "test_riskengine_campaigns::test_no_interleaving_overshoots_a_cap",
        ),
    ),
    Scenario(
        "G2",
        "an approval is used again, elsewhere, or for another order",
        ("test_riskengine_token_attack::test_p9_no_attack_of_any_kind_is_accepted",),
    ),
    Scenario(
        "G3",
        "an approval expires in the queue",
        (_ORDERS + "test_an_expired_approval_lets_nothing_out",),
    ),
    Scenario(
        "G4",
        "a limit is lowered between approval and send",
        (
            "test_riskengine_engine::"
            "test_an_approval_of_before_a_halt_or_another_envelope_is_judged_anew",
        ),
    ),
    Scenario(
        "G5",
        "the price is stale, crossed, zero, or of a halted instrument",
        (
            "test_riskengine_market::test_an_unsound_quote_denies",
            "test_riskengine_market::test_a_halted_or_old_instrument_denies",
        ),
    ),
    Scenario(
        "G6",
        "a gate raises, hangs, or answers nonsense",
        (
            "test_riskengine_fail_closed::test_every_gate_fails_closed",
            "test_riskengine_pipeline::test_a_gate_that_hangs_denies_within_its_budget",
        ),
    ),
    Scenario(
        "G7",
        "the veto is away, slow, or misled",
        (
            "test_riskengine_veto::test_no_sound_opinion_denies",
            "test_riskengine_veto::"
            "test_failing_open_takes_an_explicit_policy_and_never_overrides_a_veto",
        ),
    ),
    Scenario(
        "G8",
        "a value is typed where a quantity belongs",
        (
            "test_riskengine_controls::test_each_control_denies_with_its_code",
            "test_riskengine_blocks::test_a_hard_block_can_not_be_overridden",
        ),
    ),
    Scenario(
        "G9",
        "a strategy repeats itself without end",
        ("test_riskengine_blocks::test_a_runaway_strategy_is_disabled_until_people_re_enable_it",),
    ),
    Scenario(
        "G10",
        "children outgrow their parent",
        (
            "test_riskengine_capital::test_children_never_exceed_their_parent",
            "test_oms_dispatch::test_i6_children_never_sum_to_more_than_their_parent",
        ),
    ),
)

_HALT = (
    Scenario("H1", "the kill switch itself fails"),
    Scenario("H2", "orders rest without a position"),
    Scenario("H3", "the sender is in the midst of submitting"),
    Scenario("H4", "fills arrive after the halt"),
    Scenario("H5", "a stopped sender comes back and sends"),
    Scenario("H6", "the bus is down when the operator halts"),
    Scenario(
        "H7",
        "our host is dead: the venue's own timer cancels",
        counters=("H7 dead-man timer ran out",),
    ),
    Scenario(
        "H8",
        "halt, restart, restore",
        ("test_operations_halt::test_a_halt_is_sticky_over_restarts",),
    ),
)

_REST = (
    Scenario(
        "I1",
        "the clock steps or drifts",
        (
            "test_oms_fences::test_i1_an_approval_ages_by_the_monotonic_clock",
            "test_oms_clocks::test_i1_a_wall_clock_that_steps_makes_no_order_absent",
            "test_oms_clocks::test_i1_l1_no_sequence_of_steps_makes_time_pass_faster_or_slower",
        ),
        ("I1 clock steps", "I1 clock drifts"),
    ),
    Scenario(
        "I2",
        "the edge of a session, a holiday, a half day, another zone",
        (
            "test_platform_outside::test_sessions_know_holidays_and_half_days",
            "test_riskengine_controls::test_each_control_denies_with_its_code",
        ),
    ),
    Scenario(
        "J1",
        "the end of the audit log is cut off",
        ("test_operations_chain::test_tampering_is_found_at_its_first_index",),
    ),
    Scenario(
        "J2",
        "the audit log is rewritten as a whole",
        (
            "test_operations_chain::"
            "test_without_the_witness_a_full_rewrite_is_found_by_the_signed_root",
        ),
    ),
    Scenario("J3", "two readers are shown two logs"),
    Scenario("J4", "the audit store is away"),
    Scenario("J5", "the audit log falls silent"),
    Scenario(
        "K1",
        "forwarded addresses rotate",
        ("test_operations_api::test_the_limit_is_per_peer_and_no_header_bends_it",),
    ),
    Scenario("K2", "a webhook is replayed"),
    Scenario(
        "K3",
        "a plugin takes the name of another, or was altered",
        (
            "test_platform_plugins::test_two_packages_of_one_name_are_refused",
            "test_brokers_plugins::test_a_package_can_not_take_the_name_of_the_paper_venue",
        ),
    ),
    Scenario("K4", "a service's key is stolen"),
    Scenario(
        "L1",
        "two versions run at once",
        ("test_platform_build::test_l1_a_service_of_another_build_refuses_to_start",),
    ),
    Scenario(
        "L2",
        "a retired name is used again",
        (
            "test_retired_names::"
            "test_l2_every_name_of_today_is_on_record_and_none_is_a_retired_one",
            "test_retired_names::test_l2_a_retired_name_breaks_the_build_and_no_renewal_mends_it",
        ),
    ),
    Scenario(
        "L3",
        "a mistyped setting",
        ("test_platform_config::test_an_unknown_key_is_named_with_the_nearest_one",),
    ),
    Scenario(
        "L4",
        "an older version meets a newer store",
        (_STORE + "test_a_store_of_a_newer_version_is_refused",),
    ),
)

SYSTEM_SCENARIOS = (*_MESSAGES, *_HOST, *_RISK, *_HALT, *_REST)
