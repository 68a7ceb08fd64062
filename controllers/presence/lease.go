package presence

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
)

const (
	// LeaseDuration is how long an auth server is waited for after the controller
	// saw its last renewal.
	LeaseDuration = 15 * time.Second
	// MaxNamespaces is how many namespaces an auth server that doesn't watch all of
	// them can report on, in about 25 kB.
	MaxNamespaces = 256

	namePrefix     = "apikey-operator-authserver-"
	componentLabel = "apikey-operator.dev/component"
	component      = "authserver"

	seenAnnotation   = "apikey-operator.dev/seen"
	seenInAnnotation = "apikey-operator.dev/seen-in"
	usedAnnotation   = "apikey-operator.dev/used"

	// maxUses bounds the annotation of uses, to about 13 kB.
	maxUses = 512
	// beginningLength is how many hexadecimal digits of a digest stand for it.
	beginningLength = 16
	// maxIdentity is that of a DNS label.
	maxIdentity = 63
)

// Labels select the Leases of auth servers. The map is the caller's.
func Labels() map[string]string { return map[string]string{componentLabel: component} }

// Report is what an auth server says in its Lease.
type Report struct {
	// Identity is the server's own: see NewIdentity.
	Identity string
	// Renewed is the server's time, to the microsecond.
	Renewed time.Time
	// Seen is a resourceVersion: every change of an APIKey up to it is enforced. It
	// is "" while the server joins.
	Seen string
	// SeenIn are such of each namespace, of a server that watches no others. Seen is
	// then not above any of them: it is for controllers that don't know of SeenIn. Nil
	// is a server that watches all namespaces.
	SeenIn map[string]string
	Used   []Use
}

// in returns how far the server is in a namespace, and whether it watches that.
func (r *Report) in(namespace string) (position string, watched bool) {
	if r.SeenIn == nil {
		return r.Seen, true
	}
	position, watched = r.SeenIn[namespace]
	return position, watched
}

// joining makes it the report of a server that joins, of the same namespaces.
func (r *Report) joining() {
	r.Seen, r.SeenIn = "", maps.Clone(r.SeenIn)
	for namespace := range r.SeenIn {
		r.SeenIn[namespace] = ""
	}
}

// Use is when a key version was last used.
type Use struct {
	// Beginning names the version: see the function of that name.
	Beginning string
	At        time.Time // to the minute
}

// Beginning is what a Lease names a digest by: its first 16 hexadecimal digits.
func Beginning(digest string) string {
	_, digits, _ := strings.Cut(digest, ":")
	return digits[:min(len(digits), beginningLength)]
}

// NewIdentity returns the identity of an auth server: its host's name, and something
// random, for a server that starts again isn't the one of before.
func NewIdentity(hostname string, random io.Reader) (string, error) {
	var suffix [4]byte
	if _, err := io.ReadFull(random, suffix[:]); err != nil {
		return "", fmt.Errorf("making an identity: %w", err)
	}
	host := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(hostname))
	end := "-" + hex.EncodeToString(suffix[:])
	host = strings.Trim(host[:min(len(host), maxIdentity-len(end))], "-")
	return strings.TrimPrefix(host+end, "-"), nil
}

// Lease returns the Lease that says it.
func (r Report) Lease(namespace string) *coordinationv1.Lease {
	annotations := map[string]string{}
	if r.Seen != "" {
		annotations[seenAnnotation] = r.Seen
	}
	if r.SeenIn != nil {
		annotations[seenInAnnotation] = encodePositions(r.SeenIn)
	}
	if used := encodeUses(r.Used); used != "" {
		annotations[usedAnnotation] = used
	}
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: namePrefix + r.Identity, Labels: Labels(), Annotations: annotations},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity:       &r.Identity,
			LeaseDurationSeconds: ptr.To(int32(LeaseDuration / time.Second)),
			RenewTime:            &metav1.MicroTime{Time: r.Renewed},
		},
	}
}

// Read reads what Report.Lease wrote. What isn't well formed counts as not said: a
// server of whose namespaces one can't be read is one that watches all.
func Read(l *coordinationv1.Lease) Report {
	r := Report{Identity: strings.TrimPrefix(l.Name, namePrefix), SeenIn: decodePositions(l.Annotations[seenInAnnotation]), Used: Used(l)}
	if l.Spec.RenewTime != nil {
		r.Renewed = l.Spec.RenewTime.Time
	}
	if seen := l.Annotations[seenAnnotation]; wellFormed(seen) {
		r.Seen = seen
	}
	return r
}

func encodePositions(positions map[string]string) string {
	texts := make([]string, 0, len(positions))
	for _, namespace := range slices.Sorted(maps.Keys(positions)) {
		texts = append(texts, namespace+"="+positions[namespace])
	}
	return strings.Join(texts, ",")
}

// decodePositions returns nil for what encodePositions didn't write, and for nothing.
func decodePositions(text string) map[string]string {
	if text == "" {
		return nil
	}
	positions := map[string]string{}
	for entry := range strings.SplitSeq(text, ",") {
		namespace, position, ok := strings.Cut(entry, "=")
		_, twice := positions[namespace]
		if !ok || twice || len(positions) == MaxNamespaces || len(validation.IsDNS1123Label(namespace)) > 0 || position != "" && !wellFormed(position) {
			return nil
		}
		positions[namespace] = position
	}
	return positions
}

func encodeUses(uses []Use) string {
	texts := make([]string, 0, min(len(uses), maxUses))
	for _, u := range uses[:cap(texts)] {
		texts = append(texts, u.Beginning+"="+strconv.FormatInt(u.At.Unix()/60, 10))
	}
	return strings.Join(texts, ",")
}

// Used returns what a Lease says of use.
func Used(l *coordinationv1.Lease) []Use {
	var uses []Use
	for text := range strings.SplitSeq(l.Annotations[usedAnnotation], ",") {
		if u, ok := decodeUse(text); ok {
			uses = append(uses, u)
		}
		if len(uses) == maxUses {
			break
		}
	}
	return uses
}

func decodeUse(text string) (Use, bool) {
	beginning, minute, _ := strings.Cut(text, "=")
	digits, err := hex.DecodeString(beginning)
	if err != nil || len(beginning) != beginningLength {
		return Use{}, false
	}
	u := Use{Beginning: hex.EncodeToString(digits)} // which doesn't hold on to the annotation
	n, err := strconv.ParseUint(minute, 10, 32)
	if err != nil || n == 0 || u.Beginning != beginning {
		return Use{}, false
	}
	u.At = time.Unix(int64(n)*60, 0)
	return u, true
}

// maxRevision is more than any resourceVersion has digits.
const maxRevision = 32

func wellFormed(revision string) bool {
	return reached(revision, revision) && len(revision) <= maxRevision
}

// reached reports whether a position is a revision or later, and newer whether it is
// later. What can't be compared is neither.
func reached(position, revision string) bool {
	c, err := resourceversion.CompareResourceVersion(position, revision)
	return err == nil && c >= 0
}

func newer(position, revision string) bool {
	return reached(position, revision) && position != revision
}
