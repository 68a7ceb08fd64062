package compile

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Selectable are namespaces that a selector can be held against.
type Selectable interface {
	// Select returns the names of those that match, or none and why it can't be told.
	Select(labels.Selector) ([]string, error)
}

// Namespaces are the labels of every namespace, by name.
type Namespaces map[string]labels.Set

// Select implements Selectable. It never fails.
func (n Namespaces) Select(s labels.Selector) ([]string, error) {
	var names []string
	for name, set := range n {
		if s.Matches(set) {
			names = append(names, name)
		}
	}
	return names, nil
}

// ErrLabelsUnknown is of a selector that asks for labels of namespaces which the
// operator can't read.
var ErrLabelsUnknown = errors.New("can't be evaluated")

// Watched are the namespaces of an operator that watches no others, and can't read
// the objects of these: it knows of each the one label that holds its name.
type Watched []string

// Select implements Selectable. A selector of other labels is an error: what isn't
// known to be there would match NotIn and DoesNotExist.
func (w Watched) Select(s labels.Selector) ([]string, error) {
	requirements, _ := s.Requirements()
	for _, r := range requirements {
		if r.Key() != corev1.LabelMetadataName {
			return nil, fmt.Errorf("%w: the operator runs with --namespaces and can't read label %s of namespaces: select by %s, or use from: All or Same",
				ErrLabelsUnknown, r.Key(), corev1.LabelMetadataName)
		}
	}
	all := make(Namespaces, len(w))
	for _, name := range w {
		all[name] = NameLabel(name)
	}
	return all.Select(s)
}

// NameLabel is the label that holds a namespace's name.
func NameLabel(name string) labels.Set { return labels.Set{corev1.LabelMetadataName: name} }
