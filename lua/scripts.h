/* The Lua scripts of this folder, embedded at build with their SHA-1. Each file's head is its manual. */
#ifndef PGUSHER_LUA_SCRIPTS_H
#define PGUSHER_LUA_SCRIPTS_H

#include "common/script.h"

extern const struct script script_enqueue;
extern const struct script script_epoch;
extern const struct script script_put;
extern const struct script script_remove;

#endif
