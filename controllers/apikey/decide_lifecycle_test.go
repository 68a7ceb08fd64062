package apikey

import (
	"testing"
	"time"
)

// The key is in its Secret: what spec says of state and end.
func TestStanding(t *testing.T) {
	check(t, []rule{{
		name: "in place",
		keys: "k1 Current", target: holds("k1"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "the Secret isn't as declared: brought up to date around its key",
		keys: "k1 Current", target: outdated(holds("k1")),
		want: outcome{Update, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "that write was refused",
		keys: "k1 Current", target: outdated(holds("k1")), refused: refusal403, hand: "k1",
		want: outcome{Settle, "Active", "False WriteFailed", "Present key", "k1 Current", 30 * time.Second},
	}, {
		name: "a retiring key ends in 59 minutes: looked at then",
		keys: "k2 Current, k1 Retiring 59m", target: holds("k2"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k2 Current, k1 Retiring 59m", 59 * time.Minute},
	}, {
		name: "whichever ends first",
		spec: []edit{expires(30 * time.Minute)}, keys: "k2 Current, k1 Retiring 59m", target: holds("k2"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k2 Current, k1 Retiring 59m", 30 * time.Minute},
	}, {
		name: "suspended: the Secret stays",
		spec: []edit{suspended}, keys: "k1 Current", target: holds("k1"),
		want: outcome{Settle, "Suspended", "True Suspended", "Present key", "k1 Current", 0},
	}, {
		name: "suspended: overlaps run out",
		spec: []edit{suspended}, keys: "k2 Current, k1 Retiring 0s", target: holds("k2"),
		want: outcome{Settle, "Suspended", "True Suspended", "Present key", "k2 Current", 0},
	}, {
		name: "suspended: the Secret is kept up to date",
		spec: []edit{suspended}, keys: "k1 Current", state: "Suspended", ready: "True Suspended", target: outdated(holds("k1")),
		want: outcome{Update, "Suspended", "True Suspended", "Present key", "k1 Current", 0},
	}, {
		name: "resumed: the same key",
		keys: "k1 Current", state: "Suspended", ready: "True Suspended", target: holds("k1"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "will expire: looked at then",
		spec: []edit{expires(2 * time.Hour)}, keys: "k1 Current", target: holds("k1"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k1 Current", 2 * time.Hour},
	}, {
		name: "expired: the Secret stays",
		spec: []edit{expires(0)}, keys: "k1 Current", target: holds("k1"),
		want: outcome{Settle, "Expired", "False Expired", "Present key", "k1 Current", 0},
	}, {
		name: "expired and suspended: expired",
		spec: []edit{expires(-time.Hour), suspended}, keys: "k1 Current", target: holds("k1"),
		want: outcome{Settle, "Expired", "False Expired", "Present key", "k1 Current", 0},
	}, {
		name: "a later end: the same key again",
		spec: []edit{expires(time.Hour)}, keys: "k1 Current", state: "Expired", ready: "False Expired", target: holds("k1"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k1 Current", time.Hour},
	}, {
		name: "a problem: the Secret stays as it is",
		keys: "k1 Current", target: outdated(holds("k1")), problem: noAPI,
		want: outcome{Settle, "Active", "False APINotFound", "Present key", "k1 Current", 0},
	}, {
		name: "a problem of a suspended key",
		spec: []edit{suspended}, keys: "k1 Current", target: holds("k1"), problem: noAPI,
		want: outcome{Settle, "Suspended", "False APINotFound", "Present key", "k1 Current", 0},
	}, {
		name: "no problem any more",
		keys: "k1 Current", ready: "False APINotFound", target: holds("k1"),
		want: outcome{Settle, "Active", "True Issued", "Present key", "k1 Current", 0},
	}})
}

// Revoked: our Secret is deleted, the digest stays as evidence.
func TestRevoked(t *testing.T) {
	check(t, []rule{{
		name: "our Secret is deleted",
		spec: []edit{revoked}, keys: "k1 Current", target: holds("k1"),
		want: outcome{DeleteTarget, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "also one that holds something else",
		spec: []edit{revoked}, keys: "k1 Current", target: noKey,
		want: outcome{DeleteTarget, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "it is gone: the digest stays",
		spec: []edit{revoked}, keys: "k1 Current",
		want: outcome{Settle, "Revoked", "True Revoked", "None", "k1 Current", 0},
	}, {
		name: "also the digests that end later, or have ended",
		spec: []edit{revoked}, keys: "k3 Current, k2 Retiring 5m, k1 Retiring -5m",
		want: outcome{Settle, "Revoked", "True Revoked", "None", "k3 Current, k2 Retiring 5m, k1 Retiring -5m", 0},
	}, {
		name: "revoked between the Secret's write and its promotion",
		spec: []edit{revoked}, keys: "k1 Pending", target: holds("k1"),
		want: outcome{DeleteTarget, "Pending", "False Issuing", "None", "k1 Pending", 0},
	}, {
		name: "and what may be in a late write is evidence too",
		spec: []edit{revoked}, keys: "k1 Superseded -1h",
		want: outcome{Settle, "Revoked", "True Revoked", "None", "k1 Superseded -1h", 0},
	}, {
		name: "its late write has landed: deleted",
		spec: []edit{revoked}, keys: "k1 Superseded -1h", state: "Revoked", ready: "True Revoked", target: holds("k1"),
		want: outcome{DeleteTarget, "Revoked", "True Revoked", "None", "k1 Superseded -1h", 0},
	}, {
		name: "the Secret of the previous name is deleted too",
		spec: []edit{revoked, renamed}, keys: "k1 Current", previous: holds("k1"),
		want: outcome{DeletePrevious, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "one after the other",
		spec: []edit{revoked, renamed}, keys: "k1 Current", target: holds("k1"), previous: holds("k1"),
		want: outcome{DeleteTarget, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "the Secret is being deleted: not said to be gone yet",
		spec: []edit{revoked}, keys: "k1 Current", target: terminating(holds("k1")),
		want: outcome{Settle, "Revoked", "False SecretTerminating", "Present key", "k1 Current", 2 * time.Second},
	}, {
		name: "the API server has refused the deletion: said, and tried again",
		spec: []edit{revoked}, keys: "k1 Current", target: holds("k1"), refused: refusal403,
		want: outcome{Settle, "Revoked", "False WriteFailed", "Present key", "k1 Current", 30 * time.Second},
	}, {
		name: "somebody else's Secret isn't touched",
		spec: []edit{revoked}, keys: "k1 Current", target: foreign,
		want: outcome{Settle, "Revoked", "True Revoked", "None", "k1 Current", 0},
	}, {
		name: "nor that of a former APIKey",
		spec: []edit{revoked}, target: former,
		want: outcome{Settle, "Revoked", "True Revoked", "None", "", 0},
	}, {
		name: "expired as well: revoked",
		spec: []edit{revoked, expires(-time.Hour)}, keys: "k1 Current",
		want: outcome{Settle, "Revoked", "True Revoked", "None", "k1 Current", 0},
	}, {
		name: "a problem as well: revoked",
		spec: []edit{revoked}, keys: "k1 Current", problem: noAPI,
		want: outcome{Settle, "Revoked", "True Revoked", "None", "k1 Current", 0},
	}})
}

// A Secret that isn't ours is never touched.
func TestConflict(t *testing.T) {
	check(t, []rule{{
		name:   "somebody else's Secret has the name",
		target: foreign,
		want:   outcome{Settle, "Pending", "False SecretConflict", "None", "", 30 * time.Second},
	}, {
		name: "it came between publishing and writing",
		keys: "k1 Pending", target: foreign,
		want: outcome{Settle, "Pending", "False SecretConflict", "None", "k1 Superseded 10m", 30 * time.Second},
	}, {
		name: "a deadline before the next look",
		keys: "k1 Superseded 7s", target: foreign,
		want: outcome{Settle, "Pending", "False SecretConflict", "None", "k1 Superseded 7s", 7 * time.Second},
	}, {
		name: "the new name is somebody else's: the Secret of the old one stays",
		spec: []edit{renamed}, keys: "k1 Current", target: foreign, previous: holds("k1"),
		want: outcome{Settle, "Active", "False SecretConflict", "Present key", "k1 Current", 30 * time.Second},
	}, {
		name: "our own was taken over: nothing is issued either",
		keys: "k1 Current", target: foreign,
		want: outcome{Settle, "Active", "False SecretConflict", "Present key", "k1 Current", 30 * time.Second},
	}, {
		name: "expired in the meantime",
		spec: []edit{expires(-time.Hour)}, keys: "k1 Current", target: foreign,
		want: outcome{Settle, "Expired", "False SecretConflict", "Present key", "k1 Current", 30 * time.Second},
	}, {
		name:   "a former APIKey's is waited out, not adopted",
		target: former,
		want:   outcome{Settle, "Pending", "False SecretTerminating", "None", "", 2 * time.Second},
	}, {
		name:   "also while it is being deleted",
		target: terminating(former),
		want:   outcome{Settle, "Pending", "False SecretTerminating", "None", "", 2 * time.Second},
	}, {
		name: "the new name is a former APIKey's",
		spec: []edit{renamed}, keys: "k1 Current", target: former, previous: holds("k1"),
		want: outcome{Settle, "Active", "False SecretTerminating", "Present key", "k1 Current", 2 * time.Second},
	}})
}

// Renaming the Secret copies the raw key from the live old one, then deletes it.
func TestRename(t *testing.T) {
	renamed := []edit{renamed}
	check(t, []rule{{
		name: "copied first",
		spec: renamed, keys: "k1 Current", previous: holds("k1"),
		want: outcome{Copy, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "also from one that is being deleted",
		spec: renamed, keys: "k1 Current", previous: terminating(holds("k1")),
		want: outcome{Copy, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "also over another key in a Secret of ours",
		spec: renamed, keys: "k2 Current, k1 Retiring 30m", target: holds("k1"), previous: holds("k2"),
		want: outcome{Copy, "Active", "True Issued", "Present key", "k2 Current, k1 Retiring 30m", 0},
	}, {
		name: "also suspended",
		spec: append([]edit{suspended}, renamed...), keys: "k1 Current", previous: holds("k1"),
		want: outcome{Copy, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "then the old one is deleted",
		spec: renamed, keys: "k1 Current", target: holds("k1"), previous: holds("k1"),
		want: outcome{DeletePrevious, "Active", "True Issued", "Present key", "k1 Current", 0},
	}, {
		name: "then the new name is recorded",
		spec: renamed, keys: "k1 Current", target: holds("k1"),
		want: outcome{Record, "Active", "True Issued", "Present new", "k1 Current", 0},
	}, {
		name: "also while a finalizer holds the old one",
		spec: renamed, keys: "k1 Current", target: holds("k1"), previous: terminating(holds("k1")),
		want: outcome{Record, "Active", "True Issued", "Present new", "k1 Current", 0},
	}, {
		name: "done",
		spec: renamed, keys: "k1 Current", secret: "new", target: holds("k1"),
		want: outcome{Settle, "Active", "True Issued", "Present new", "k1 Current", 0},
	}, {
		name: "the copy was refused: the old one stays",
		spec: renamed, keys: "k1 Current", previous: holds("k1"), refused: refusal403, hand: "k1",
		want: outcome{Settle, "Active", "False WriteFailed", "Present key", "k1 Current", 30 * time.Second},
	}, {
		name: "the deletion was refused: said, and tried again",
		spec: renamed, keys: "k1 Current", target: holds("k1"), previous: holds("k1"), refused: refusal403,
		want: outcome{Settle, "Active", "False WriteFailed", "Present key", "k1 Current", 30 * time.Second},
	}, {
		name: "the old one is gone: a lost key",
		spec: renamed, keys: "k1 Current",
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "the old one holds something else: a lost key",
		spec: renamed, keys: "k1 Current", previous: holds("k9"),
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "the old one is somebody else's now: a lost key",
		spec: renamed, keys: "k1 Current", previous: foreign,
		want: outcome{Issue, "Active", "False Issuing", "Present key", "k1 Current", 0},
	}, {
		name: "lost and renamed: promoted as ever",
		spec: renamed, keys: "k2 Pending, k1 Current", target: holds("k2"), previous: holds("k9"),
		want: outcome{Record, "Active", "False Issuing", "Present key", "k2 Current, k1 Retiring 1h", 0},
	}, {
		name: "and then the changed old one goes",
		spec: renamed, keys: "k2 Current, k1 Retiring 1h", target: holds("k2"), previous: holds("k9"),
		want: outcome{DeletePrevious, "Active", "True Issued", "Present key", "k2 Current, k1 Retiring 1h", 0},
	}, {
		name: "somebody else's old one isn't touched",
		spec: renamed, keys: "k1 Current", target: holds("k1"), previous: foreign,
		want: outcome{Record, "Active", "True Issued", "Present new", "k1 Current", 0},
	}, {
		name: "renamed before the first key was promoted: it is the key, and then copied",
		spec: renamed, keys: "k1 Pending", previous: holds("k1"),
		want: outcome{Record, "Pending", "False Issuing", "None", "k1 Current", 0},
	}, {
		name: "renamed before a later key was promoted",
		spec: renamed, keys: "k2 Pending, k1 Current", previous: holds("k2"),
		want: outcome{Record, "Active", "False Issuing", "Present key", "k2 Current, k1 Retiring 1h", 0},
	}, {
		name: "renamed, and a late write of a lost key landed under the old name",
		spec: renamed, keys: "k2 Current, k1 Superseded 3m", secret: "new", target: holds("k2"), previous: holds("k1"),
		want: outcome{DeletePrevious, "Active", "True Issued", "Present new", "k2 Current, k1 Superseded 3m", 0},
	}, {
		name: "both names were written to: the wanted one's is the key, the other's retires",
		spec: renamed, keys: "k2 Pending, k1 Superseded 3m", target: holds("k2"), previous: holds("k1"),
		want: outcome{Record, "Pending", "False Issuing", "None", "k2 Current, k1 Retiring 1h", 0},
	}, {
		name: "renamed back before a later key was promoted: it is, and then copied",
		keys: "k2 Pending, k1 Current", target: holds("k1"), previous: holds("k2"),
		want: outcome{Record, "Active", "False Issuing", "Present key", "k2 Current, k1 Retiring 1h", 0},
	}, {
		name: "renamed without an API: nothing is copied",
		spec: renamed, keys: "k1 Current", previous: holds("k1"), problem: noAPI,
		want: outcome{Settle, "Active", "False APINotFound", "Present key", "k1 Current", 0},
	}, {
		name: "renamed after its end: nothing is copied",
		spec: append([]edit{expires(0)}, renamed...), keys: "k1 Current", previous: holds("k1"),
		want: outcome{Settle, "Expired", "False Expired", "Present key", "k1 Current", 0},
	}})
}

// Of several Secrets of other names the one that the key can be copied from comes
// first, and one that is to be deleted before one that is going already.
func TestUsefulness(t *testing.T) {
	keys := versions(t, "k3 Pending, k2 Current, k1 Retiring 1h, k0 Superseded 1m")
	order := []Held{
		holds("k2"), terminating(holds("k2")), holds("k3"), terminating(holds("k0")), noKey, terminating(holds("k1")), foreign,
	}
	for i := 1; i < len(order); i++ {
		if usefulness(keys, order[i-1]) <= usefulness(keys, order[i]) {
			t.Errorf("%+v isn't before %+v", order[i-1], order[i])
		}
	}
	if usefulness(keys, former) != 0 || usefulness(keys, Held{}) != 0 || usefulness(keys, holds("k9")) != usefulness(keys, noKey) {
		t.Error("what isn't ours, or holds no key of ours, is useful")
	}
}
