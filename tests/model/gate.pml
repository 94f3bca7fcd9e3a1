/*
 * The gates: writers send NOTIFY only if a worker sleeps, and yet no wake-up is
 * lost. run.sh has spin visit every state, for any number of transactions.
 *
 * Here                 In the program
 * -------------------  -------------------------------------------------------
 * writer()             a transaction of the application
 * change()             the trigger: INSERT INTO a log table, then for the gate
 *                      of each fleet pg_try_advisory_xact_lock_shared(
 *                      1885828467, fleet * 1024 + partition) until one is not
 *                      got, and if so NOTIFY pgusher
 * worker()             whoever owns the partitions of a fleet, with its cursor
 * snapshot(), apply()  one read of all its partitions: what the new snapshot
 *                      sees and the cursor has not; into Redis with it; then
 *                      the cursor moves
 * closed               pg_try_advisory_lock of a gate, session level
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
 * - The last read's snapshot is taken after the locks were got: in a statement
 *   of its own, and not in a REPEATABLE READ transaction that began earlier.
 *   With an older snapshot it is no last read at all: MUTANT_NO_LAST_READ.
 * - A worker that sleeps owns the gates of all its partitions itself. Some of
 *   them are not enough: MUTANT_SOME_GATES. That another one owns a gate, say
 *   its predecessor, is no reason to sleep, he may let go of it without a word:
 *   MUTANT_TRUST.
 * - Gates may stay closed while their owner is awake, only then writers notify
 *   more often than they need to. Who holds them all and reads nothing sleeps.
 * - The trigger tries the lock for every row. What it remembers of an earlier
 *   try may have been undone with a savepoint: MUTANT_REMEMBER.
 * - It asks the gates of all fleets, so no transaction that writes may use a
 *   trigger function older than the fleet: MUTANT_FIRST_FLEET. One gate that is
 *   closed is enough, for a notification wakes all.
 * - Who takes a partition over reads at once. Notifications that came before
 *   it was his he ignored: MUTANT_HEIR_WAITS.
 * - A session that has a lock does not try it again: it would get it, and then
 *   one unlock would not free it.
 *
 * What nobody else can tell apart is one atomic step: the row and the first try
 * (the row is nobody's before the commit), or apply and unlock.
 *
 * Not modelled: the safety poll (it would hide what we look for, and nothing
 * here needs it); what is in a batch; PREPARE TRANSACTION, which PostgreSQL
 * refuses once a transaction has notified; PostgreSQL before 15, where signals
 * went out when the client's command ended, not its transaction, and never from
 * a replication worker; a connection that is dead while its client takes it for
 * alive, where nothing but keepalives and the safety poll can help.
 *
 * -DWRITERS=n -DFLEETS=n -DPARTS=n (partitions of each fleet) -DSAVEPOINTS
 * -DHEIRS (partitions are handed over) -DCRASHES=n (default: any number, of
 * hand-overs too) set the scene. -DFAIR checks that every row is read in the
 * end, instead of that none is forgotten; it wants CRASHES, for fairness would
 * make a worker crash if that were all it could do. Each MUTANT_ macro breaks one thing, and spin must notice.
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef FLEETS
#define FLEETS 1
#endif
#ifndef PARTS
#define PARTS 1
#endif
#define GATES (FLEETS * PARTS)

#define ME (1 << id)
#define MINE(set) ((set & ME) != 0)
#define put(set) set = set | ME
#define cut(set) set = set & ~ME

/* Sets of writers. */
byte locks[2 * GATES];  /* hold this gate; got since the savepoint, it is number GATES + gate */
byte telling;           /* visible, but have not yet signalled the listeners */

/* Sets of workers. */
byte unread;      /* a visible row is not in their snapshots */
byte in_hand;     /* a row is in their snapshot, but not applied */
byte listening;
byte owed;        /* a visible notification is before them in the queue */
byte signalled;
byte pending;     /* a notification has reached the client */
byte asleep;

#define EVERY ((1 << FLEETS) - 1)

/* Sets of gates, fleet * PARTS + partition. */
byte closed;  /* held by the owner of the partition */
byte ghosts;  /* held by a session whose worker is dead */
#define BIT(gate) (1 << (gate))
#define TAKEN(gate) (((closed | ghosts) & BIT(gate)) != 0)

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
#define GATE(fleet) ((fleet) * PARTS + part)
#define PASSES(fleet) (!SKIPS && !TAKEN(GATE(fleet)))
#define KNOCKS(fleet) (!SKIPS && TAKEN(GATE(fleet)))

inline try_gate(layer, fleet, note) {
#ifdef MUTANT_EARLY_NOTIFY
	owed = owed | (KNOCKS(fleet) -> listening : 0);
	signalled = signalled | (KNOCKS(fleet) -> listening : 0);
#else
	note = note || KNOCKS(fleet);
#endif
	locks[layer * GATES + GATE(fleet)] = locks[layer * GATES + GATE(fleet)] | (PASSES(fleet) -> ME : 0)
}

/* After a gate that was not got the next is not tried: it makes no difference
 * what is held there, all will be notified. */
inline change(layer, row, note) {
	atomic {
		row = true;
#if PARTS > 1
		if
		:: part = 0
		:: part = 1
		fi;
#endif
		try_gate(layer, 0, note);
#if FLEETS > 1 && !defined(MUTANT_FIRST_FLEET)
	}
	atomic {
		try_gate(layer, 1, note);
#endif
#ifdef MUTANT_REMEMBER
		tried = true;
#endif
		part = 0
	}
}

#define EACH_GATE(statement) for (gate : 0 .. GATES - 1) { statement } gate = 0

inline savepoint_rollback() {
	EACH_GATE(cut(locks[GATES + gate]));
	row_sub = false; note_sub = false; sub = false
}

inline savepoint_release() {
	EACH_GATE(locks[gate] = locks[gate] | (locks[GATES + gate] & ME));
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
	EACH_GATE(cut(locks[gate]));
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
	byte part;                    /* of the change */
	byte gate;
#ifdef MUTANT_REMEMBER
	bool tried;
#endif

end_idle:
	do
	:: !sub -> change(0, row, note)
#ifdef SAVEPOINTS
	:: !sub -> sub = true
	:: sub -> change(1, row_sub, note_sub)
	:: atomic { sub -> savepoint_release() }
	:: atomic { sub -> savepoint_rollback() }
#endif
	:: atomic { !sub -> EACH_GATE(cut(locks[gate])); transaction_reset() }
	:: atomic { !sub && row && !note -> break }
	:: atomic { !sub && row && note && !queue_lock -> queue_lock = true; break }
	od;

#ifdef MUTANT_EARLY_UNLOCK
	atomic { EACH_GATE(cut(locks[gate])) }
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

#define OWN (((1 << PARTS) - 1) << (id * PARTS))  /* its gates */
#define MY_GATE (id * PARTS + part)
#define HELD ((closed & BIT(MY_GATE)) != 0)
#define GATE_FREE (!TAKEN(MY_GATE) && (locks[MY_GATE] | locks[GATES + MY_GATE]) == 0)
#define ALL_CLOSED ((closed & OWN) == OWN)
#ifdef MUTANT_SOME_GATES
#define MAY_SLEEP ((closed & OWN) != 0)
#else
#define MAY_SLEEP ALL_CLOSED
#endif
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
	closed = closed & ~OWN
}

inline try_to_close() {
	if
	:: !HELD && GATE_FREE -> closed = closed | BIT(MY_GATE); got = true
	:: else
	fi
}

/* Its cursor stays where it was; nothing that came for it is heard any more. */
inline leave() {
	unread = unread | (in_hand & ME);
	cut(in_hand); cut(pending); cut(asleep);
	got = false; part = 0
}

inline lose_session() {
	leave();
	cut(listening); cut(owed); cut(signalled);
	ghosts = ghosts | (closed & OWN);
	unlock()
}

/* The heir's session has listened all the time, but may have read what is owed
 * before it was any of its business. */
inline hand_over() {
	leave();
	unlock();
	if
	:: true
	:: cut(owed); cut(signalled)
	fi
}

#ifdef CRASHES
byte crashes;
#define MAY_LEAVE crashes < CRASHES -> crashes++
#else
#define MAY_LEAVE true
#endif
#ifdef MUTANT_HEIR_WAITS
#define HEIR_BEGINS sleep
#else
#define HEIR_BEGINS awake
#endif
#define DIES atomic { MAY_LEAVE; lose_session(); goto start }
#ifdef HEIRS
#define GOES atomic { MAY_LEAVE; hand_over(); goto HEIR_BEGINS }
#else
#define GOES false
#endif

proctype worker(byte id) {
	byte part;  /* whose gate it tries */
	bool got;   /* a gate that it had not */

start:
#ifndef MUTANT_LATE_LISTEN
	atomic { listen() }
#endif
awake:
	if
	:: atomic { snapshot() }
	:: atomic { MINE(pending) -> cut(pending); snapshot() }
	:: DIES
	:: GOES
	fi;
	if
	:: atomic { FOUND -> apply(); unlock(); goto awake }
	:: !FOUND
	:: DIES
	fi;
#if PARTS > 1
	atomic { try_to_close(); part++ }
#endif
	atomic {
		try_to_close();
		part = 0;
		if
		:: got -> got = false
		:: !got && ALL_CLOSED -> goto sleep
		:: !got && !ALL_CLOSED -> goto awake
#ifdef MUTANT_TRUST
		:: !got && !ALL_CLOSED  /* a worker sleeps, so writers do notify */
#endif
		fi
	}
#ifdef MUTANT_NO_LAST_READ
	if
	:: MAY_SLEEP -> goto sleep
	:: else
	fi;
#endif

	if
	:: atomic { snapshot() }
	:: DIES
	fi;
	if
	:: atomic { FOUND -> apply(); unlock(); goto awake }
	:: !FOUND && MAY_SLEEP
#ifdef MUTANT_TRUST
	:: !FOUND && ghosts != 0
#endif
	:: atomic { !FOUND && !MAY_SLEEP -> goto awake }
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
	:: atomic { MINE(pending) -> cut(pending); cut(asleep); goto awake }
	:: DIES
	:: GOES
	fi
}

proctype server(byte id) {
end_serving:
	do
	:: atomic { MINE(signalled) ->
		cut(signalled);
		pending = pending | (owed & ME);
		cut(owed) }
	:: atomic { (ghosts & OWN) != 0 -> ghosts = ghosts & ~OWN }
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
		for (n : 0 .. FLEETS - 1) { run worker(n); run server(n) }
		n = 0
	}
}
