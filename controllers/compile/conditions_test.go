package compile

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/condition"
)

func conditions(all ...v1alpha1.KeyCondition) *v1alpha1.ProtectedAPI {
	return &v1alpha1.ProtectedAPI{
		ObjectMeta: metav1.ObjectMeta{Namespace: "apis", Name: "shop"},
		Spec:       v1alpha1.ProtectedAPISpec{Conditions: all},
	}
}

func TestConditions(t *testing.T) {
	api := API(conditions(
		v1alpha1.KeyCondition{Expression: "request.method == 'GET'", Message: "Read only"},
		v1alpha1.KeyCondition{Expression: "'admin' in key.scopes"},
	), nil)
	if api.Err != nil {
		t.Fatal(api.Err)
	}
	in := &condition.Input{Method: "GET"}
	type row struct {
		met     bool
		message string
	}
	var got []row
	for _, c := range api.Conditions {
		got = append(got, row{c.Expression.Met(in), c.Message})
	}
	if len(got) != 2 || got[0] != (row{true, "Read only"}) || got[1] != (row{false, ""}) {
		t.Errorf("got %+v", got)
	}
	if api := API(conditions(), nil); api.Err != nil || api.Conditions != nil {
		t.Errorf("none: got %v, %v", api.Conditions, api.Err)
	}
}

func TestConditionsThatCanNotBeUsed(t *testing.T) {
	fine := v1alpha1.KeyCondition{Expression: "true"}
	for expression, want := range map[string]string{
		"key.projct == 'a'": "spec.conditions[1].expression: column 4: undefined field 'projct'",
		"request.path":      "spec.conditions[1].expression: the expression gives a value of type string, must be bool",
		"key.scopes.exists(s, key.scopes.exists(t, request.path.contains(s + t)))": "spec.conditions[1].expression: the expression could take ",
		"true &&": "spec.conditions[1].expression: column 8: Syntax error",
	} {
		api := API(conditions(fine, v1alpha1.KeyCondition{Expression: expression}), nil)
		if api.Err == nil || !strings.HasPrefix(api.Err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s…", expression, api.Err, want)
		}
	}
}
