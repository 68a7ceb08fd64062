package gitops

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// expressions are the healthCheckExprs of a Kustomization for one kind.
type expressions struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

func (j *Judges) loadFlux(file string) error {
	all, err := documents(file)
	if err != nil {
		return err
	}
	for _, u := range all {
		list, _, err := unstructured.NestedSlice(u.Object, "spec", "healthCheckExprs")
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, item := range list {
			var e expressions
			if err := convert(item, &e); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			j.expressions[schema.FromAPIVersionAndKind(e.APIVersion, e.Kind).GroupKind()] = e
		}
	}
	return nil
}

// flux evaluates the expressions for a kind as Flux does: after its own look at the
// generation, and in this order. It waits for what it doesn't know.
func (j *Judges) flux(u *unstructured.Unstructured) (string, error) {
	e, ok := j.expressions[u.GroupVersionKind().GroupKind()]
	if !ok {
		return "", fmt.Errorf("no Kustomization has expressions for %s", u.GetKind())
	}
	observed, ok, err := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
	if err != nil || ok && observed != u.GetGeneration() {
		return "InProgress", err
	}
	for _, one := range []struct{ expression, means string }{{e.InProgress, "InProgress"}, {e.Failed, "Failed"}, {e.Current, "Current"}} {
		if one.expression == "" {
			continue
		}
		switch holds, err := evaluate(one.expression, u.Object); {
		case errors.Is(err, errUnknown):
			return "Unknown", nil
		case err != nil:
			return "", err
		case holds:
			return one.means, nil
		}
	}
	return "InProgress", nil
}

// errUnknown is an expression about a field that isn't there.
var errUnknown = errors.New("unknown")

// evaluate parses an expression with Flux's options, which know no types of
// variables, and evaluates it.
func evaluate(expression string, object map[string]any) (bool, error) {
	env, err := cel.NewEnv(cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders())
	if err != nil {
		return false, err
	}
	ast, issues := env.Parse(expression)
	if issues != nil {
		return false, fmt.Errorf("%q: %w", expression, issues.Err())
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return false, err
	}
	result, _, err := program.Eval(object)
	if err != nil {
		return false, fmt.Errorf("%w: %q: %w", errUnknown, expression, err)
	}
	b, ok := result.(types.Bool)
	if !ok {
		return false, fmt.Errorf("%q isn't a boolean", expression)
	}
	return bool(b), nil
}
