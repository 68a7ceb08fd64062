package extauthz

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/webhook/authn"
)

// prepared holds the parts of answers that many keys share and that are long: their
// scopes. The rest of an answer is written sooner than it is found.
type prepared struct {
	slots [slotCount]atomic.Pointer[scopes]
}

const (
	slotCount = 1024
	// slotsTried are those that terms may be in. Where none is free, the first one's
	// make room.
	slotsTried = 4
)

var slotSeed = maphash.MakeSeed()

// scopes are those of some terms as an answer has them.
type scopes struct {
	of *keyring.Terms
	// header is the field of OkHttpResponse that tells the upstream, or has a client's
	// own header removed. field is the one of the metadata.
	header, field []byte
}

// scopesOf returns the scopes of a verdict's key, nil without one. Terms that a
// keyring shares never change.
func (p *prepared) scopesOf(v *auth.Verdict) *scopes {
	if v.Key == nil {
		return nil
	}
	first := maphash.Comparable(slotSeed, v.Key.Terms)
	free := &p.slots[first%slotCount]
	for i := range uint64(slotsTried) {
		slot := &p.slots[(first+i)%slotCount]
		s := slot.Load()
		if s == nil {
			free = slot
			break
		}
		if s.of == v.Key.Terms {
			return s
		}
	}
	s := newScopes(v)
	free.Store(s)
	return s
}

func newScopes(v *auth.Verdict) *scopes {
	shown := *v
	shown.API = nil // what it hides isn't the terms' affair
	var header, field writer
	header.identity(&shown, authn.ScopesHeader, authn.IdentityHeaders[authn.ScopesHeader])
	field.list("scopes", v.Key.Scopes)
	return &scopes{of: v.Key.Terms, header: header.b, field: field.b}
}
