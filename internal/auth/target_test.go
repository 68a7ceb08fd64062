package auth

import (
	"errors"
	"testing"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

const defaultRaw = "ak_0123456789ABCDEFGHIJKLMNOPQRSTUV"

// The gateway names the API, or its host leads to it; there is no way from one
// API to another.
func TestTarget(t *testing.T) {
	byName := func(namespace, name string) Target {
		return Target{Kind: ByName, Name: keyring.Name{Namespace: namespace, Name: name}}
	}
	tests := map[string]struct {
		target Target
		host   string
		raw    string
		want   Reason
		api    string
	}{
		"by host":                                {Target{}, "api.shop.dev", good, Allowed, "apis/shop"},
		"by host with port":                      {Target{}, "api.shop.dev:8443", good, Allowed, "apis/shop"},
		"by host in upper case, with a dot":      {Target{}, "API.SHOP.DEV.", good, Allowed, "apis/shop"},
		"by another host of the grant":           {Target{}, "other.shop.dev", good, UnknownAPI, ""},
		"by a host that is a pattern":            {Target{}, "*.shop.dev", good, InvalidHost, ""},
		"by no host":                             {Target{}, "", good, InvalidHost, ""},
		"by name, whatever the host":             {byName("apis", "shop"), "other.example", good, Allowed, "apis/shop"},
		"by name, with a host that isn't one":    {byName("apis", "shop"), "a..b", good, InvalidHost, ""},
		"by another name, on its host":           {byName("apis", "gone"), "api.shop.dev", good, UnknownAPI, ""},
		"by another namespace":                   {byName("team", "shop"), "api.shop.dev", good, UnknownAPI, ""},
		"by a broken name":                       {byName("apis", "broken"), "api.shop.dev", good, BrokenAPI, "apis/broken"},
		"by a broken API's host":                 {Target{}, "broken.shop.dev", good, BrokenAPI, "apis/broken"},
		"default, by name":                       {Target{Kind: ByDefault}, "api.shop.dev", defaultRaw, Allowed, "default"},
		"default, by its host":                   {Target{}, "keys.example", defaultRaw, Allowed, "default"},
		"default, not for a granted host":        {Target{}, "other.shop.dev", defaultRaw, UnknownAPI, ""},
		"default, not for a named API":           {byName("apis", "gone"), "keys.example", defaultRaw, UnknownAPI, ""},
		"default, not for a broken API":          {byName("apis", "broken"), "keys.example", defaultRaw, BrokenAPI, "apis/broken"},
		"an API's key at the default API":        {Target{Kind: ByDefault}, "keys.example", good, MalformedCredential, "default"},
		"the default API's key at another":       {Target{}, "api.shop.dev", defaultRaw, MalformedCredential, "apis/shop"},
		"a key at an API of the same shape":      {byName("apis", "twin"), "api.shop.dev", good, UnknownKey, "apis/twin"},
		"a name is not a host, nor half a name":  {byName("apis", ""), "api.shop.dev", good, UnknownAPI, ""},
		"no name is the default API's, if asked": {byName("", ""), "api.shop.dev", defaultRaw, Allowed, "default"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := simpleWorld(good, bearer)
			w.policy.DefaultHosts = []string{"*"}
			a := w.authenticator()
			w.ring.SetAPI(&keyring.API{
				Name: keyring.Name{Namespace: "apis", Name: "broken"}, Hosts: []string{"broken.shop.dev"}, Err: errors.New("broken"),
			})
			w.ring.SetAPI(&keyring.API{
				Name: keyring.Name{Namespace: "apis", Name: "twin"}, Credentials: only(bearer), Formats: w.api.Formats, AllNamespaces: true,
			})
			w.ring.SetKey(&keyring.Key{Name: keyring.Name{Namespace: "team", Name: "default"}, Versions: []keyring.Version{version(defaultRaw)}})
			w.request.Target, w.request.Host = tt.target, tt.host
			w.send(authorization("Bearer " + tt.raw))
			if got := outcomeOf(a.Authenticate(&w.request)); got.Reason != tt.want || got.API != tt.api {
				t.Errorf("got %+v, want %s of %q", got, tt.want, tt.api)
			}
		})
	}
}

// The default API looks at Bearer and X-API-Key, lets every namespace in and
// needs no ProtectedAPI.
func TestDefaultAPI(t *testing.T) {
	tests := map[string]struct {
		headers fields
		want    Reason
	}{
		"Bearer":        {authorization("Bearer " + defaultRaw), Allowed},
		"X-API-Key":     {fields{"x-api-key": {defaultRaw}}, Allowed},
		"Basic":         {authorization("Basic " + defaultRaw), MissingCredential},
		"its own shape": {authorization("Bearer ak_" + repeat("z", 32)), UnknownKey},
		"another shape": {authorization("Bearer " + good), MalformedCredential},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			a := w.authenticator()
			w.ring.SetKey(&keyring.Key{Name: keyring.Name{Namespace: "any", Name: "k"}, Versions: []keyring.Version{version(defaultRaw)}})
			w.request.Target = Target{Kind: ByDefault}
			w.send(tt.headers)
			expectReason(t, outcomeOf(a.Authenticate(&w.request)), tt.want)
		})
	}
}

// Until the ring is filled nobody is told that a key is unknown, nor let in.
func TestNotSynced(t *testing.T) {
	for name, raw := range map[string]string{"a good key": good, "an unknown one": other, "no key": ""} {
		for kind, target := range map[string]Target{
			"host": {}, "name": {Kind: ByName, Name: shop}, "default": {Kind: ByDefault}, "no API": {Kind: ByName, Name: keyName},
		} {
			w := newWorld()
			w.synced, w.request.Target = false, target
			w.headers["authorization"] = []string{"Bearer " + raw}
			if got := w.outcome(); got != judged.because(NotSynced) {
				t.Errorf("%s, by %s: got %+v, want not_synced", name, kind, got)
			}
		}
	}
}

func TestNamespaces(t *testing.T) {
	tests := map[string]struct {
		all        bool
		namespaces map[string]bool
		want       Reason
	}{
		"all":          {true, nil, Allowed},
		"this one":     {false, map[string]bool{"team": true}, Allowed},
		"the API's":    {false, map[string]bool{"apis": true}, NamespaceNotAllowed},
		"none":         {false, nil, NamespaceNotAllowed},
		"not any more": {false, map[string]bool{"team": false}, NamespaceNotAllowed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.api.AllNamespaces, w.api.Namespaces = tt.all, tt.namespaces
			expectReason(t, w.outcome(), tt.want)
		})
	}
}

// Two APIKeys hold one digest: the same rules as in the ring, seen by a request.
func TestDuplicates(t *testing.T) {
	tests := map[string]struct {
		state keyring.State // of the younger
		want  Reason
	}{
		"the older decides":        {keyring.Suspended, Allowed},
		"unless one is revoked":    {keyring.Revoked, RevokedKey},
		"a deleted one is nothing": {keyring.Deleted, Allowed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			a := w.authenticator()
			younger := w.key.Clone()
			younger.Name.Name, younger.UID, younger.CreatedAt, younger.State = "younger", "other", keyring.At(now.Add(1)), tt.state
			w.ring.SetKey(younger)
			expectReason(t, outcomeOf(a.Authenticate(&w.request)), tt.want)
		})
	}
}

// A checksum never denies a key whose digest is known, and after a miss it is
// part of the shape.
func TestChecksum(t *testing.T) {
	format := key.Format{Prefix: "bk", Separator: "_", Alphabet: key.Hex, Length: 32, Checksum: true}
	const right, wrong = "bk_1234567890abcdef1234567890abcdef46fd8ec2", "bk_1234567890abcdef1234567890abcdef46fd8ec3"
	tests := map[string]struct {
		known, sent string
		want        Reason
	}{
		"known and right":   {right, right, Allowed},
		"known and wrong":   {wrong, wrong, Allowed},
		"unknown and right": {good, right, UnknownKey},
		"unknown and wrong": {good, wrong, MalformedCredential},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := simpleWorld(tt.known, bearer)
			w.api.Formats = []key.Format{format}
			w.send(authorization("Bearer " + tt.sent))
			expectReason(t, w.outcome(), tt.want)
		})
	}
}
