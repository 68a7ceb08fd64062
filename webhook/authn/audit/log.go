package audit

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// Where a client names the source of its request, and what stands for one that
// doesn't, unless the API says otherwise.
const (
	SourceHeader  = "x-audit-source"
	DefaultSource = "API"
)

const (
	requestIDHeader = "x-request-id"

	allowed, denied = "allowed", "denied"
)

// The most characters of what a client wrote.
const (
	maxWord   = 128 // source and request ID
	maxMethod = 32
	maxHost   = 263 // a name of 255 and a port
	maxPath   = 1024
)

// Log writes a line for each decision, as the API's audit level says. A nil Log
// writes none.
type Log struct {
	out   io.Writer
	known lookup
	clock func() time.Duration
	lines sync.Pool
}

// New returns a Log that writes each line in one call of out.Write; out must be
// safe for concurrent use and must not block, as Sink. find finds the key of a
// digest.
func New(out io.Writer, find func(keyring.Name, key.Digest) (keyring.Match, bool)) *Log {
	return &Log{out: out, known: find, clock: monotonic, lines: sync.Pool{New: func() any { return new(line) }}}
}

// epoch is when monotonic began.
var epoch = time.Now()

// monotonic is half of what time.Now costs: it doesn't ask for the time of day.
func monotonic() time.Duration { return time.Since(epoch) }

// Door wraps an Authenticator so that its decisions are logged under a door's
// name.
func (l *Log) Door(name string, next authn.Authenticator) authn.Authenticator {
	if l == nil {
		return next
	}
	return &audited{next: next, door: name, log: l}
}

type audited struct {
	next authn.Authenticator
	door string
	log  *Log
}

// Authenticate decides and logs.
func (a *audited) Authenticate(r *auth.Request) auth.Verdict {
	start := a.log.clock()
	v := a.next.Authenticate(r)
	a.log.write(a.door, r, &v, a.log.clock()-start)
	return v
}

func (l *Log) write(door string, r *auth.Request, v *auth.Verdict, took time.Duration) {
	var settings keyring.Audit
	if v.API != nil {
		settings = v.API.Audit
	}
	if settings.Level == keyring.AuditNone || settings.Level == keyring.AuditDenied && v.OK() {
		return
	}
	next, _ := l.lines.Get().(*line)
	next.judged(door, r, v)
	next.identity(v)
	next.secrets.of(r, v.API, l.known)
	next.asked(r, v, settings)
	next.end(took)
	_, _ = l.out.Write(next.text) // the sink counts what it loses
	next.reset()
	l.lines.Put(next)
}

// judged begins a line with what became of the request.
func (l *line) judged(door string, r *auth.Request, v *auth.Verdict) {
	verdict, status := allowed, http.StatusOK
	if !v.OK() {
		verdict, status = denied, authn.StatusOf(v)
	}
	l.raw(`{"time":"`)
	l.text = r.Time.UTC().AppendFormat(l.text, time.RFC3339Nano)
	l.raw(`","verdict":"`)
	l.raw(verdict)
	l.raw(`","reason":`)
	l.text = appendQuoted(l.text, string(v.Reason))
	l.number(`,"status":`, int64(status))
	l.raw(`,"door":`)
	l.text = appendQuoted(l.text, door)
	if v.API != nil {
		l.api(v.API.Name)
	}
}

// identity says whose credential it was, if anybody's.
func (l *line) identity(v *auth.Verdict) {
	k := v.Key
	if k == nil {
		return
	}
	l.raw(`,"key":{"namespace":`)
	l.text = appendQuoted(l.text, k.Name.Namespace)
	l.raw(`,"name":`)
	l.text = appendQuoted(l.text, k.Name.Name)
	l.field(`,"uid":`, k.UID)
	l.field(`,"hint":`, v.Hint())
	l.field(`,"project":`, k.Project)
	l.field(`,"environment":`, k.Environment)
	l.owner(k.OwnerName, k.OwnerEmail)
	l.raw(`}`)
}

// asked is what the client and its gateway wrote.
func (l *line) asked(r *auth.Request, v *auth.Verdict, settings keyring.Audit) {
	s := &l.secrets
	l.field(`,"method":`, s.show(r.Method, maxMethod))
	l.field(`,"host":`, s.show(r.Host, maxHost))
	l.field(`,"route":`, v.Route)
	l.field(`,"path":`, s.showPath(path(r, v), maxPath))
	l.address(`,"client":`, v.Client)
	l.address(`,"caller":`, r.Caller.Unmap())
	source := first(r.Headers, cmp.Or(settings.SourceHeader, SourceHeader))
	l.field(`,"source":`, cmp.Or(s.show(source, maxWord), settings.DefaultSource, DefaultSource))
	l.field(`,"requestId":`, s.show(first(r.Headers, requestIDHeader), maxWord))
}

// first is the value of a header that counts, of several the first.
func first(h auth.Headers, name string) string {
	if h == nil {
		return ""
	}
	value, _ := h.Value(name, 0)
	return value
}

// path is the path that was judged or, where it wasn't normal, what was received
// of it. Not where that starts with a scheme: a password could follow.
func path(r *auth.Request, v *auth.Verdict) string {
	if v.Path != "" {
		return v.Path
	}
	if !strings.HasPrefix(r.Path, "/") {
		return ""
	}
	if end := strings.IndexAny(r.Path, "?#"); end >= 0 {
		return r.Path[:end]
	}
	return r.Path
}
