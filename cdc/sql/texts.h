/* The SQL texts of this folder, embedded at build. Each file's head says what it takes and gives. */
#ifndef PGUSHER_CDC_SQL_TEXTS_H
#define PGUSHER_CDC_SQL_TEXTS_H

extern const char sql_applied[];
extern const char sql_ask_backfill[];
extern const char sql_ask_repair[];
extern const char sql_begin_anew[];
extern const char sql_capture_fleets[];
extern const char sql_capture_state[];
extern const char sql_check_capture[];
extern const char sql_check_install[];
extern const char sql_check_reads[];
extern const char sql_check_rights[];
extern const char sql_check_server[];
extern const char sql_check_trust[];
extern const char sql_claim_quarantined[];
extern const char sql_claim_task[];
extern const char sql_describe[];
extern const char sql_end_task[];
extern const char sql_explain_changes[];
extern const char sql_explain_context[];
extern const char sql_fleet_state[];
extern const char sql_forget_shapes[];
extern const char sql_init_find[];
extern const char sql_init_keys[];
extern const char sql_init_names[];
extern const char sql_init_tables[];
extern const char sql_key_types[];
extern const char sql_move_task[];
extern const char sql_quarantined[];
extern const char sql_read[];
extern const char sql_record_shape[];
extern const char sql_retry_quarantined[];
extern const char sql_schema[];
extern const char sql_schemas[];
extern const char sql_session[];
extern const char sql_share[];
extern const char sql_signs[];
extern const char sql_status[];
extern const char sql_steer_backfill[];
extern const char sql_upgrade_1[];
extern const char sql_upgrade_1_end[];
extern const char sql_upkeep[];
extern const char sql_verify_due[];
extern const char sql_view_reads[];

#endif
