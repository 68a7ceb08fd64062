package condition

import (
	"errors"
	"reflect"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

var valuesType = cel.MapType(cel.StringType, cel.StringType)

var errWhole = errors.New("headers and query can only be asked for single names")

// values are a CEL map that isn't gathered before somebody looks into it. It can
// be asked for single names only: expressions that want more are refused when they
// are compiled, and what slips through isn't met.
type values struct {
	from  Values
	lower bool
}

var _ traits.Mapper = (*values)(nil)

// Find implements traits.Mapper.
func (v *values) Find(name ref.Val) (ref.Val, bool) {
	value, sent, err := v.value(name)
	switch {
	case !sent && err == nil:
		return nil, false
	case err == nil && len(value) > MaxValue:
		err = errTooLong
	}
	if err != nil {
		return types.WrapErr(err), false
	}
	return types.String(value), true
}

// Get implements traits.Indexer.
func (v *values) Get(name ref.Val) ref.Val {
	value, found := v.Find(name)
	if !found && value == nil {
		return types.WrapErr(errUnset)
	}
	return value
}

// Contains implements traits.Container. What was sent counts, readable or not.
func (v *values) Contains(name ref.Val) ref.Val {
	_, sent, err := v.value(name)
	if err != nil && !sent {
		return types.WrapErr(err)
	}
	return types.Bool(sent)
}

func (v *values) value(name ref.Val) (string, bool, error) {
	n, ok := name.(types.String)
	switch {
	case !ok:
		return "", false, errors.New("names are strings")
	case v.lower && !isLower(string(n)):
		return "", false, errNotLower
	case v.from == nil:
		return "", false, nil
	default:
		return v.from.Value(string(n))
	}
}

var errNotLower = errors.New("names of headers are in lower case")

func isLower(name string) bool {
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// Type implements ref.Val.
func (*values) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (v *values) Value() any { return v }

// ConvertToNative implements ref.Val.
func (*values) ConvertToNative(reflect.Type) (any, error) { return nil, errWhole }

// ConvertToType implements ref.Val.
func (*values) ConvertToType(ref.Type) ref.Val { return types.WrapErr(errWhole) }

// Equal implements ref.Val.
func (*values) Equal(ref.Val) ref.Val { return types.WrapErr(errWhole) }

// Size implements traits.Sizer.
func (*values) Size() ref.Val { return types.WrapErr(errWhole) }

// Iterator implements traits.Iterable. An empty one would make every all() true.
func (*values) Iterator() traits.Iterator { panic(errWhole) }
