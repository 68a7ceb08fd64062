package admission

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
)

// Right is a right to grant: to issue keys of an API, or a scope of it.
type Right struct {
	Namespace string
	// Subresource is "" or "scopes".
	Subresource string
	// Name is of the object; "" is any.
	Name string
}

// The words of RBAC for a right.
const (
	verbIssue    = "issue"
	resourceAPIs = "protectedapis"
	subScopes    = "scopes"
)

// resource is what RBAC and kubectl call what the right is on.
func (r Right) resource() string {
	name := resourceAPIs + "." + v1alpha1.GroupVersion.Group
	if r.Subresource != "" {
		name += "/" + r.Subresource
	}
	return name
}

// Authorizer says what a user may do.
type Authorizer interface {
	// Allowed reports whether a user has a right. An error means that it can't be told.
	Allowed(ctx context.Context, user authenticationv1.UserInfo, r Right) (bool, error)
}

// Reviews asks the API server, whose authorizers these then are: RBAC or any other.
type Reviews struct {
	// Client creates reviews, which are never stored.
	Client client.Writer
	// Namespaced asks by LocalSubjectAccessReview in the right's namespace, for an
	// operator without rights on the cluster.
	Namespaced bool
}

// Allowed implements Authorizer by one request.
func (a Reviews) Allowed(ctx context.Context, user authenticationv1.UserInfo, r Right) (bool, error) {
	spec := authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra(user),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verbIssue, Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
			Resource: resourceAPIs, Subresource: r.Subresource, Name: r.Name, Namespace: r.Namespace,
		},
	}
	if a.Namespaced {
		review := &authorizationv1.LocalSubjectAccessReview{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace}, Spec: spec}
		err := a.Client.Create(ctx, review)
		return err == nil && allowed(review.Status), err
	}
	review := &authorizationv1.SubjectAccessReview{Spec: spec}
	err := a.Client.Create(ctx, review)
	return err == nil && allowed(review.Status), err
}

func allowed(s authorizationv1.SubjectAccessReviewStatus) bool { return s.Allowed && !s.Denied }

func extra(user authenticationv1.UserInfo) map[string]authorizationv1.ExtraValue {
	if user.Extra == nil {
		return nil
	}
	out := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for name, values := range user.Extra {
		out[name] = authorizationv1.ExtraValue(values)
	}
	return out
}

// atOnce is how many questions of one request are outstanding at once.
const atOnce = 8

// maxReviews is how many questions one request can make the API server answer. By the
// names of scopes alone there are 67 at most; the rest is for wildcards that cover
// them, and for what wildcards cover: 189 scopes, where an API declares 128.
const maxReviews = 256

// answers are what an Authorizer said. What wasn't asked isn't granted.
type answers map[Right]bool

// full holds when nothing more is asked.
func (a answers) full() bool { return len(a) >= maxReviews }

// ask asks for rights that aren't known yet, several at once, the first ones if there
// are too many.
func (a answers) ask(ctx context.Context, by Authorizer, user authenticationv1.UserInfo, rights []Right) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, r := range a.unasked(rights) {
		group.Go(func() error {
			yes, err := by.Allowed(ctx, user, r)
			if err != nil {
				return fmt.Errorf("asking whether user %q has verb %s on %s: %w", user.Username, verbIssue, r.resource(), err)
			}
			mu.Lock()
			defer mu.Unlock()
			a[r] = yes
			return nil
		})
	}
	return group.Wait()
}

func (a answers) unasked(rights []Right) (out []Right) {
	asked := map[Right]bool{}
	for _, r := range rights {
		if _, known := a[r]; !known && !asked[r] && len(a)+len(out) < maxReviews {
			asked[r] = true
			out = append(out, r)
		}
	}
	return out
}
