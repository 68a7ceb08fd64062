/* What the API server, auth servers, time and the user do. */

inline wroteSecret() { moved[0] = true; moved[1] = true; dirty = true }

inline wroteKey() {
	accepted = 0;
	for (k : 1 .. KEYS) {
		accepted = accepted | (BIT(k) * ACCEPTED(phase[k]))
	}
	k = 0;
	if
	:: revoked -> view[0] = accepted; view[1] = accepted
	:: else
	fi;
	stale[0] = true; stale[1] = true; dirty = true
}

/* A version's deadline passes. Auth servers and controllers judge that by their own
 * clocks, so it ends for all of them at once; status says so with the next write. */
inline ends(x) {
	d_step {
		MAYEND(x) ->
		phase[x] = (phase[x] == Superseded -> Ended : None);
		readable = readable & ~BIT(x); hurried = hurried & ~BIT(x);
		accepted = accepted & ~BIT(x); view[0] = view[0] & ~BIT(x); view[1] = view[1] & ~BIT(x);
		dirty = true; check()
	}
}

/* What is revoked is denied: deadlines, servers and consumers don't matter any more. */
inline revoke() {
	revoked = true; asked = false; readable = 0; hurried = 0; causes = 0; newest = 0;
	fenced = false; shownLong = false; impatient = false
}

/* The user puts back a raw key that was in the Secret. */
inline putBack(x) {
	d_step { OURS(secret) && secret != x && HAS(readable, x) && cost(); secret = x; causes++; wroteSecret(); check() }
}

/* A server has seen the newest status. */
inline seen() {
	for (k : 1 .. KEYS) {
		hurried = hurried & ~(BIT(k) * EVERYONE(k))
	}
	k = 0;
	dirty = true
}

/* What a server accepts while it is cut off matters to nobody, for when it comes back
 * it lists anew before it is counted, and answers for keys that it doesn't know. */
inline cutOff() {
#if !defined(NORELIST) && !defined(STILLANSWERS)
	view[0] = 0;
#endif
	dirty = true
}

inline comeBack() {
#ifndef NORELIST
	view[0] = accepted;
#endif
	dirty = true
}
