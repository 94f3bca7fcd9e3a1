/*
 * The gate: writers send NOTIFY only if a worker sleeps, and yet no wake-up is
 * lost. run.sh has spin visit every state, for any number of transactions.
 *
 * Here                 In the program
 * -------------------  -------------------------------------------------------
 * writer()             a transaction of the application
 * change()             the trigger: INSERT INTO pgusher.changelog, then
 *                      pg_try_advisory_xact_lock_shared(1885828467, 0), and
 *                      NOTIFY pgusher if that returned false
 * worker()             pgusherd, each worker with a cursor of its own
 * snapshot(), apply()  one read: what the new snapshot sees and the cursor has
 *                      not; into Redis with it; then the cursor moves
 * sleeper              pg_try_advisory_lock(1885828467, 0), session level
 * server()             the backend of a worker's session
 *
 * PostgreSQL is taken to do this (xact.c, async.c, lock.c):
 * - COMMIT queues its notifications under a lock that lasts as long as its
 *   others, so the queue is in commit order. After that it may still fail, or
 *   it becomes visible, then releases its locks, then signals the listeners.
 * - A signalled listener reads the queue up to the first transaction that still
 *   runs, so it may be told of a commit before that one's own signal.
 * - LISTEN starts behind whatever is visible by then.
 * - ROLLBACK TO SAVEPOINT takes back rows, notifications, and locks got since.
 * - The lock of a worker that died is free when the server notices, which may
 *   be after its successor has connected.
 *
 * What the proof asks of the program, beyond the order of its statements:
 * - The last read's snapshot is taken after the lock was got: in a statement of
 *   its own, and not in a REPEATABLE READ transaction that began earlier. With
 *   an older snapshot it is no last read at all: MUTANT_NO_LAST_READ.
 * - A worker that sleeps owns the lock itself. That another one owns it is no
 *   reason to sleep, he may let go of it without a word: MUTANT_TRUST.
 * - The trigger tries the lock for every row. What it remembers of an earlier
 *   try may have been undone with a savepoint: MUTANT_REMEMBER.
 * - A session that has the lock does not try it again: it would get it, and
 *   then one unlock would not free it.
 *
 * What nobody else can tell apart is one atomic step: the two statements of the
 * trigger (its row is nobody's before the commit), or apply and unlock.
 *
 * Not modelled: the safety poll (it would hide what we look for, and nothing
 * here needs it); what is in a batch; PREPARE TRANSACTION, which PostgreSQL
 * refuses once a transaction has notified; PostgreSQL before 15, where signals
 * went out when the client's command ended, not its transaction, and never from
 * a replication worker; a connection that is dead while its client takes it for
 * alive, where nothing but keepalives and the safety poll can help.
 *
 * -DWRITERS=n -DWORKERS=n -DSAVEPOINTS -DCRASHES=n (default: any number) set
 * the scene. -DFAIR checks that every row is read in the end, instead of that
 * none is forgotten; it wants CRASHES, for fairness would make a worker crash
 * if that were all it could do. Each MUTANT_ macro breaks one thing, and spin
 * must notice.
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef WORKERS
#define WORKERS 1
#endif

#define ME (1 << id)
#define MINE(set) ((set & ME) != 0)
#define put(set) set = set | ME
#define cut(set) set = set & ~ME

/* Sets of writers. */
byte shared;      /* hold the gate, got outside a savepoint */
byte shared_sub;  /* hold the gate, got since the savepoint */
byte telling;     /* visible, but have not yet signalled the listeners */

/* Sets of workers. */
byte unread;      /* a visible row is not in their snapshots */
byte in_hand;     /* a row is in their snapshot, but not applied */
byte listening;
byte owed;        /* a visible notification is before them in the queue */
byte signalled;
byte pending;     /* a notification has reached the client */
byte asleep;

#define EVERY ((1 << WORKERS) - 1)
#define NOBODY 0
#define GHOST 255
byte sleeper = NOBODY;  /* holds the gate alone: 1 + worker, or a dead session */
bool queue_lock;        /* somebody's commit is between its NOTIFY and its end */

/* Has a notification, or one that is queued and will be signalled. */
#define TOLD (pending | (owed & (signalled | (telling != 0 -> EVERY : 0))))
/* Asleep, with a change to read, and nobody will say so: never. */
#define FORGOTTEN (asleep & unread & ~TOLD)

#ifdef MUTANT_REMEMBER
#define SKIPS tried      /* one try per transaction, whatever was undone since */
#else
#define SKIPS false
#endif
#define PASSES (!SKIPS && sleeper == NOBODY)
#define KNOCKS (!SKIPS && sleeper != NOBODY)

inline change(locks, row, note) {
	atomic {
		row = true;
		locks = locks | (PASSES -> ME : 0);
#ifdef MUTANT_EARLY_NOTIFY
		owed = owed | (KNOCKS -> listening : 0);
		signalled = signalled | (KNOCKS -> listening : 0);
#else
		note = note || KNOCKS;
#endif
#ifdef MUTANT_REMEMBER
		tried = true
#endif
	}
}

inline savepoint_rollback() {
	cut(shared_sub); row_sub = false; note_sub = false; sub = false
}

inline savepoint_release() {
	shared = shared | (shared_sub & ME);
	row = row || row_sub;
	note = note || note_sub;
	savepoint_rollback()
}

inline become_visible() {
	unread = EVERY;
	owed = owed | (note -> listening : 0);
	telling = telling | (note -> ME : 0)
}

inline release_locks() {
	cut(shared);
	queue_lock = queue_lock && !note
}

inline signal_listeners() {
	signalled = signalled | owed;
	cut(telling)
}

inline transaction_reset() {
	row = false;
	note = false;
#ifdef MUTANT_REMEMBER
	tried = false
#endif
}

proctype writer(byte id) {
	bool row, note;               /* of the transaction */
	bool sub, row_sub, note_sub;  /* since its savepoint */
#ifdef MUTANT_REMEMBER
	bool tried;
#endif

end_idle:
	do
	:: atomic { !sub -> change(shared, row, note) }
#ifdef SAVEPOINTS
	:: !sub -> sub = true
	:: atomic { sub -> change(shared_sub, row_sub, note_sub) }
	:: atomic { sub -> savepoint_release() }
	:: atomic { sub -> savepoint_rollback() }
#endif
	:: atomic { !sub -> cut(shared); transaction_reset() }
	:: atomic { !sub && row && !note -> break }
	:: atomic { !sub && row && note && !queue_lock -> queue_lock = true; break }
	od;

#ifdef MUTANT_EARLY_UNLOCK
	cut(shared);
#endif
	if
	:: atomic { become_visible() }
	:: atomic { release_locks(); transaction_reset(); goto end_idle }
	fi;
	if
	:: atomic { note -> release_locks() }
	:: atomic { !note -> release_locks(); transaction_reset(); goto end_idle }
	fi;
	atomic { signal_listeners(); transaction_reset(); goto end_idle }
}

#define HELD (sleeper == 1 + id)
#define GATE_FREE (sleeper == NOBODY && (shared | shared_sub) == 0)
#define FOUND MINE(in_hand)

inline listen() {
	put(listening);
	cut(owed)
}

inline snapshot() {
	in_hand = in_hand | (unread & ME);
	cut(unread)
}

inline apply() {
	cut(in_hand)
}

inline unlock() {
	sleeper = (HELD -> NOBODY : sleeper)
}

inline lose_session() {
	unread = unread | (in_hand & ME);
	cut(in_hand); cut(listening); cut(owed); cut(signalled);
	cut(pending); cut(asleep);
	sleeper = (HELD -> GHOST : sleeper)
}

#ifdef CRASHES
byte crashes;
#define DIES atomic { crashes < CRASHES -> crashes++; lose_session(); goto start }
#else
#define DIES atomic { lose_session(); goto start }
#endif

proctype worker(byte id) {
start:
#ifndef MUTANT_LATE_LISTEN
	atomic { listen() }
#endif
awake:
	if
	:: atomic { snapshot() }
	:: atomic { MINE(pending) -> cut(pending); snapshot() }
	:: DIES
	fi;
	if
	:: atomic { FOUND -> apply(); goto awake }
	:: !FOUND
	:: DIES
	fi;
	if
	:: atomic { GATE_FREE -> sleeper = 1 + id }
	:: atomic { !GATE_FREE -> assert(!HELD); goto awake }
#ifdef MUTANT_TRUST
	:: sleeper != NOBODY  /* a worker sleeps, so writers do notify */
#endif
	fi;
#ifdef MUTANT_NO_LAST_READ
	goto sleep;
#endif

look_again:
	if
	:: atomic { snapshot() }
	:: DIES
	fi;
	if
	:: atomic { FOUND -> apply(); unlock(); goto awake }
	:: !FOUND
	:: DIES
	fi;

sleep:
#ifdef MUTANT_LATE_LISTEN
	atomic { listen() }
#endif
#ifdef MUTANT_DROP
	cut(pending);
#endif
	put(asleep);
end_asleep:
	if
	:: atomic { MINE(pending) -> cut(pending); cut(asleep); goto look_again }
	:: DIES
	fi
}

proctype server(byte id) {
end_serving:
	do
	:: atomic { MINE(signalled) ->
		cut(signalled);
		pending = pending | (owed & ME);
		cut(owed) }
	:: atomic { sleeper == GHOST -> sleeper = NOBODY }
	od
}

#ifdef FAIR
#define FIRST(set) ((set & 1) != 0)  /* the workers are alike: one stands for all */
ltl read_in_the_end {
	[](FIRST(unread) -> <>!FIRST(unread)) && [](FIRST(in_hand) -> <>!FIRST(in_hand))
}
#else
active proctype monitor() {
end_watching:
	atomic { FORGOTTEN != 0 -> assert(FORGOTTEN == 0) }
}
#endif

init {
	byte n;
	atomic {
		for (n : 0 .. WRITERS - 1) { run writer(n) }
		for (n : 0 .. WORKERS - 1) { run worker(n); run server(n) }
		n = 0
	}
}
