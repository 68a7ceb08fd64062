package admission

import (
	"context"
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// TestRefusal: what a person reads, whole.
func TestRefusal(t *testing.T) {
	g := grant{namespace: "apis", api: "billoget", scopes: []string{"READ", "customers:*"}, declared: []string{"READ", "customers:read", "customers:write"}}
	o := opened{why: []string{"spec.scopes: READ, customers:* are added", "spec.expiresAt: the key never ends"}}
	for _, row := range []struct {
		name, has, want string
	}{{
		name: "nothing",
		want: `it opens what user "jane" may not grant: spec.scopes: READ, customers:* are added; spec.expiresAt: the key never ends. ` +
			`Missing: verb issue on protectedapis.apikey-operator.dev "billoget", protectedapis.apikey-operator.dev/scopes "billoget:READ", ` +
			`protectedapis.apikey-operator.dev/scopes "billoget:customers:*" (or on each scope that it covers) in namespace "apis". ` +
			`Way out: whoever may grant it creates the APIKey, or gives the right: kubectl create role issue-billoget --namespace=apis --verb=issue ` +
			`--resource=protectedapis.apikey-operator.dev,protectedapis.apikey-operator.dev/scopes ` +
			`--resource-name='billoget' --resource-name='billoget:READ' --resource-name='billoget:customers:*', and a RoleBinding to it; ` +
			`for all APIs of the namespace bind ClusterRole apikey-operator-issuer there`,
	}, {
		name: "one scope lacks", has: "issue billoget, scope billoget:customers:*",
		want: `it opens what user "jane" may not grant: spec.scopes: READ, customers:* are added; spec.expiresAt: the key never ends. ` +
			`Missing: verb issue on protectedapis.apikey-operator.dev/scopes "billoget:READ" in namespace "apis". ` +
			`Way out: whoever may grant it creates the APIKey, or gives the right: kubectl create role issue-billoget --namespace=apis --verb=issue ` +
			`--resource=protectedapis.apikey-operator.dev/scopes --resource-name='billoget:READ', and a RoleBinding to it; ` +
			`for all APIs of the namespace bind ClusterRole apikey-operator-issuer there`,
	}} {
		t.Run(row.name, func(t *testing.T) {
			a := answered(t, g, &rights{has: row.has})
			if got := g.refusal("jane", o, g.missing(a)); got != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// answered asks all three rounds.
func answered(t *testing.T, g grant, who Authorizer) answers {
	t.Helper()
	a := answers{}
	for _, round := range []func(answers) []Right{func(answers) []Right { return g.first() }, g.second, g.third} {
		if err := a.ask(t.Context(), who, authenticationv1.UserInfo{}, round(a)); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// TestQuestionsAreBounded: what one request can make the API server do.
func TestQuestionsAreBounded(t *testing.T) {
	g := grant{namespace: "apis", api: "billoget"}
	for i := range 64 { // the schema's bounds: 64 scopes of 128 characters, of 128
		g.scopes = append(g.scopes, fmt.Sprintf("%02d", i)+strings.Repeat(":a", 61)+":*")
		g.declared = append(g.declared, fmt.Sprintf("%02d", i)+strings.Repeat(":a", 62), fmt.Sprintf("%02d", i)+strings.Repeat(":a", 61)+":b")
	}
	who := &rights{}
	a := answered(t, g, who)
	if n, most := len(who.asked), 2+1+64*(1+maxFamilies)+128*(1+maxFamilies); n > most || n != len(a) {
		t.Errorf("%d questions and %d answers, want each once and %d at most", n, len(a), most)
	}
	if n := len(g.missing(a)); n != 1+64 {
		t.Errorf("%d rights are missing, want all", n)
	}
}

// failing can't answer the second of several questions.
type failing struct{ rights }

func (f *failing) Allowed(ctx context.Context, u authenticationv1.UserInfo, r Right) (bool, error) {
	yes, _ := f.rights.Allowed(ctx, u, r)
	if r.Name == "billoget:READ" {
		return true, errDown
	}
	return yes, nil
}

func TestAQuestionWithoutAnswerIsNotYes(t *testing.T) {
	g, a := grant{namespace: "apis", api: "billoget", scopes: []string{"READ"}}, answers{}
	err := a.ask(t.Context(), &failing{}, authenticationv1.UserInfo{Username: "jane"}, g.second(a))
	const want = `asking whether user "jane" has verb issue on protectedapis.apikey-operator.dev/scopes: the API server is tired`
	if err == nil || err.Error() != want || a[g.toScope("READ")] {
		t.Errorf("%v, and %v; want %q", err, a, want)
	}
}
