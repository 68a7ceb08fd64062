/*
 * The write path of one APIKey, for Spin: first issue, rotation, a lost key,
 * deleteAfter and revocation; a leader that works, a former one that is stalled,
 * crashes, auth servers that lag or are cut off, and a user. docs/model.md says what
 * is left out, and which code is meant.
 *
 * A step of the model is one write, or the reads that a write is decided on. What
 * nobody can see in between is one step; everything else is interleaved.
 */

#ifndef TROUBLES
#define TROUBLES 3 /* how often something happens that needn't: see cost() */
#endif
#define KEYS 6 /* no more are issued after so many troubles: issue() asserts it */
#define MAXACCEPTED 4

/* What status.keys says of a version. Spent is one that was lost before it reached
 * the Secret, and isn't needed any more: in status a Superseded behind the current
 * one. Ended is a Superseded whose deadline has passed: nobody accepts it, but it
 * still stands for a key that is owed. */
mtype:phase = { None, Pending, Current, Superseded, Spent, Ended, Retiring };
/* status.secretPhase */
mtype:placed = { Nowhere, Present, Deleting, Delivered };
/* What a controller is about to write: status, and with the last two the Secret. */
mtype:step = { Settle, Issue, Promote, Name, Intend, Done, Deliver, Delete };
mtype:at = { Resting, Looking, Writing };

/* A Secret holds a version's raw key, or one of these. */
#define ABSENT 0
#define JUNK (KEYS + 1)
#define FOREIGN (KEYS + 2)
#define OURS(s) ((s) != ABSENT && (s) != FOREIGN)

#define BIT(k) (1 << (k))
#define HAS(set, k) (((set) >> (k)) & 1)
#define ACCEPTED(p) ((p) != None && (p) != Ended)

/* The APIKey. Its versions have numbers, in the order they were published in. */
bool asked;   /* spec.rotation.trigger has a value that isn't observed */
bool revoked; /* spec.state */
mtype:phase phase[KEYS + 3] = None;
mtype:placed placed = Nowhere;
byte current;  /* the version that is Current, 0 if none is */
byte accepted; /* the set of versions that status says to accept */
byte last;     /* the last version that was published */

byte secret = ABSENT; /* what the Secret holds */

/* Two controllers. The first leads until the other is elected, and may not know. */
bit leader;
bool dirty = true; /* there is something that the leader hasn't looked at */
mtype:at at[2] = Resting;
mtype:step step[2] = Settle;
byte hand[2]; /* the version whose raw key it has in memory */
byte held[2]; /* what the Secret held when it was read */
/* A write carries the resourceVersion that was read. All that matters of it is
 * whether it is still the newest: a read clears these, and every write sets them. */
bool stale[2] = true; /* the APIKey's isn't */
bool moved[2] = true; /* the Secret's isn't */

/* Two auth servers, and the set of versions that each accepts. */
byte view[2];
bool fenced; /* the first is cut off: it answers 503 for keys that it doesn't know */

/* Time, as far as it isn't a version's deadline. */
bool shownLong; /* secret.deleteAfter has passed since the current key was delivered */
bool impatient; /* first issue or a lost key has waited for DeliverWithin */

byte troubles = TROUBLES;
#define cost() troubles > 0 -> troubles--

/* Scratch within a step, no part of the state. */
hidden byte k, n, owed, orphan, retiring, inPlace, shown, rotates, needs, running, passes;

/* Servers that are cut off are not waited for. */
#define WAITED(s, k) (fenced && (s) == 0 || HAS(view[s], k))
#define EVERYONE(k) (WAITED(0, k) && WAITED(1, k))

/* No consumer has a key that it can go on with. */
#define KEYLESS (current == 0 || placed == Present && secret != current)
#define ANYPENDING (phase[1] == Pending || phase[2] == Pending || phase[3] == Pending || \
	phase[4] == Pending || phase[5] == Pending || phase[6] == Pending)
#define MAYTIRE (!revoked && !impatient && KEYLESS && ANYPENDING)

/* A deadline is so far away that a write of its version which is still under way
 * lands before, and that a controller then sees in the Secret a version that was lost
 * before it got there. It is an assumption, which LATE drops. */
#ifdef LATE
#define UNDERWAY(k) false
#define UNSEEN(k) false
#else
#define DELIVERS(c, k) (hand[c] == k && (at[c] == Looking || at[c] == Writing && step[c] == Deliver))
#define UNDERWAY(k) (DELIVERS(0, k) || DELIVERS(1, k))
#define UNSEEN(k) (secret == k)
#endif
#define MAYEND(k) (!revoked && !UNDERWAY(k) && (phase[k] == Retiring || (phase[k] == Superseded || phase[k] == Spent) && !UNSEEN(k)))

#include "check.pml"
#include "world.pml"
#include "controller.pml"

proctype Controller(bit me) {
end:
	do
#ifdef READONCE
	/* The APIKey is read, then the Secret, and the APIKey may be another by now. */
	:: d_step { MAYLOOK(me) -> look(me); at[me] = Looking; check() }
	:: d_step { at[me] == Looking -> lookOn(me); check() }
#else
	/* The Secret is read between two reads of the APIKey that are the same. For a
	 * write of status the first is enough: it conflicts if there was another. */
	:: d_step { MAYLOOK(me) -> look(me); decide(me); check() }
#endif
	:: d_step { at[me] == Writing -> write(me); check() }
	/* The leader crashes: its memory is gone, and a write that wasn't sent. */
	:: d_step { me == leader && (at[me] != Resting || hand[me] != 0) && cost(); rest(me); hand[me] = 0; dirty = true; check() }
	/* The former one ends before its write. Or it stays at it for ever. */
	:: d_step { me != leader && at[me] != Resting -> rest(me); hand[me] = 0; check() }
	od
}

proctype Election() {
end:
	d_step { leader == 0 -> leader = 1; dirty = true; check() }
}

proctype AuthServers() {
end:
	do
	/* A watch lags for as long as it likes. That it sees several writes at once loses
	 * nothing: nobody does anything because a server has not yet seen a write. */
	:: d_step { !fenced && view[0] != accepted -> view[0] = accepted; seen(); check() }
	:: d_step { view[1] != accepted -> view[1] = accepted; seen(); check() }
	:: d_step { !fenced && !revoked && cost(); fenced = true; cutOff(); check() }
	:: d_step { fenced -> fenced = false; comeBack(); check() }
	od
}

proctype Time() {
end:
	do
	:: ends(1)
	:: ends(2)
	:: ends(3)
	:: ends(4)
	:: ends(5)
	:: ends(6)
	:: d_step { MAYTIRE -> impatient = true; dirty = true; check() }
	:: d_step { !revoked && current != 0 && !shownLong && placed == Present && cost(); shownLong = true; dirty = true; check() }
	od
}

proctype User() {
end:
	do
	:: d_step { !revoked && !asked && cost(); asked = true; causes++; newest = last; wroteKey(); check() }
	:: d_step { !revoked -> revoke(); wroteKey(); check() }
	/* Any other edit of the APIKey makes writes conflict that were decided before. */
	:: d_step { cost(); wroteKey(); check() }
	:: d_step { OURS(secret) && cost(); secret = ABSENT; causes++; wroteSecret(); check() }
	:: d_step { OURS(secret) && secret != JUNK && cost(); secret = JUNK; causes++; wroteSecret(); check() }
	:: putBack(1)
	:: putBack(2)
	:: putBack(3)
	:: d_step { secret != FOREIGN && cost(); causes = causes + OURS(secret); secret = FOREIGN; wroteSecret(); check() }
	:: d_step { secret == FOREIGN -> secret = ABSENT; wroteSecret(); check() }
	od
}

init {
	atomic { run Controller(0); run Controller(1); run Election(); run AuthServers(); run Time(); run User() }
}
