package condition

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/ext"
)

const (
	// maxDepth bounds how deep expressions nest, maxLoops how deep loops do.
	maxDepth = 50
	maxLoops = 2
	// maxIssues is how many of an expression's mistakes are named.
	maxIssues = 3
)

// environment is the same for all expressions. Libraries are named with their
// versions: a newer cel-go must not change what an expression may say.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.HomogeneousAggregateLiterals(),
		cel.EagerlyValidateDeclarations(true),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.OptionalTypes(cel.OptionalTypesVersion(1)),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateRegexLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops),
		),
		ext.Strings(ext.StringsVersion(5)),
		ext.Sets(),
		ext.Network(ext.NetworkVersion(1)),
		withObjects,
		cel.Variable("request", requestType),
		cel.Variable("key", keyType),
	)
})

// withObjects makes request, key and key.owner known to the checker.
func withObjects(e *cel.Env) (*cel.Env, error) {
	return cel.CustomTypeProvider(&provider{Provider: e.CELTypeProvider()})(e)
}

// describe writes what the compiler found on one line.
func describe(issues *cel.Issues) error {
	all := issues.Errors()
	texts := make([]string, 0, maxIssues)
	for _, e := range all[:min(len(all), maxIssues)] {
		message := strings.ReplaceAll(e.Message, " (in container '')", "")
		texts = append(texts, at(e.Location)+strings.Join(strings.Fields(message), " "))
	}
	text := strings.Join(texts, "; ")
	if more := len(all) - len(texts); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return fmt.Errorf("%s", bounded(text))
}

// maxMessage bounds what is said about one expression, in bytes.
const maxMessage = 600

func bounded(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "…"
}

// at writes a location for people: columns from 1, and the line if it isn't the
// first.
func at(l common.Location) string {
	switch {
	case l == nil || l.Line() < 1:
		return ""
	case l.Line() == 1:
		return fmt.Sprintf("column %d: ", l.Column()+1)
	default:
		return fmt.Sprintf("line %d, column %d: ", l.Line(), l.Column()+1)
	}
}

// amount writes an estimate, which may be without bound.
func amount(n uint64) string {
	if n == math.MaxUint64 {
		return "any number of"
	}
	return fmt.Sprintf("%d", n)
}
