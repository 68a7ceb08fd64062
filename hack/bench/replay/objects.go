package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
)

const (
	apiNamespace, apiName = "apis", "billoget"
	keyName               = "shop-integration-" + numberMark
	allRequests           = 1_000_000_000 // per hour: the limit is checked, and never reached
)

var (
	resources = []string{"customers", "products", "invoices", "orders", "payments", "reports", "users", "refunds", "subscriptions", "budgets"}
	created   = metav1.NewTime(time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC))
)

func scope(verb, resource string) v1alpha1.Scope {
	return v1alpha1.Scope(verb + "_" + strings.ToUpper(resource))
}

// scopes are twenty. READ_BUDGETS, which the request needs, is the last one.
func scopes() []v1alpha1.Scope {
	var all []v1alpha1.Scope
	for _, r := range resources {
		all = append(all, scope("WRITE", r), scope("READ", r))
	}
	return all
}

// blocks are ten. That of the request's client is the last one.
func blocks() []v1alpha1.IPBlock {
	var all []v1alpha1.IPBlock
	for n := range 9 {
		all = append(all, v1alpha1.IPBlock(fmt.Sprintf("198.51.%d.0/24", n)))
	}
	return append(all, "203.0.113.0/24")
}

// protectedAPI has a hundred routes: ten resources, five patterns of each, to read and to write.
func protectedAPI() *v1alpha1.ProtectedAPI {
	p := &v1alpha1.ProtectedAPI{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ProtectedAPI"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: apiNamespace, Name: apiName, UID: "42be8c33-5f0e-4d0c-9d52-6d1d7f7d3a01",
			CreationTimestamp: created, Generation: 1, ResourceVersion: revision(firstRevision - 1),
		},
		Spec: v1alpha1.ProtectedAPISpec{
			Hosts:             []v1alpha1.Hostname{"api.billoget.com"},
			AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll},
			Credentials:       []v1alpha1.Credential{{Type: v1alpha1.CredentialBearer}},
			KeyFormat: &v1alpha1.KeyFormat{
				Prefix: checkrequest.Format.Prefix, Separator: ptr.To(v1alpha1.Separator(checkrequest.Format.Separator)),
				Environments: []v1alpha1.EnvironmentName{"live", "test"},
				Encoding:     v1alpha1.EncodingBase62, Length: int32(checkrequest.Format.Length), Checksum: v1alpha1.ChecksumCRC32,
			},
			EmptyScopes: v1alpha1.EmptyScopesDeny,
		},
	}
	methods := map[string][]v1alpha1.HTTPMethod{"READ": {"GET"}, "WRITE": {"POST", "PUT", "DELETE"}}
	for _, r := range resources {
		for _, verb := range []string{"WRITE", "READ"} {
			s := v1alpha1.ScopeDeclaration{Name: scope(verb, r), Description: verb + " " + r}
			for _, pattern := range []string{"", "/**", "/{id}/lines", "/{id}/lines/*", "/archive/**"} {
				s.Routes = append(s.Routes, v1alpha1.Route{Methods: methods[verb], Path: v1alpha1.PathPattern("/api/public/" + r + pattern)})
			}
			p.Spec.Scopes = append(p.Spec.Scopes, s)
		}
	}
	return p
}

// apiKey is what is the same in all APIKeys, with marks for the rest.
func apiKey() *v1alpha1.APIKey {
	hint := "bk_live_" + hintMark
	return &v1alpha1.APIKey{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "APIKey"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-" + teamMark, Name: keyName, UID: types.UID("6bf524ce-2d41-43f5-958f-89530" + numberMark),
			CreationTimestamp: created, Generation: 1, ResourceVersion: versionMark,
		},
		Spec: v1alpha1.APIKeySpec{
			DisplayName: "Integration " + numberMark + " of the shop",
			APIRef:      &v1alpha1.ProtectedAPIReference{Namespace: apiNamespace, Name: apiName},
			Environment: "live",
			Project:     "proj_" + numberMark,
			Attributes:  map[string]v1alpha1.AttributeValue{"team": "team_" + teamMark},
			Owner:       &v1alpha1.Owner{Name: "Shop team", Email: "ops@shop.example"},
			Scopes:      scopes(),
			AllowedIPs:  blocks(),
			RateLimit:   &v1alpha1.RateLimit{Requests: allRequests, Period: "1h", Algorithm: v1alpha1.FixedWindow},
			ExpiresAt:   ptr.To(metav1.NewTime(time.Date(2046, 12, 31, 23, 59, 59, 0, time.UTC))),
			State:       v1alpha1.DesiredActive,
		},
		Status: v1alpha1.APIKeyStatus{
			ObservedGeneration: 1, State: v1alpha1.StateActive, Hint: hint,
			SecretName: keyName, SecretPhase: v1alpha1.SecretPresent,
			Keys: []v1alpha1.KeyVersion{{
				Digest: "sha256:" + digestMark, Hint: hint, Phase: v1alpha1.KeyCurrent, IssuedAt: created, DeliveredAt: &created,
			}},
			Conditions: []metav1.Condition{
				condition("Ready", "Issued", `the raw key is in Secret "`+keyName+`"`),
				condition("Propagated", "Propagated", "seen by 2 of 2 auth servers"),
				condition("WithinLimits", "WithinLimits", "the key keeps to keyLimits of ProtectedAPI "+apiNamespace+"/"+apiName),
			},
		},
	}
}

func condition(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: 1, LastTransitionTime: created}
}

// edits are the APIKey as it was issued, and then as it is after one harmless edit or
// the other: of what is shown, and of a scope that the request doesn't need.
func edits() ([]*template, error) {
	renamed, narrowed := apiKey(), apiKey()
	renamed.Spec.DisplayName += " (renamed)"
	narrowed.Spec.Scopes = narrowed.Spec.Scopes[1:]
	var all []*template
	for _, k := range []*v1alpha1.APIKey{apiKey(), renamed, narrowed} {
		text, err := sent(k)
		if err != nil {
			return nil, err
		}
		all = append(all, newTemplate(text))
	}
	return all, nil
}

// sent is an APIKey as the API server sends it: its fields by name, and who owns them.
func sent(k *v1alpha1.APIKey) ([]byte, error) {
	text, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	owned := func(manager, operation, subresource, part string) map[string]any {
		entry := map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "fieldsType": "FieldsV1", "manager": manager, "operation": operation,
			"time": created.UTC().Format(time.RFC3339), "fieldsV1": map[string]any{"f:" + part: fields(object[part])},
		}
		if subresource != "" {
			entry["subresource"] = subresource
		}
		return entry
	}
	object["metadata"].(map[string]any)["managedFields"] = []any{
		owned("kubectl", "Apply", "", "spec"), owned("apikey-operator", "Update", "status", "status"),
	}
	return json.Marshal(object)
}

// fields names the fields of a value in the form of FieldsV1: those of objects, the
// values in sets, and what is in maps by digest or type.
func fields(value any) map[string]any {
	owned := map[string]any{}
	switch value := value.(type) {
	case map[string]any:
		for name, v := range value {
			owned["f:"+name] = fields(v)
		}
	case []any:
		for _, v := range value {
			object, ok := v.(map[string]any)
			if !ok {
				owned[fmt.Sprintf("v:%q", v)] = map[string]any{}
				continue
			}
			for _, by := range []string{"digest", "type"} {
				if k, ok := object[by]; ok {
					entry := fields(object)
					entry["."] = map[string]any{}
					owned[fmt.Sprintf("k:{%q:%q}", by, k)] = entry
				}
			}
		}
	default:
	}
	return owned
}
