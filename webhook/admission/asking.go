package admission

import (
	"context"
	"errors"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
)

// asking is what is asked for one edit.
type asking struct {
	authorizer Authorizer
	user       authenticationv1.UserInfo
	key        string // the APIKey's name
	opens      opened
	grant      grant
	answers    answers
}

// mayIssue returns Forbidden unless whoever asks may issue keys of the API, if the edit
// opens anything. It says nothing but what the spec says: nobody learns by it what the
// API declares, or whether it is there.
func (v *Validators) mayIssue(ctx context.Context, k *v1alpha1.APIKey, o opened) (*asking, error) {
	a := &asking{authorizer: v.Authorizer, key: k.Name, opens: o, grant: grantOf(k, o.scopes), answers: answers{}}
	if !o.any() {
		return a, nil
	}
	request, err := admission.RequestFromContext(ctx)
	if err != nil {
		return nil, unknown(err)
	}
	a.user = request.UserInfo
	if err := a.ask(ctx, a.grant.first()); err != nil {
		return nil, err
	}
	if a.answers[a.grant.toIssue()] {
		return a, nil
	}
	if a.grant.full && a.grant.api != defaultAPI {
		a.grant.scopes = nil // whether that is full access, the API says
	}
	return nil, a.refused()
}

// mayGrant returns Forbidden unless they may grant the scopes, too. Nobody is asked for
// a scope that doesn't exist: it is among the problems.
func (a *asking) mayGrant(ctx context.Context, api apiFacts, problems []problem) error {
	if !a.opens.any() {
		return nil
	}
	if api.spec != nil {
		a.grant.declared = policy.DeclaredScopes(api.spec)
	}
	a.grant.scopes = slices.DeleteFunc(slices.Clone(a.grant.scopes), func(s string) bool {
		return slices.ContainsFunc(problems, func(p problem) bool { return p.about == aboutScope+s })
	})
	for _, round := range []func(answers) []Right{a.grant.second, a.grant.third} {
		if err := a.ask(ctx, round(a.answers)); err != nil {
			return err
		}
	}
	return a.refused()
}

func (a *asking) ask(ctx context.Context, rights []Right) error {
	if err := a.answers.ask(ctx, a.authorizer, a.user, rights); err != nil {
		return unknown(err)
	}
	return nil
}

// refused is nil if nothing is missing.
func (a *asking) refused() error {
	missing := a.grant.missing(a.answers)
	if len(missing) == 0 {
		return nil
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "apikeys"}, a.key,
		errors.New(a.grant.refusal(a.user.Username, a.opens, missing, a.answers)))
}
