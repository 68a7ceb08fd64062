package keyring

import (
	"cmp"
	"slices"
)

// Attributes are a key's own names and values, by name. A map of one would take
// ten times the memory.
type Attributes []AttributeValue

// AttributeValue is one of them.
type AttributeValue struct{ Name, Value string }

// NewAttributes returns those of a map, nil of none.
func NewAttributes[V ~string](values map[string]V) Attributes {
	if len(values) == 0 {
		return nil
	}
	a := make(Attributes, 0, len(values))
	for name, v := range values {
		a = append(a, AttributeValue{name, string(v)})
	}
	slices.SortFunc(a, func(x, y AttributeValue) int { return cmp.Compare(x.Name, y.Name) })
	return a
}

// Get returns the value of a name, "" where there is none.
func (a Attributes) Get(name string) string {
	for i := range a {
		if a[i].Name == name {
			return a[i].Value
		}
	}
	return ""
}

// Map returns them as a map, nil of none.
func (a Attributes) Map() map[string]string {
	if len(a) == 0 {
		return nil
	}
	m := make(map[string]string, len(a))
	for _, v := range a {
		m[v.Name] = v.Value
	}
	return m
}
