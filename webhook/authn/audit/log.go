package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
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
	now   func() time.Time
	lines sync.Pool
}

// New returns a Log that writes each line in one call of out.Write; out must be
// safe for concurrent use and must not block, as Sink. find finds the key of a
// digest.
func New(out io.Writer, find func(keyring.Name, key.Digest) (keyring.Match, bool), now func() time.Time) *Log {
	return &Log{out: out, known: find, now: now, lines: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
}

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
	start := a.log.now()
	v := a.next.Authenticate(r)
	a.log.write(a.door, r, &v, a.log.now().Sub(start))
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
	line, _ := l.lines.Get().(*bytes.Buffer)
	defer l.lines.Put(line)
	line.Reset()
	encoder := json.NewEncoder(line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(l.record(door, r, v, settings, took)); err != nil {
		return // strings, numbers and a time of this millennium always encode
	}
	_, _ = l.out.Write(line.Bytes()) // the sink counts what it loses
}

func (l *Log) record(door string, r *auth.Request, v *auth.Verdict, settings keyring.Audit, took time.Duration) Record {
	s := secretsOf(r, v.API, l.known)
	record := Record{
		Time: r.Time.UTC(), Verdict: allowed, Reason: string(v.Reason), Status: http.StatusOK,
		Door: door, Key: identity(v),
		Method: s.show(r.Method, maxMethod), Host: s.show(r.Host, maxHost),
		Route: v.Route, Path: s.showPath(path(r, v), maxPath),
		Client: address(v.Client), Caller: address(r.Caller.Unmap()),
		Source:        cmp.Or(s.show(first(r.Headers, cmp.Or(settings.SourceHeader, SourceHeader)), maxWord), settings.DefaultSource, DefaultSource),
		RequestID:     s.show(first(r.Headers, requestIDHeader), maxWord),
		LatencyMicros: took.Microseconds(),
	}
	if v.API != nil {
		record.API = v.API.Name.String()
	}
	if !v.OK() {
		record.Verdict, record.Status = denied, authn.NewDenial(v).Response().Status
	}
	return record
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

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func identity(v *auth.Verdict) *Key {
	k := v.Key
	if k == nil {
		return nil
	}
	out := &Key{
		Namespace: k.Name.Namespace, Name: k.Name.Name, UID: k.UID, Hint: v.Hint(),
		Project: k.Project, Environment: k.Environment,
	}
	if k.OwnerName+k.OwnerEmail != "" {
		out.Owner = &Owner{Name: k.OwnerName, Email: k.OwnerEmail}
	}
	return out
}
