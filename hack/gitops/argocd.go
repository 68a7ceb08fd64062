package gitops

import (
	"context"
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// healthKey is how argocd-cm names the health check of a kind: <group>_<kind> follows.
const healthKey = "resource.customizations.health."

func (j *Judges) loadArgo(file string) error {
	all, err := documents(file)
	if err != nil {
		return err
	}
	for _, u := range all {
		data, _, err := unstructured.NestedStringMap(u.Object, "data")
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for name, script := range data {
			group, kind, ok := strings.Cut(strings.TrimPrefix(name, healthKey), "_")
			if !ok || !strings.HasPrefix(name, healthKey) {
				return fmt.Errorf("%s: %q isn't the health check of a kind", file, name)
			}
			j.scripts[schema.GroupKind{Group: group, Kind: kind}] = script
		}
	}
	return nil
}

// argo runs the health check of a kind in the interpreter that Argo CD has, with
// as little of Lua's library and as little time as it gives them.
func (j *Judges) argo(u *unstructured.Unstructured) (health, message string, err error) {
	if u.GetDeletionTimestamp() != nil {
		return "Progressing", "Pending deletion", nil // Argo CD says so by itself
	}
	script, ok := j.scripts[u.GroupVersionKind().GroupKind()]
	if !ok {
		return "", "", fmt.Errorf("argocd-cm has no health check of %s", u.GetKind())
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			return "", "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // Argo CD gives one, on a machine of its own
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", value(state, u.Object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the health check of %s returns a %s", u.GetKind(), state.Get(-1).Type())
	}
	return lua.LVAsString(result.RawGetString("status")), lua.LVAsString(result.RawGetString("message")), nil
}

// value is a part of an object in Lua.
func value(state *lua.LState, part any) lua.LValue {
	switch part := part.(type) {
	case bool:
		return lua.LBool(part)
	case string:
		return lua.LString(part)
	case int64:
		return lua.LNumber(part)
	case float64:
		return lua.LNumber(part)
	case []any:
		list := state.CreateTable(len(part), 0)
		for _, item := range part {
			list.Append(value(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(part))
		for name, item := range part {
			table.RawSetString(name, value(state, item))
		}
		return table
	}
	return lua.LNil
}
