package audit

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// line is a Record as it is written: field after field, since encoding/json takes
// longer than the decision did. Lines are used again.
type line struct {
	text    []byte
	secrets secrets
}

// reset forgets the line, and above all the credentials.
func (l *line) reset() {
	l.text = l.text[:0]
	l.secrets.forget()
}

// raw appends JSON. Names come with the comma, quotes and colon around them.
func (l *line) raw(json string) { l.text = append(l.text, json...) }

// field appends a string, unless it is empty.
func (l *line) field(name, value string) {
	if value == "" {
		return
	}
	l.raw(name)
	l.text = appendQuoted(l.text, value)
}

func (l *line) number(name string, n int64) {
	l.raw(name)
	l.text = strconv.AppendInt(l.text, n, 10)
}

// address appends an address, unless it isn't known. Its zone may be anything.
func (l *line) address(name string, a netip.Addr) {
	switch {
	case !a.IsValid():
	case a.Zone() != "":
		l.field(name, a.String())
	default:
		l.raw(name)
		l.raw(`"`)
		l.text = a.AppendTo(l.text)
		l.raw(`"`)
	}
}

// api appends what Name.String writes.
func (l *line) api(name keyring.Name) {
	if name == keyring.DefaultAPI {
		l.field(`,"api":`, name.String())
		return
	}
	l.raw(`,"api":"`)
	l.text = appendChars(l.text, name.Namespace)
	l.raw(`/`)
	l.text = appendChars(l.text, name.Name)
	l.raw(`"`)
}

func (l *line) owner(name, email string) {
	switch {
	case name == "" && email == "":
		return
	case name == "":
		l.field(`,"owner":{"email":`, email)
	default:
		l.field(`,"owner":{"name":`, name)
		l.field(`,"email":`, email)
	}
	l.raw(`}`)
}

func (l *line) end(took time.Duration) {
	l.number(`,"latencyMicros":`, took.Microseconds())
	l.raw("}\n")
}
