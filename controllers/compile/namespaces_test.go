package compile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
)

// TestWatchedNamespaces: of namespaces of which only the names are known a selector
// chooses by name, and one that asks for more chooses none and is an error, however it
// asks.
func TestWatchedNamespaces(t *testing.T) {
	const name = "kubernetes.io/metadata.name"
	type requirement = metav1.LabelSelectorRequirement
	expressions := func(all ...requirement) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: all}
	}
	for _, tt := range []struct {
		rule     string
		allowed  *v1alpha1.AllowedNamespaces
		selector *metav1.LabelSelector
		admits   string
		unknown  string // the label that can't be read
	}{
		{rule: "unset: its own", admits: "a"},
		{rule: "its own", allowed: &v1alpha1.AllowedNamespaces{From: "Same"}, admits: "a"},
		{rule: "all", allowed: &v1alpha1.AllowedNamespaces{From: "All"}, admits: "a b c"},
		{rule: "an empty selector", selector: &metav1.LabelSelector{}, admits: "a b c"},
		{rule: "by name", selector: &metav1.LabelSelector{MatchLabels: map[string]string{name: "b"}}, admits: "b"},
		{rule: "by names", selector: expressions(requirement{Key: name, Operator: "In", Values: []string{"b", "c", "z"}}), admits: "b c"},
		{rule: "all but one", selector: expressions(requirement{Key: name, Operator: "NotIn", Values: []string{"b"}}), admits: "a c"},
		{rule: "no name", selector: expressions(requirement{Key: name, Operator: "DoesNotExist"})},
		{rule: "a label", selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "x"}}, unknown: "team"},
		{rule: "a label that isn't something", selector: expressions(requirement{Key: "team", Operator: "NotIn", Values: []string{"x"}}), unknown: "team"},
		{rule: "no label", selector: expressions(requirement{Key: "team", Operator: "DoesNotExist"}), unknown: "team"},
		{
			rule:     "a name and no label",
			selector: expressions(requirement{Key: name, Operator: "In", Values: []string{"b"}}, requirement{Key: "team", Operator: "DoesNotExist"}), unknown: "team",
		},
	} {
		p := &v1alpha1.ProtectedAPI{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "api"}, Spec: v1alpha1.ProtectedAPISpec{AllowedNamespaces: tt.allowed}}
		if tt.selector != nil {
			p.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: "Selector", Selector: tt.selector}
		}
		api := compile.API(p, compile.Watched{"a", "b", "c"})
		var admits []string
		for _, namespace := range []string{"a", "b", "c"} {
			if api.Admits(namespace) {
				admits = append(admits, namespace)
			}
		}
		if got := strings.Join(admits, " "); got != tt.admits {
			t.Errorf("%s: admits %q, want %q", tt.rule, got, tt.admits)
		}
		switch {
		case tt.unknown == "" && api.Err != nil:
			t.Errorf("%s: %v", tt.rule, api.Err)
		case tt.unknown != "" && (!errors.Is(api.Err, compile.ErrLabelsUnknown) || !errors.As(api.Err, new(compile.SelectorError)) || !strings.Contains(api.Err.Error(), "label "+tt.unknown)):
			t.Errorf("%s: error %v, want one of label %s", tt.rule, api.Err, tt.unknown)
		}
		if one := compile.API(p, compile.Watched{"b"}); one.Admits("b") != slices.Contains(admits, "b") {
			t.Errorf("%s: asked of b alone, admits it: %v", tt.rule, one.Admits("b"))
		}
	}
}
