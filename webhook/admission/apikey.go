package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/policy"
)

// apiKeys admits APIKeys.
type apiKeys struct{ *Validators }

var _ admission.Validator[*v1alpha1.APIKey] = apiKeys{}

// ValidateCreate admits a new APIKey. One that is revoked opens nothing and never will.
func (v apiKeys) ValidateCreate(ctx context.Context, k *v1alpha1.APIKey) (admission.Warnings, error) {
	if k.Spec.State == v1alpha1.DesiredRevoked {
		return nil, nil
	}
	return v.admit(ctx, nil, k)
}

// ValidateUpdate admits an edit. What suspends or revokes is always admitted, as it is
// where admission is down.
func (v apiKeys) ValidateUpdate(ctx context.Context, before, after *v1alpha1.APIKey) (admission.Warnings, error) {
	switch {
	case equality.Semantic.DeepEqual(before.Spec, after.Spec),
		!after.DeletionTimestamp.IsZero(),
		closed(after):
		return nil, nil
	}
	return v.admit(ctx, before, after)
}

// ValidateDelete admits every deletion. It isn't asked.
func (apiKeys) ValidateDelete(context.Context, *v1alpha1.APIKey) (admission.Warnings, error) {
	return nil, nil
}

// closed holds for an APIKey whose edits aren't admitted but let through, see
// ValidateUpdate.
func closed(k *v1alpha1.APIKey) bool {
	return k.Spec.State == v1alpha1.DesiredSuspended || k.Spec.State == v1alpha1.DesiredRevoked
}

// admit asks first who may, and looks at what else is in the namespace only then:
// nobody else is told of it.
func (v *Validators) admit(ctx context.Context, before, after *v1alpha1.APIKey) (admission.Warnings, error) {
	ctx, cancel := answering(ctx)
	defer cancel()
	now := v.Clock.Now()
	if after.CreationTimestamp.IsZero() {
		after = after.DeepCopy()
		after.CreationTimestamp = metav1.NewTime(now)
	}
	api, err := v.readAPI(ctx, after)
	if err != nil {
		return nil, unknown(err)
	}
	if api.unwatched && before == nil { // nobody can be asked for rights there
		return nil, invalid("APIKey", after.Name, problemsOf(after, api, now))
	}
	opens := widening(before, after, api.policyOf(), now)
	if before != nil && closed(before) {
		before = nil // nobody has looked at it since it was
	}
	problems := brought(before, after, api, opens, now)
	if err := v.mayGrant(ctx, after, api, opens, problems); err != nil {
		return nil, err
	}
	n, err := v.neighbours(ctx, before, after)
	if err != nil {
		return nil, unknown(err)
	}
	if problems = append(problems, conflicts(after, n)...); len(problems) > 0 {
		return nil, invalid("APIKey", after.Name, problems)
	}
	warnings := newWarnings(before, after, api, now)
	if n.unimportable != nil {
		warnings = append(warnings, n.unimportable.Message+": no key is issued until there is")
	}
	return warnings, nil
}

// neighbours reads only what the edit has to do with.
func (v *Validators) neighbours(ctx context.Context, before, after *v1alpha1.APIKey) (neighbours, error) {
	n := neighbours{}
	if before == nil || apikey.SecretName(before) != apikey.SecretName(after) {
		if err := v.readSecret(ctx, after, &n); err != nil {
			return n, err
		}
	}
	if before == nil {
		return n, v.readExisting(ctx, after, &n)
	}
	return n, nil
}

// mayGrant returns Forbidden unless whoever asks may grant what the edit opens. Nobody
// is asked for a scope that doesn't exist: it is among the problems.
func (v *Validators) mayGrant(ctx context.Context, k *v1alpha1.APIKey, api apiFacts, o opened, problems []problem) error {
	if !o.any() {
		return nil
	}
	request, err := admission.RequestFromContext(ctx)
	if err != nil {
		return unknown(err)
	}
	var declared []string
	if api.spec != nil {
		declared = policy.DeclaredScopes(api.spec)
	}
	scopes := slices.DeleteFunc(slices.Clone(o.scopes), func(s string) bool {
		return slices.ContainsFunc(problems, func(p problem) bool { return p.about == aboutScope+s })
	})
	g, a := grantOf(k, scopes, declared), answers{}
	for _, round := range []func(answers) []Right{func(answers) []Right { return g.first() }, g.second, g.third} {
		if err := a.ask(ctx, v.Authorizer, request.UserInfo, round(a)); err != nil {
			return unknown(err)
		}
	}
	if missing := g.missing(a); len(missing) > 0 {
		return apierrors.NewForbidden(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "apikeys"}, k.Name,
			errors.New(g.refusal(request.UserInfo.Username, o, missing)))
	}
	return nil
}

// unknown is the answer where it can't be told: refused, and worth another try.
func unknown(err error) error {
	return apierrors.NewInternalError(fmt.Errorf("it can't be told now whether to admit this, so it is refused; try again: %w", err))
}

// invalid names each problem's field.
func invalid(kind, name string, problems []problem) error {
	list := make(field.ErrorList, len(problems))
	for i, p := range problems {
		if says, missing := strings.CutPrefix(p.says, "required: "); missing {
			list[i] = field.Required(field.NewPath(p.field), says)
		} else {
			list[i] = field.Invalid(field.NewPath(p.field), field.OmitValueType{}, p.says)
		}
	}
	return apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind(kind).GroupKind(), name, list)
}
