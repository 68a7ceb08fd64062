package proxies

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

var billogetName = keyring.Name{Namespace: "apis", Name: "billoget"}

// budgetsHost is where the recipes that can demand scopes by route do.
const budgetsHost = "budgets.billoget.com"

// hosts are what --host-claims and --default-api-hosts are in `make run`.
func hosts() keyring.HostPolicy {
	policy := keyring.HostPolicy{DefaultHosts: []string{"*"}}
	for _, host := range []string{"*.billoget.com", "api.stax.ai", "api.staxbill.com", "your-billstack.com"} {
		policy.Grants = append(policy.Grants, keyring.Grant{Namespace: "apis", Pattern: host})
	}
	return policy
}

// billoget is the API of the recipes that every proxy protects.
func billoget() *keyring.API {
	return &keyring.API{
		Name:        billogetName,
		CreatedAt:   start,
		Hosts:       []string{"api.billoget.com"},
		Credentials: []keyring.Credential{{Place: keyring.Bearer}, {Place: keyring.Header, Name: "x-api-key"}},
		Formats: []key.Format{
			{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Hex, Length: 32},
			{Prefix: "bk", Environment: "test", Separator: "_", Alphabet: key.Hex, Length: 32},
		},
		DenyEmptyScopes: true,
		Namespaces:      map[string]bool{"shop": true},
	}
}

// rawOf is a raw key of billoget's format, another one for every name.
func rawOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "bk_live_" + hex.EncodeToString(sum[:16])
}

// key adds an active key for billoget that may read budgets, as the function
// changes it, and returns its raw key.
func (s *system) key(name string, change ...func(k *keyring.Key)) string {
	raw := rawOf(name)
	k := &keyring.Key{
		Name:      keyring.Name{Namespace: "shop", Name: name},
		UID:       name,
		CreatedAt: keyring.At(start),
		Versions:  []keyring.Version{{Digest: key.NewRaw(raw).Digest(), Hint: raw[:12]}},
		Terms:     &keyring.Terms{API: billogetName, Scopes: keyring.Scopes{"READ_BUDGETS"}},
		Holder:    &keyring.Holder{},
	}
	for _, f := range change {
		f(k)
	}
	s.ring.SetKey(k)
	s.raws = append(s.raws, raw)
	return raw
}
