/* What a controller does, and the rules that the test breaks one by one. */

#ifdef NOFENCE /* the Secret is written whatever it is by now */
#define CONFLICT(me) false
#else
#define CONFLICT(me) (held[me] == ABSENT -> secret != ABSENT : moved[me])
#endif

#ifdef NOWAIT /* the key is delivered as soon as it is published */
#define READY(k) true
#else
#define READY(k) EVERYONE(k)
#endif

#ifdef NOINTENT /* the Secret of deleteAfter is deleted without a word */
#define INTENDED true
#else
#define INTENDED (placed == Deleting)
#endif

#ifdef FORGETLOST /* a key that was lost is denied at once */
#define LOST None
#else
#define LOST Superseded
#endif

#ifdef DROPATONCE /* or as soon as another one is in the Secret */
#define LEFTOVER None
#else
#define LEFTOVER Spent
#endif

#ifdef SPENTRETURNS /* one that isn't needed any more may still become current */
#define UNPROMOTED(p) ((p) == Pending || (p) == Superseded || (p) == Ended || (p) == Spent)
#else
#define UNPROMOTED(p) ((p) == Pending || (p) == Superseded || (p) == Ended)
#endif

#ifdef OBSERVEALWAYS /* a key that is issued again serves a trigger that came later */
#define SERVES (asked)
#else
#define SERVES (asked && !owed)
#endif

/* A former leader may go on for a while. For every look of its own it may publish a
 * key, and make the leader publish another: that counts as two troubles. */
#define MAYLOOK(me) (at[me] == Resting && (me == leader && dirty || me == 0 && leader == 1 && troubles > 1))

inline rest(me) {
	at[me] = Resting; step[me] = Settle; held[me] = ABSENT; stale[me] = true; moved[me] = true
}

inline look(me) {
	if
	:: me == leader -> dirty = false
	:: else -> troubles = troubles - 2
	fi;
	stale[me] = false;
	/* A raw key whose version isn't pending any more is forgotten. */
	hand[me] = (phase[hand[me]] == Pending -> hand[me] : 0)
}

/* decide takes the one step that follows from what was read. */
inline decide(me) {
	held[me] = secret; moved[me] = false;
	owed = false; orphan = false; retiring = false; n = 0;
	for (k : 1 .. KEYS) {
		n = n + ACCEPTED(phase[k]);
		retiring = retiring || phase[k] == Retiring;
		orphan = orphan || phase[k] == Pending && k != hand[me] && k != held[me];
		owed = owed || orphan || phase[k] == Superseded || phase[k] == Ended
	}
	inPlace = current != 0 && held[me] == current;
	shown = current != 0 && !inPlace && (placed == Deleting || placed == Delivered);
	rotates = current != 0 && hand[me] == 0 && !retiring && (owed || asked);
	needs = !shown || hand[me] != 0 || rotates;
	step[me] = (revoked -> (OURS(held[me]) -> Delete : Settle) :
		(UNPROMOTED(phase[held[me]]) -> Promote :
		(inPlace && placed != Present && !(placed == Deleting && shownLong) -> Name :
		(held[me] == FOREIGN && needs -> Settle :
		(inPlace && shownLong -> (INTENDED -> Delete : Intend) :
		(hand[me] != 0 && (READY(hand[me]) || !inPlace && !shown && impatient) -> Deliver :
		(!needs -> (OURS(held[me]) -> Delete : (placed == Deleting -> Done : Settle)) :
		(inPlace && !rotates -> Settle :
		(!inPlace && hand[me] != 0 -> Settle :
		(n < MAXACCEPTED -> Issue : Settle))))))))));
	k = 0; n = 0;
	if
#ifdef NOORDER /* the raw key is in the Secret before its digest is published */
	:: step[me] == Issue -> last++; hand[me] = last; step[me] = Deliver
#endif
	:: step[me] == Deliver && !inPlace && !shown && impatient -> hurried = hurried | (BIT(hand[me]) * !EVERYONE(hand[me]))
	:: else
	fi;
	at[me] = Writing;
	if
	:: step[me] == Settle && !orphan -> rest(me) /* there is nothing to write */
	:: else
	fi
}

#ifdef READONCE
/* lookOn reads the Secret, and goes by what the APIKey was: its status can't be
 * written any more if it has changed since, but the Secret can. */
inline lookOn(me) {
	if
	:: !stale[me] -> decide(me)
	:: stale[me] && hand[me] != 0 && !revoked && READY(hand[me]) && (secret == ABSENT || secret > hand[me] && secret != FOREIGN) ->
		held[me] = secret; moved[me] = false; step[me] = Deliver; at[me] = Writing
	:: else -> rest(me); dirty = dirty || me == leader
	fi
}
#endif

/* The write lands, or there is a conflict. Either way it is looked again. */
inline write(me) {
	if
	:: step[me] == Deliver && !CONFLICT(me) ->
		assert(secret != FOREIGN);
		secret = hand[me];
		readable = readable | (BIT(secret) * !revoked);
		wroteSecret()
	:: step[me] == Delete && !CONFLICT(me) ->
		assert(secret != FOREIGN);
		secret = ABSENT;
		wroteSecret()
	:: step[me] != Deliver && step[me] != Delete && !stale[me] ->
		writeStatus(me);
		wroteKey()
	:: else
	fi;
	rest(me);
	dirty = dirty || me == leader
}

inline writeStatus(me) {
	owed = false;
	for (k : 1 .. KEYS) {
		/* A key that is pending, and neither in the Secret nor in our hands, is lost. */
		phase[k] = (phase[k] == Pending && k != hand[me] && k != held[me] -> LOST : phase[k]);
		owed = owed || phase[k] == Superseded || phase[k] == Ended
	}
	k = 0;
	if
	:: step[me] == Issue -> issue(me)
	:: step[me] == Promote -> promote(me)
	:: step[me] == Name -> placed = Present
	:: step[me] == Intend -> placed = Deleting
	:: step[me] == Done -> placed = Delivered
	:: else
	fi
}

/* The digest is published, and its cause observed in the same write. One that is
 * issued again has the cause of the one that was lost, which may still land and
 * become current instead: a trigger that came later isn't served by either. */
inline issue(me) {
	for (k : 1 .. KEYS) {
		phase[k] = (phase[k] == Ended -> None : phase[k])
	}
	k = 0;
	/* A trigger that is there at first issue isn't a reason for a key of its own. */
	causes = causes - (SERVES && current == 0);
	asked = asked && !SERVES;
	assert(last < KEYS);
	last++;
	phase[last] = Pending; hand[me] = last; impatient = false
}

/* The key is in the Secret. Those that were lost before it aren't needed any more,
 * but a write of them may still land, so they keep their deadline. */
inline promote(me) {
	for (k : 1 .. KEYS) {
		phase[k] = (k == held[me] -> Current : (phase[k] == Current -> Retiring :
			(phase[k] == Ended -> None : (UNPROMOTED(phase[k]) -> LEFTOVER : phase[k]))))
	}
	k = 0;
	/* An older key never comes back, and there was a reason for this one. */
	assert(held[me] > current);
	assert(causes > 0);
	causes--;
	current = held[me]; placed = Present; shownLong = false; impatient = false
}
