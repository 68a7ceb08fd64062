package compile

import (
	"fmt"
	"net/netip"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// SelectorError is in the Err of an API whose allowedNamespaces can't be read.
type SelectorError struct{ Err error }

// Error implements error.
func (e SelectorError) Error() string {
	return fmt.Sprintf("spec.allowedNamespaces.selector: %v", e.Err)
}

// Unwrap returns the cause.
func (e SelectorError) Unwrap() error { return e.Err }

// API compiles a ProtectedAPI. Where its selector is of no interest, namespaces may be
// nil: it then selects none.
func API(p *v1alpha1.ProtectedAPI, namespaces Selectable) *keyring.API {
	api := &keyring.API{
		Name:            keyring.Name{Namespace: p.Namespace, Name: p.Name},
		UID:             string(p.UID),
		CreatedAt:       p.CreationTimestamp.Time,
		DenyEmptyScopes: denyEmptyScopes(p),
		DenyPlainHTTP:   p.Spec.PlainHTTP == v1alpha1.Deny,
		AllowPreflight:  p.Spec.Preflight == v1alpha1.Allow,
		KnownScopes:     knownScopes(p.Spec.Scopes),
	}
	setUpstream(p.Spec.Upstream, api)
	for _, h := range p.Spec.Hosts {
		api.Hosts = append(api.Hosts, string(h))
	}
	api.Formats, api.Err = formats(p.Spec.KeyFormat)
	for _, step := range []func(*v1alpha1.ProtectedAPI, *keyring.API) error{
		setCredentials, setRoutes, setBindings, setConditions, setTrustedProxies, setDenials, setAudit, checkEmptyScopes,
	} {
		if err := step(p, api); err != nil {
			api.Err = err
		}
	}
	if err := setNamespaces(p, namespaces, api); err != nil {
		api.Err = SelectorError{err}
	}
	return api
}

func setCredentials(p *v1alpha1.ProtectedAPI, api *keyring.API) error {
	if len(p.Spec.Credentials) == 0 {
		api.Credentials = keyring.DefaultCredentials()
		return nil
	}
	for i, c := range p.Spec.Credentials {
		place := keyring.Credential{}
		switch {
		case c.Type == v1alpha1.CredentialBearer:
			place.Place = keyring.Bearer
		case c.Type == v1alpha1.CredentialBasic:
			place.Place = keyring.Basic
		case c.Type == v1alpha1.CredentialHeader && c.Header != nil:
			place = keyring.Credential{Place: keyring.Header, Name: strings.ToLower(string(c.Header.Name))}
		case c.Type == v1alpha1.CredentialQuery && c.Query != nil:
			place = keyring.Credential{Place: keyring.Query, Name: c.Query.Name}
		case c.Type == v1alpha1.CredentialCookie && c.Cookie != nil:
			place = keyring.Credential{Place: keyring.Cookie, Name: c.Cookie.Name}
		default:
			return fmt.Errorf("spec.credentials[%d]: type %q is not known, or lacks its name", i, c.Type)
		}
		api.Credentials = append(api.Credentials, place)
	}
	return nil
}

func checkEmptyScopes(p *v1alpha1.ProtectedAPI, _ *keyring.API) error {
	switch p.Spec.EmptyScopes {
	case "", v1alpha1.EmptyScopesDeny, v1alpha1.EmptyScopesFullAccess:
		return nil
	default:
		return fmt.Errorf("spec.emptyScopes: %q is not known", p.Spec.EmptyScopes)
	}
}

func setBindings(p *v1alpha1.ProtectedAPI, api *keyring.API) error {
	for i, b := range p.Spec.Bindings {
		binding := keyring.Binding{
			Header:   strings.ToLower(string(b.From.Header)),
			Variable: b.From.PathVariable,
			FoldCase: b.Compare == v1alpha1.CompareCaseInsensitive,
			IfKeyHas: b.IfKeyHas != nil && *b.IfKeyHas,
		}
		if b.From.PathVariable != "" {
			var err error
			if binding.Patterns, err = bindingPatterns(p.Spec.BasePaths, b.From); err != nil {
				return fmt.Errorf("spec.bindings[%d].from: %w", i, err)
			}
		}
		switch b.Equals {
		case "project":
			binding.Field = keyring.Project
		case "environment":
			binding.Field = keyring.Environment
		case "owner.name":
			binding.Field = keyring.OwnerName
		case "owner.email":
			binding.Field = keyring.OwnerEmail
		default:
			name, ok := strings.CutPrefix(b.Equals, "attributes.")
			if !ok {
				return fmt.Errorf("spec.bindings[%d].equals: %q is no field of a key", i, b.Equals)
			}
			binding.Field, binding.Attribute = keyring.Attribute, name
		}
		api.Bindings = append(api.Bindings, binding)
	}
	return nil
}

func setTrustedProxies(p *v1alpha1.ProtectedAPI, api *keyring.API) error {
	if p.Spec.ClientIP == nil {
		return nil
	}
	blocks, err := blocks(p.Spec.ClientIP.TrustedProxies)
	if err != nil {
		return fmt.Errorf("spec.clientIP.trustedProxies: %w", err)
	}
	api.TrustedProxies = blocks
	return nil
}

func setNamespaces(p *v1alpha1.ProtectedAPI, namespaces Selectable, api *keyring.API) error {
	api.Namespaces = map[string]bool{}
	from := p.Spec.AllowedNamespaces
	switch {
	case from == nil || from.From == v1alpha1.NamespacesSame:
		api.Namespaces[p.Namespace] = true
	case from.From == v1alpha1.NamespacesAll:
		api.AllNamespaces = true
	case from.From != v1alpha1.NamespacesSelector:
		return fmt.Errorf("from %q is not known", from.From)
	default:
		selector, err := metav1.LabelSelectorAsSelector(from.Selector)
		if err != nil {
			return err
		}
		if namespaces == nil {
			return nil
		}
		selected, err := namespaces.Select(selector)
		for _, name := range selected {
			api.Namespaces[name] = true
		}
		return err
	}
	return nil
}

func blocks(in []v1alpha1.IPBlock) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(in))
	for _, b := range in {
		p, err := auth.ParseBlock(string(b))
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// formats returns the format of each environment, or the one of all keys.
func formats(f *v1alpha1.KeyFormat) ([]key.Format, error) {
	if f == nil || len(f.Environments) == 0 {
		one, err := Format(f, "")
		return []key.Format{one}, err
	}
	all := make([]key.Format, 0, len(f.Environments))
	for _, env := range f.Environments {
		one, err := Format(f, env)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}
