/* What must hold, and what is counted only to say so. */

byte readable;   /* the versions that our writes put into the Secret: consumers may hold them */
byte hurried;    /* of those, the ones that were delivered although a server lagged */
byte causes = 1; /* for how many keys there is a reason: first issue, triggers, losses */
byte newest;     /* the last version that was published before the last trigger */

/* Nothing is left to do, until something happens that needn't. A server may be cut
 * off for ever, and a former leader be stalled as long as no deadline runs. */
#define IDLE (!dirty && at[leader] == Resting && (fenced || view[0] == accepted) && view[1] == accepted)
#define QUIET (IDLE && !running)
#define DEADLINE(k) (!revoked && (phase[k] == Retiring || phase[k] == Superseded || phase[k] == Spent))

/* A server that is cut off denies nothing that it doesn't know. */
#ifdef STILLANSWERS
#define ANSWERED(k) (HAS(view[0], k) && WAITED(1, k))
#else
#define ANSWERED(k) EVERYONE(k)
#endif

/* What must be possible, for else the model would say nothing. */
#if defined(SEEK_ROTATED)
#define SOUGHT (QUIET && current > 1 && secret == current)
#elif defined(SEEK_DELIVERED)
#define SOUGHT (QUIET && placed == Delivered)
#elif defined(SEEK_REVOKED)
#define SOUGHT (QUIET && revoked && last > 0)
#elif defined(SEEK_CONFLICT)
#define SOUGHT (QUIET && secret == FOREIGN)
#elif defined(SEEK_HURRIED)
#define SOUGHT (HAS(readable, secret) && HAS(hurried, secret) && !EVERYONE(secret))
#elif defined(SEEK_FENCED)
#define SOUGHT (fenced && current > 1 && secret == current)
#elif defined(SEEK_LATE)
#define SOUGHT (phase[secret] == Superseded && HAS(readable, secret))
#elif defined(SEEK_SPENT)
#define SOUGHT (phase[secret] == Spent && HAS(readable, secret))
#elif defined(SEEK_FULL)
#define SOUGHT (n == MAXACCEPTED)
#endif

inline tell() {
	printf("%e %e %e %e %e %e, %e; Secret %d; leader %d: %e %e, %d in hand; other: %e %e, %d; accepted %x, seen %x %x; fenced %d asked %d revoked %d shown %d impatient %d\n",
		phase[1], phase[2], phase[3], phase[4], phase[5], phase[6], placed, secret,
		leader, at[leader], step[leader], hand[leader], at[1 - leader], step[1 - leader], hand[1 - leader],
		accepted, view[0], view[1], fenced, asked, revoked, shownLong, impatient)
}

/* check ends every step. */
inline check() {
	tell();
	n = 0; orphan = false; owed = false; running = MAYTIRE; passes = MAYTIRE;
	for (k : 1 .. KEYS) {
		n = n + ACCEPTED(phase[k]);
		running = running || DEADLINE(k); passes = passes || MAYEND(k);
		orphan = orphan || phase[k] == Pending && k != hand[leader];
		owed = owed || phase[k] == Pending || phase[k] == Superseded || phase[k] == Ended;
		/* What a consumer could have read from the Secret is accepted: in status,
		 * and by every auth server that answers. */
		assert(!HAS(readable, k) || ACCEPTED(phase[k]));
		assert(!HAS(readable, k) || HAS(hurried, k) || ANSWERED(k));
	}
	assert(n <= MAXACCEPTED);
	/* Time goes on, if nothing else does. */
	assert(!IDLE || !running || passes || at[1 - leader] != Resting);
	if
	:: QUIET -> settled()
	:: else
	fi;
#ifdef SOUGHT
	assert(!(SOUGHT));
#endif
	k = 0; n = 0
}

inline settled() {
	/* What is accepted without a deadline was in the Secret, or is in memory. */
	assert(!orphan);
	if
	:: revoked -> assert(!OURS(secret))
	:: !revoked && secret != FOREIGN ->
		assert(current != 0 && !owed);
		assert(secret == current && placed == Present || secret == ABSENT && placed == Delivered);
		/* No trigger is lost. */
		assert(!asked && current > newest);
		newest = 0;
		/* Nothing that happened so far is a reason for another key, unless a former
		 * leader has already decided to issue one for it. */
		causes = (at[1 - leader] == Resting -> 0 : causes)
	:: else
	fi
}
