package route

import "slices"

// Match is the most specific pattern of a path, with all routes that list it.
type Match struct {
	Pattern string
	routes  []Route
	// listed are the answers for the methods that routes list, others that for the
	// rest.
	listed []answer
	others answer
}

// answer is what the routes of a Match say of one method.
type answer struct {
	method string
	public bool
	scopes []string
}

// Public reports whether the method needs no key: a public route lists it, and no
// scoped one does.
func (m *Match) Public(method string) bool { return m.answer(method).public }

// Scopes are the scopes of which a key must have any one for the method. None
// means that no key may. They aren't the caller's to change.
func (m *Match) Scopes(method string) []string { return m.answer(method).scopes }

func (m *Match) answer(method string) *answer {
	for i := range m.listed {
		if a := &m.listed[i]; a.method == method {
			return a
		}
	}
	return &m.others
}

// compile makes the answers of the routes.
func (m *Match) compile() {
	m.others = m.ask(func(r Route) bool { return len(r.Methods) == 0 })
	for _, r := range m.routes {
		for _, method := range r.Methods {
			m.list(method)
			if method == "GET" {
				m.list("HEAD")
			}
		}
	}
}

func (m *Match) list(method string) {
	if slices.ContainsFunc(m.listed, func(a answer) bool { return a.method == method }) {
		return
	}
	a := m.ask(func(r Route) bool { return r.opens(method) })
	a.method = method
	m.listed = append(m.listed, a)
}

// ask asks those of the routes that open a method.
func (m *Match) ask(opens func(Route) bool) answer {
	var a answer
	scoped := false
	for _, r := range m.routes {
		switch {
		case !opens(r):
		case r.Public:
			a.public = true
		default:
			scoped = true
			a.scopes = append(a.scopes, r.Scope)
		}
	}
	a.public = a.public && !scoped
	return a
}

func (r Route) opens(method string) bool {
	if len(r.Methods) == 0 {
		return true
	}
	return slices.Contains(r.Methods, method) || method == "HEAD" && slices.Contains(r.Methods, "GET")
}
