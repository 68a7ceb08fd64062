package apikey

import (
	"testing"
	"time"
)

// First issue: publish as Pending, write the Secret, make it Current. A crash
// loses at most a raw key that nobody has.
func TestFirstIssue(t *testing.T) {
	check(t, []rule{{
		name: "nothing yet: issue",
		want: outcome{Issue, "Pending", "False Issuing", "None", "", 0},
	}, {
		name: "suspended from the start: issued, and denied by spec",
		spec: []edit{suspended},
		want: outcome{Issue, "Pending", "False Issuing", "None", "", 0},
	}, {
		name: "pending and in the Secret: promoted",
		keys: "k1 Pending", target: holds("k1"),
		want: outcome{Record, "Pending", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "promoted: settled",
		keys: "k1 Current", ready: "False Issuing", state: "Pending", target: holds("k1"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "pending and no Secret holds it: superseded with a deadline, and a new issue",
		keys: "k1 Pending",
		want: outcome{Issue, "Pending", "False Issuing", "None", "k1 Superseded 10m", 0},
	}, {
		name: "the deadline is not after the key's own end",
		spec: []edit{expires(4 * time.Minute)}, keys: "k1 Pending",
		want: outcome{Issue, "Pending", "False Issuing", "None", "k1 Superseded 4m", 0},
	}, {
		name: "that has passed already: forgotten at once",
		spec: []edit{expires(-time.Second)}, keys: "k1 Pending",
		want: outcome{Settle, "Expired", "False Expired", "None", "", 0},
	}, {
		name: "superseded keeps its deadline",
		keys: "k2 Pending, k1 Superseded 3m",
		want: outcome{Issue, "Pending", "False Issuing", "None", "k2 Superseded 10m, k1 Superseded 3m", 0},
	}, {
		name: "superseded, but its write has landed: promoted",
		keys: "k1 Superseded 3m", target: holds("k1"),
		want: outcome{Record, "Pending", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "the first of two has landed: promoted, the other keeps a deadline, for it may land once this Secret is gone",
		keys: "k2 Pending, k1 Superseded 3m", target: holds("k1"),
		want: outcome{Record, "Pending", "False Issuing", "Present key", "k1 Current, k2 Superseded 10m", 0},
	}, {
		name: "the second of two has landed: promoted, the other keeps a deadline, for it may land once this Secret is gone",
		keys: "k2 Pending, k1 Superseded 3m", target: holds("k2"),
		want: outcome{Record, "Pending", "False Issuing", "Present key", "k2 Current, k1 Superseded 3m", 0},
	}, {
		name: "superseded has ended: forgotten",
		keys: "k1 Superseded 0s",
		want: outcome{Issue, "Pending", "False Issuing", "None", "", 0},
	}, {
		name: "four are accepted: wait for the first to end",
		keys: "k4 Pending, k3 Superseded 9m, k2 Superseded 8m, k1 Superseded 7m",
		want: outcome{Settle, "Pending", "False TooManyVersions", "None", "k4 Superseded 10m, k3 Superseded 9m, k2 Superseded 8m, k1 Superseded 7m", 7 * time.Minute},
	}, {
		name: "the first of four has ended: issue",
		keys: "k4 Superseded 3m, k3 Superseded 2m, k2 Superseded 1m, k1 Superseded 0s",
		want: outcome{Issue, "Pending", "False Issuing", "None", "k4 Superseded 3m, k3 Superseded 2m, k2 Superseded 1m", 0},
	}, {
		name: "the API server has refused the Secret: its key stays in hand, later again",
		keys: "k1 Pending", refused: refusal403, hand: "k1",
		want: outcome{Settle, "Pending", "False WriteFailed", "None", "k1 Pending", 30 * time.Second},
	}, {
		name: "refused, and an earlier one ends before that",
		keys: "k2 Pending, k1 Superseded 10s", refused: refusal403, hand: "k2",
		want: outcome{Settle, "Pending", "False WriteFailed", "None", "k2 Pending, k1 Superseded 10s", 10 * time.Second},
	}, {
		name: "refused, but another one has landed: promoted",
		keys: "k2 Pending, k1 Superseded 3m", refused: refusal403, hand: "k2", target: holds("k1"),
		want: outcome{Record, "Pending", "False Issuing", "Present key", "k1 Current, k2 Superseded 10m", 0},
	}, {
		name: "expired before issue: never issued",
		spec: []edit{expires(-time.Second)},
		want: outcome{Settle, "Expired", "False Expired", "None", "", 0},
	}, {
		name: "revoked before issue: never issued",
		spec: []edit{revoked},
		want: outcome{Settle, "Revoked", "True Revoked", "None", "", 0},
	}, {
		name:    "no API: not issued",
		problem: noAPI,
		want:    outcome{Settle, "Pending", "False APINotFound", "None", "", 0},
	}, {
		name: "no API, but already in the Secret: promoted",
		keys: "k1 Pending", problem: noAPI, target: holds("k1"),
		want: outcome{Record, "Pending", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "no API any more, pending: its deadline runs",
		keys: "k1 Pending", problem: noAPI,
		want: outcome{Settle, "Pending", "False APINotFound", "None", "k1 Superseded 10m", 10 * time.Minute},
	}, {
		name:   "status is gone, the Secret confirms its key: taken up again",
		target: adoptable(holds("k1")),
		want:   outcome{Record, "", "", "Present key", "k1 Current", 0},
	}, {
		name:   "status is gone, the Secret doesn't confirm its key: a new one",
		target: holds("k1"),
		want:   outcome{Issue, "Pending", "False Issuing", "None", "", 0},
	}})
}

// Lost key: the Secret is gone or changed. The old one stays valid for the
// overlap, from when the new one is in the Secret.
func TestLostKey(t *testing.T) {
	check(t, []rule{{
		name: "the Secret is gone: a new key; the old one is accepted as before",
		keys: "k1 Current",
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "the Secret holds something else",
		keys: "k1 Current", target: holds("k9"),
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "something else that would be taken up if there were no status",
		keys: "k1 Current", target: adoptable(holds("k9")),
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "the Secret holds nothing that could be a key",
		keys: "k1 Current", target: noKey,
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "the Secret was put back to a retiring key",
		keys: "k2 Current, k1 Retiring 30m", target: holds("k1"),
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k2 Current, k1 Retiring 30m", 0},
	}, {
		name: "the new key is in the Secret: the old one retires, for the overlap",
		keys: "k2 Pending, k1 Current", target: holds("k2"),
		want: outcome{Record, "Active", "False Issuing", "Present key", "k2 Current, k1 Retiring 1h", 0},
	}, {
		name: "retiring ends with the key at the latest",
		spec: []edit{expires(20 * time.Minute)}, keys: "k2 Pending, k1 Current", target: holds("k2"),
		want: outcome{Record, "Active", "False Issuing", "Present key", "k2 Current, k1 Retiring 20m", 0},
	}, {
		name: "an earlier one keeps its deadline",
		keys: "k3 Pending, k2 Current, k1 Retiring 30m", target: holds("k3"),
		want: outcome{Record, "Active", "False Issuing", "Present key", "k3 Current, k2 Retiring 1h, k1 Retiring 30m", 0},
	}, {
		name: "a later end of the key extends nothing",
		spec: []edit{expires(100 * time.Hour)}, keys: "k2 Current, k1 Retiring 20m", target: holds("k2"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k2 Current, k1 Retiring 20m", 20 * time.Minute},
	}, {
		name: "retired: forgotten",
		keys: "k2 Current, k1 Retiring -1s", target: holds("k2"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k2 Current", 0},
	}, {
		name: "the new key was lost on the way: superseded, and another one",
		keys: "k2 Pending, k1 Current",
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k2 Superseded 10m, k1 Current", 0},
	}, {
		name: "the new key was lost on the way, and the old one is back in its Secret: it may have been a rotation",
		keys: "k2 Pending, k1 Current", target: holds("k1"),
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k2 Superseded 10m, k1 Current", 0},
	}, {
		name: "refused: the old one is accepted as before",
		keys: "k2 Pending, k1 Current", refused: refusal403, hand: "k2",
		want: outcome{Settle, "Active", "False WriteFailed", "Present key", "k2 Pending, k1 Current", 30 * time.Second},
	}, {
		name: "four are accepted: wait for the first to end",
		keys: "k4 Current, k3 Retiring 40m, k2 Retiring 30m, k1 Retiring 20m",
		want: outcome{Settle, "Active", "False TooManyVersions", "Present key", "k4 Current, k3 Retiring 40m, k2 Retiring 30m, k1 Retiring 20m", 20 * time.Minute},
	}, {
		name: "suspended: not replaced",
		spec: []edit{suspended}, keys: "k1 Current",
		want: outcome{Settle, "Suspended", "True Suspended", "Present key", "k1 Current", 0},
	}, {
		name: "suspended, and the Secret holds something else: not replaced",
		spec: []edit{suspended}, keys: "k1 Current", target: holds("k9"),
		want: outcome{Settle, "Suspended", "True Suspended", "Present key", "k1 Current", 0},
	}, {
		name: "resumed: replaced",
		keys: "k1 Current", state: "Suspended", ready: "True Suspended",
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "expired: not replaced",
		spec: []edit{expires(0)}, keys: "k1 Current",
		want: outcome{Settle, "Expired", "False Expired", "Present key", "k1 Current", 0},
	}, {
		name: "no API: not replaced",
		keys: "k1 Current", problem: noAPI,
		want: outcome{Settle, "Active", "False APINotFound", "Present key", "k1 Current", 0},
	}, {
		name: "being deleted: waited for",
		keys: "k1 Current", target: terminating(holds("k1")),
		want: outcome{Settle, "Active", "False SecretTerminating", "Present key", "k1 Current", 2 * time.Second},
	}})
}
