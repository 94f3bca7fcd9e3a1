/* The Lua scripts of this folder, embedded at build with their SHA-1. Each file's head is its manual. */
#ifndef PGUSHER_LUA_SCRIPTS_H
#define PGUSHER_LUA_SCRIPTS_H

#include "common/script.h"

/* documents */
extern const struct script script_epoch;
extern const struct script script_fleet;
extern const struct script script_inspect;
extern const struct script script_put;
extern const struct script script_remove;
extern const struct script script_repair;
extern const struct script script_rows;
extern const struct script script_rows_forget;
extern const struct script script_rows_suspect;

/* what this connection may do */
extern const struct script script_may_call;

/* the queue */
extern const struct script script_ack;
extern const struct script script_enqueue;
extern const struct script script_heartbeat;
extern const struct script script_nack;
extern const struct script script_promote;
extern const struct script script_purge;
extern const struct script script_recover;
extern const struct script script_recover_plain;
extern const struct script script_release;
extern const struct script script_replay;
extern const struct script script_reserve;
extern const struct script script_rm;
extern const struct script script_stats;
extern const struct script script_sweep;

#endif
