package condition

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the zones of conditions, wherever we run

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// functions are all that an expression may call. Left out are those that make long
// strings (format, join), step around the types (dyn, type), or have no use here.
var functions = set(
	operators.Conditional, operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot,
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
	operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate,
	operators.Index, operators.OptIndex, operators.OptSelect, operators.In, operators.NotStrictlyFalse,
	"size", "startsWith", "endsWith", "contains", "matches",
	"charAt", "indexOf", "lastIndexOf", "lowerAscii", "upperAscii", "replace", "split", "substring", "trim",
	"bool", "double", "duration", "int", "string", "timestamp", "uint",
	"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
	"getHours", "getMinutes", "getSeconds", "getMilliseconds",
	"sets.contains", "sets.equivalent", "sets.intersects",
	"cidr", "containsCIDR", "containsIP", "family", "ip", "ip.isCanonical", "isCIDR", "isGlobalUnicast", "isIP",
	"isLinkLocalMulticast", "isLinkLocalUnicast", "isLoopback", "isUnspecified", "masked", "prefixLength",
	"hasValue", "optional.none", "optional.of", "or", "orValue", "value",
)

// hidden are headers that expressions never see: they hold credentials.
var hidden = set("authorization", "cookie", "proxy-authorization")

// Hidden reports whether a header, by its name in lower case, is never to be seen
// by expressions, whatever the API.
func Hidden(header string) bool { return hidden[header] }

func set(names ...string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, n := range names {
		all[n] = true
	}
	return all
}

// inspect refuses what the type checker lets through and we don't. It returns what
// the expression's patterns cost.
func inspect(a *ast.AST) (*costs, error) {
	c := &costs{patterns: map[string]uint64{}}
	var nodes []ast.NavigableExpr
	ast.MatchDescendants(ast.NavigateAST(a), func(e ast.NavigableExpr) bool {
		nodes = append(nodes, e)
		return false
	})
	for _, e := range slices.Backward(nodes) { // the whole before its parts
		if err := c.inspectNode(e); err != nil {
			return nil, fmt.Errorf("%s%w", at(a.SourceInfo().GetStartLocation(e.ID())), err)
		}
	}
	return c, nil
}

func (c *costs) inspectNode(e ast.NavigableExpr) error {
	switch e.Kind() {
	case ast.StructKind:
		return errors.New("objects can't be made here")
	case ast.CallKind:
		if err := c.inspectCall(e.AsCall()); err != nil {
			return err
		}
	default:
	}
	if _, ours := objects[e.Type().TypeName()]; ours && !selected(e) {
		return errors.New("request, key and key.owner can only be asked for their fields, as in key.name or has(key.project)")
	}
	if isValues(e) {
		return inspectValues(e)
	}
	return nil
}

func (c *costs) inspectCall(call ast.CallExpr) error {
	name, args := call.FunctionName(), call.Args()
	switch {
	case !functions[name]:
		return fmt.Errorf("function %s is not available in conditions", name)
	case name == "matches":
		return c.addPattern(args[len(args)-1])
	case strings.HasPrefix(name, "get") && len(args) == 1:
		return inspectZone(args[0])
	}
	return nil
}

// maxPattern bounds a pattern's program, in instructions.
const maxPattern = 2000

// addPattern measures the pattern of a call of matches. A pattern that is no
// literal would be compiled for each request, and cost what the request wants.
func (c *costs) addPattern(e ast.Expr) error {
	pattern, ok := literal(e)
	if !ok {
		return errors.New("the pattern of matches must be a literal")
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return err
	}
	if len(program.Inst) > maxPattern {
		return errors.New("the pattern of matches is too large: use smaller repeat counts")
	}
	c.patterns[pattern] = uint64(len(program.Inst))
	return nil
}

// inspectZone refuses a literal time zone that doesn't exist.
func inspectZone(e ast.Expr) error {
	zone, ok := literal(e)
	if !ok || strings.Contains(zone, ":") { // an offset
		return nil
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return fmt.Errorf("time zone %q is not known", zone)
	}
	return nil
}

// selected holds for an operand of which a field is read, or asked for by has.
func selected(e ast.NavigableExpr) bool {
	parent, ok := e.Parent()
	return ok && parent.Kind() == ast.SelectKind
}

// isValues holds for request.headers and request.query.
func isValues(e ast.NavigableExpr) bool {
	if e.Kind() != ast.SelectKind || e.AsSelect().IsTestOnly() {
		return false
	}
	s := e.AsSelect()
	operand, ok := s.Operand().(ast.NavigableExpr)
	return ok && operand.Type().TypeName() == requestType.TypeName() && (s.FieldName() == "headers" || s.FieldName() == "query")
}

func inspectValues(e ast.NavigableExpr) error {
	which := e.AsSelect().FieldName()
	name, single := asked(e)
	switch {
	case !single:
		return fmt.Errorf("request.%s can only be asked for single names, as in request.%s['name'] or 'name' in request.%s", which, which, which)
	case name == nil || which != "headers":
		return nil
	case !isLower(*name):
		return fmt.Errorf("names of headers are in lower case: %q", strings.ToLower(*name))
	case Hidden(*name):
		return fmt.Errorf("request.headers never holds %q", *name)
	default:
		return nil
	}
}

// asked returns the name that the values are asked for, nil where only a request
// will show it, and whether they are asked for a name at all.
func asked(e ast.NavigableExpr) (name *string, single bool) {
	parent, ok := e.Parent()
	if !ok {
		return nil, false
	}
	var by ast.Expr
	switch parent.Kind() {
	case ast.SelectKind:
		field := parent.AsSelect().FieldName()
		return &field, true
	case ast.CallKind:
		call := parent.AsCall()
		args := call.Args()
		switch f := call.FunctionName(); {
		case (f == operators.Index || f == operators.OptIndex || f == operators.OptSelect) && args[0].ID() == e.ID():
			by = args[1]
		case f == operators.In && args[1].ID() == e.ID():
			by = args[0]
		default:
			return nil, false
		}
	default:
		return nil, false
	}
	if text, ok := literal(by); ok {
		return &text, true
	}
	return nil, true
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}
