package admission

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// TestRefusal: what a person reads, whole. Nothing is said of the API to whoever may not
// issue its keys.
func TestRefusal(t *testing.T) {
	o := opens([]string{"READ", "customers:*"}, "spec.scopes: READ, customers:* are added", "spec.expiresAt: the key never ends")
	const start = `it opens what user "jane" may not grant: spec.scopes: READ, customers:* are added; spec.expiresAt: the key never ends. Missing: verb issue on `
	const way = ` in namespace "apis". Way out: whoever may grant it creates the APIKey, or gives the right: kubectl create role issue-billoget-HASH --namespace=apis --verb=issue `
	const end = `, and then kubectl create rolebinding issue-billoget-HASH --namespace=apis --role=issue-billoget-HASH --user='jane'; for all APIs of the namespace bind ClusterRole apikey-operator-issuer there`
	for _, row := range []struct {
		name, has, want string
	}{{
		name: "nothing",
		want: start + `protectedapis.apikey-operator.dev "billoget", protectedapis.apikey-operator.dev/scopes "billoget:READ", protectedapis.apikey-operator.dev/scopes "billoget:customers:*"` +
			way + `--resource=protectedapis.apikey-operator.dev,protectedapis.apikey-operator.dev/scopes ` +
			`--resource-name='billoget' --resource-name='billoget:READ' --resource-name='billoget:customers:*'` + end,
	}, {
		name: "all scopes, and not the API", has: "scopes",
		want: start + `protectedapis.apikey-operator.dev "billoget"` + way + `--resource=protectedapis.apikey-operator.dev --resource-name='billoget'` + end,
	}, {
		name: "the API", has: "issue billoget, scope billoget:customers:read",
		want: start + `protectedapis.apikey-operator.dev/scopes "billoget:READ", protectedapis.apikey-operator.dev/scopes "billoget:customers:*" (or on each scope that it covers)` +
			way + `--resource=protectedapis.apikey-operator.dev/scopes --resource-name='billoget:READ' --resource-name='billoget:customers:*'` + end,
	}, {
		name: "all but one scope", has: "issue billoget, scope billoget:customers:*",
		want: start + `protectedapis.apikey-operator.dev/scopes "billoget:READ"` + way + `--resource=protectedapis.apikey-operator.dev/scopes --resource-name='billoget:READ'` + end,
	}} {
		t.Run(row.name, func(t *testing.T) {
			spec := declaring("READ", "customers:read", "customers:write")
			err := askAll(t, &rights{has: row.has}, o, &spec)
			got := strings.TrimPrefix(err.Error(), `apikeys.apikey-operator.dev "key" is forbidden: `)
			if name := regexp.MustCompile(`issue-billoget-[0-9a-f]{6}`).FindString(got); strings.ReplaceAll(got, name, "issue-billoget-HASH") != row.want {
				t.Errorf("got\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// TestCommands: those for another person, or other scopes, don't stand in the way of
// those that were run before.
func TestCommands(t *testing.T) {
	g := grant{namespace: "apis", api: "billoget"}
	names := map[string]bool{}
	for _, user := range []string{"jane", "joe", "o'neil", "system:serviceaccount:gitops:flux"} {
		for _, scope := range []string{"READ", "WRITE"} {
			names[strings.Fields(g.commands(user, "r", scope))[3]] = true
		}
	}
	if len(names) != 8 {
		t.Errorf("got names %v, want 8 different ones", names)
	}
	for user, want := range map[string]string{"o'neil": ` --user='o'\''neil'`, "system:serviceaccount:gitops:flux": " --serviceaccount=gitops:flux"} {
		if got := g.commands(user, "r", "n"); !strings.HasSuffix(got, want) {
			t.Errorf("got %s, want it to end with %s", got, want)
		}
	}
}

// askAll asks for what a key of billoget opens.
func askAll(t *testing.T, who Authorizer, o opened, api *apiSpec) error {
	t.Helper()
	k := &v1alpha1.APIKey{Spec: keySpec{APIRef: &v1alpha1.ProtectedAPIReference{Namespace: "apis", Name: "billoget"}}}
	k.Namespace, k.Name = "shop", "key"
	for _, s := range o.scopes {
		k.Spec.Scopes = append(k.Spec.Scopes, v1alpha1.Scope(s))
	}
	v, request := &Validators{Authorizer: who}, admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{UserInfo: jane}}
	ctx := admission.NewContextWithRequest(t.Context(), request)
	a, err := v.mayIssue(ctx, k, o)
	if err != nil {
		return err
	}
	return a.mayGrant(ctx, apiFacts{spec: api}, nil)
}

// TestQuestionsAreBounded: what one request can make the API server do.
func TestQuestionsAreBounded(t *testing.T) {
	deep := strings.Repeat(":a", 61)
	var many, flat apiSpec // the schema's bounds: 64 scopes of 128 characters, of 128
	o := opened{why: []string{"spec: the APIKey is new"}}
	var each []string
	for i := range 64 {
		o.scopes = append(o.scopes, fmt.Sprintf("%02d", i)+deep+":*")
		many.Scopes = append(many.Scopes, declaring(v1alpha1.Scope(fmt.Sprintf("%02d", i)+deep+":a"), v1alpha1.Scope(fmt.Sprintf("%02d", i)+deep+":b")).Scopes...)
	}
	for i := range 128 {
		flat.Scopes = append(flat.Scopes, declaring(v1alpha1.Scope(fmt.Sprintf("S%d", i))).Scopes...)
		each = append(each, fmt.Sprintf("scope billoget:S%d", i))
	}
	const bound = `in namespace "apis" (not more than 256 rights are asked for at once: name fewer scopes, or get the right to "*"). Way out: `
	for _, row := range []struct {
		name, has string
		opens     opened
		api       *apiSpec
		asked     int
		says      string // "" is granted
	}{
		{"nothing", "", o, &many, 2, `in namespace "apis". Way out: `},
		{"the API", "issue billoget", o, &many, maxReviews, bound},
		{"the API and all scopes", "issue billoget, scopes", o, &many, 2, ""},
		{"the API and *", "issue billoget, scope billoget:*", o, &many, maxReviews, ""},
		{"the API and each scope of the largest catalogue", "issue billoget, " + strings.Join(each, ", "), opens(everything, "new"), &flat, 2 + 1 + 128, ""},
		{"the API and each scope of it but one", "issue billoget, " + strings.Join(each[1:], ", "), opens(everything, "new"), &flat, 2 + 1 + 128, " (or on each scope that it covers) in namespace"},
	} {
		t.Run(row.name, func(t *testing.T) {
			who := &rights{has: row.has}
			err := askAll(t, who, row.opens, row.api)
			if len(who.asked) != row.asked || (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("%d questions and %v, want %d and %q", len(who.asked), err, row.asked, row.says)
			}
			if slices.Sort(who.asked); len(slices.Compact(who.asked)) != row.asked {
				t.Error("a question is asked twice")
			}
		})
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
