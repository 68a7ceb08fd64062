package admission

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/apikey"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
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
		after.Spec.State == v1alpha1.DesiredRevoked,
		suspends(before, after):
		return nil, nil
	}
	return v.admit(ctx, before, after)
}

// ValidateDelete admits every deletion. It isn't asked.
func (apiKeys) ValidateDelete(context.Context, *v1alpha1.APIKey) (admission.Warnings, error) {
	return nil, nil
}

// suspends holds for an edit that suspends and changes nothing else.
func suspends(before, after *v1alpha1.APIKey) bool {
	spec := *before.Spec.DeepCopy()
	spec.State = v1alpha1.DesiredSuspended
	return equality.Semantic.DeepEqual(spec, after.Spec)
}

// admit asks first who may. Nobody else is told of the API, or of what else is in the
// namespace.
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
	opens := opening(before, after, api.policyOf(), now)
	if api.unwatched && opens.any() { // nobody can be asked for rights there
		return nil, invalid("APIKey", after.Name, problemsOf(after, api, now))
	}
	asked, err := v.mayIssue(ctx, after, opens)
	if err != nil {
		return nil, err
	}
	if before != nil && resumes(before, after) && opens.any() {
		before = nil // it may have been made before its API had these rules
	}
	problems := brought(before, after, api, opens, now)
	if err := asked.mayGrant(ctx, api, problems); err != nil {
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

// opening is what an edit opens, now or once the key is in use again: whoever resumes
// or prolongs it, a pipeline say, may not look at what others have edited meanwhile, and
// has the right to. A new APIKey claims its key and its Secret at once, and makes an
// older one that is known by its hash only give way.
func opening(before, after *v1alpha1.APIKey, api *policyOf, now time.Time) opened {
	if o := widening(before, after, api, now); o.any() || after.Spec.State == v1alpha1.DesiredRevoked {
		return o
	}
	if before != nil {
		before = inUse(before, after, now)
	}
	return widening(before, inUse(after, after, now), api, now)
}

// inUse is an APIKey that isn't suspended nor, if the edited one is, at its end.
func inUse(k, edited *v1alpha1.APIKey, now time.Time) *v1alpha1.APIKey {
	out := *k
	out.Spec.State = v1alpha1.DesiredActive
	if end := compile.EndOf(edited); end != nil && !now.Before(end.Time) {
		out.Spec.ExpiresAt = &metav1.Time{Time: now.AddDate(100, 0, 0)}
	}
	return &out
}

func resumes(before, after *v1alpha1.APIKey) bool {
	return before.Spec.State == v1alpha1.DesiredSuspended && after.Spec.State != v1alpha1.DesiredSuspended
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
