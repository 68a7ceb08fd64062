package rights

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// Right is one verb on one resource, as a role grants it.
type Right struct {
	// Role is the name of the Role or ClusterRole.
	Role string
	// Namespace is where the right holds; "" is everywhere.
	Namespace string
	// Group, Resource (with its subresource after a slash) and Verb are as in a rule.
	Group, Resource, Verb string
	// Names are the objects that it is about; none are all.
	Names []string
}

// String says a right for people.
func (r Right) String() string {
	resource := r.Resource
	if r.Group != "" {
		resource += "." + r.Group
	}
	if len(r.Names) > 0 {
		resource += " " + strings.Join(r.Names, ",")
	}
	where := "everywhere"
	if r.Namespace != "" {
		where = "in " + r.Namespace
	}
	return fmt.Sprintf("%s: %s %s %s", r.Role, r.Verb, resource, where)
}

// Request is one that the API server was asked.
type Request struct {
	Verb, Group, Resource, Namespace, Name string
	// Status is what it answered, as HTTP has it.
	Status int
}

// String says a request for people.
func (q Request) String() string {
	return fmt.Sprintf("%s %s.%s %s/%s: %d", q.Verb, q.Resource, q.Group, q.Namespace, q.Name, q.Status)
}

// Uses reports whether it takes the right for the request to be allowed, or another
// like it.
func (q Request) Uses(r Right) bool {
	return q.Verb == r.Verb && q.Group == r.Group && q.Resource == r.Resource &&
		(r.Namespace == "" || r.Namespace == q.Namespace) && (len(r.Names) == 0 || slices.Contains(r.Names, q.Name))
}

// object is any of the kinds of RBAC.
type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name, Namespace string
	} `json:"metadata"`
	Rules    []rbacv1.PolicyRule `json:"rules"`
	Subjects []rbacv1.Subject    `json:"subjects"`
	RoleRef  rbacv1.RoleRef      `json:"roleRef"`
}

// Granted returns the rights of a service account, by the bindings in a manifest of
// many documents.
func Granted(manifest, namespace, account string) ([]Right, error) {
	var objects []object
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	var rights []Right
	for _, binding := range objects {
		bound := slices.ContainsFunc(binding.Subjects, func(s rbacv1.Subject) bool {
			return s.Kind == rbacv1.ServiceAccountKind && s.Namespace == namespace && s.Name == account
		})
		if !bound {
			continue
		}
		for _, role := range objects {
			if role.Kind == binding.RoleRef.Kind && role.Metadata.Name == binding.RoleRef.Name &&
				(role.Kind == "ClusterRole" || role.Metadata.Namespace == binding.Metadata.Namespace) {
				rights = append(rights, of(role, binding.Metadata.Namespace)...)
			}
		}
	}
	return rights, nil
}

// of are the rights of a role, where a binding in a namespace grants it.
func of(role object, namespace string) []Right {
	var rights []Right
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights = append(rights, Right{role.Metadata.Name, namespace, group, resource, verb, rule.ResourceNames})
				}
			}
		}
	}
	return rights
}

// Asked reads what a user asked for from an audit log in JSON.
func Asked(log io.Reader, user string) ([]Request, error) {
	var requests []Request
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb string `json:"verb"`
			User struct {
				Username string `json:"username"`
			} `json:"user"`
			ObjectRef struct {
				Resource, Subresource, APIGroup, Namespace, Name string
			} `json:"objectRef"`
			ResponseStatus struct {
				Code int `json:"code"`
			} `json:"responseStatus"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		if event.User.Username != user || event.ObjectRef.Resource == "" {
			continue
		}
		resource := event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			resource += "/" + event.ObjectRef.Subresource
		}
		requests = append(requests, Request{
			event.Verb, event.ObjectRef.APIGroup, resource, event.ObjectRef.Namespace, event.ObjectRef.Name, event.ResponseStatus.Code,
		})
	}
	return requests, lines.Err()
}

// Unused returns the rights that no request used.
func Unused(rights []Right, requests []Request) []Right {
	return slices.DeleteFunc(slices.Clone(rights), func(r Right) bool {
		return slices.ContainsFunc(requests, func(q Request) bool { return q.Uses(r) })
	})
}
