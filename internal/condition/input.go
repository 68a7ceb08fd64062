package condition

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
)

// Input is what expressions see. What is empty in it can't be read, so that an
// expression that compares with it isn't met: a path never starts with the project
// of a key that has none.
type Input struct {
	Method, Path, Host string
	// Headers and Query are asked only for what an expression reads.
	Headers, Query Values
	ClientIP       string
	Time           time.Time
	Key            Key
}

// Key is what expressions see of a key.
type Key struct {
	Name, Namespace, Project, Environment string
	Scopes                                []string
	Attributes                            map[string]string
	OwnerName, OwnerEmail, Hint           string
}

// Values are the headers, by name in lower case, or the query parameters of a
// request.
type Values interface {
	// Value returns the value by a name and whether it was sent. The error is for
	// one that was sent and isn't to be read.
	Value(name string) (value string, sent bool, err error)
}

// MaxValue bounds the strings of a request that expressions can read, in bytes.
// Servers don't usually take longer ones.
const MaxValue = 8 << 10

var (
	requestType = cel.ObjectType("Request")
	keyType     = cel.ObjectType("Key")
	ownerType   = cel.ObjectType("Owner")

	errUnset   = errors.New("not set")
	errTooLong = fmt.Errorf("longer than %d bytes", MaxValue)
)

// objects are the fields of the types that expressions see.
var objects = map[string]map[string]*types.FieldType{
	requestType.TypeName(): {
		"method":   text(func(in *Input) string { return in.Method }),
		"path":     text(func(in *Input) string { return in.Path }),
		"host":     text(func(in *Input) string { return in.Host }),
		"clientIP": text(func(in *Input) string { return in.ClientIP }),
		"headers":  field(valuesType, func(in *Input) any { return &values{from: in.Headers, lower: true} }, always),
		"query":    field(valuesType, func(in *Input) any { return &values{from: in.Query} }, always),
		"time":     field(cel.TimestampType, func(in *Input) any { return in.Time }, func(in *Input) bool { return !in.Time.IsZero() }),
	},
	keyType.TypeName(): {
		"name":        text(func(k *Key) string { return k.Name }),
		"namespace":   text(func(k *Key) string { return k.Namespace }),
		"project":     text(func(k *Key) string { return k.Project }),
		"environment": text(func(k *Key) string { return k.Environment }),
		"hint":        text(func(k *Key) string { return k.Hint }),
		"scopes":      field(cel.ListType(cel.StringType), func(k *Key) any { return k.Scopes }, func(k *Key) bool { return len(k.Scopes) > 0 }),
		"attributes":  field(cel.MapType(cel.StringType, cel.StringType), func(k *Key) any { return k.Attributes }, func(k *Key) bool { return len(k.Attributes) > 0 }),
		"owner":       field(ownerType, func(k *Key) any { return k }, func(k *Key) bool { return k.OwnerName != "" || k.OwnerEmail != "" }),
	},
	ownerType.TypeName(): {
		"name":  text(func(k *Key) string { return k.OwnerName }),
		"email": text(func(k *Key) string { return k.OwnerEmail }),
	},
}

func always[T any](*T) bool { return true }

// field is one that can always be read.
func field[T any](t *cel.Type, get func(*T) any, set func(*T) bool) *types.FieldType {
	return &types.FieldType{
		Type:    t,
		IsSet:   func(o any) bool { return set(o.(*T)) },
		GetFrom: func(o any) (any, error) { return get(o.(*T)), nil },
	}
}

// text is a string that can be read only where it is set, and not too long.
func text[T any](get func(*T) string) *types.FieldType {
	return &types.FieldType{
		Type:  cel.StringType,
		IsSet: func(o any) bool { return get(o.(*T)) != "" },
		GetFrom: func(o any) (any, error) {
			switch s := get(o.(*T)); {
			case s == "":
				return nil, errUnset
			case len(s) > MaxValue:
				return nil, errTooLong
			default:
				return s, nil
			}
		},
	}
}

// provider adds objects to the types that CEL knows.
type provider struct{ types.Provider }

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ours := objects[name]; ours {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	fields, ours := objects[name]
	if !ours {
		return p.Provider.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(fields))
	for n := range fields {
		names = append(names, n)
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if fields, ours := objects[name]; ours {
		t, known := fields[field]
		return t, known
	}
	return p.Provider.FindStructFieldType(name, field)
}

// activation names an Input's variables.
type activation struct{ in *Input }

var _ interpreter.Activation = activation{}

// ResolveName implements interpreter.Activation.
func (a activation) ResolveName(name string) (any, bool) {
	switch name {
	case "request":
		return a.in, true
	case "key":
		return &a.in.Key, true
	default:
		return nil, false
	}
}

// Parent implements interpreter.Activation.
func (activation) Parent() interpreter.Activation { return nil }
