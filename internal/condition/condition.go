package condition

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// MaxLength bounds an expression, in characters.
const MaxLength = 1024

// limits bound the work of one evaluation, in units of CEL's cost model: one to
// five million of them are a second.
type limits struct {
	// estimate is what the expression may cost with the largest request and key.
	estimate uint64
	// run is what one evaluation may cost. It is lower: requests are seldom large,
	// one that makes an expression expensive need not be let through, and cel-go's
	// own counting of a loop takes the square of its rounds.
	run uint64
	// deadline is for loops, should the model be wrong about them.
	deadline time.Duration
}

var standard = limits{estimate: 100_000, run: 10_000, deadline: 100 * time.Millisecond}

// interruptEvery is after how many rounds of a loop the deadline is looked at.
const interruptEvery = 100

// Condition is a compiled expression. It is safe for concurrent use.
type Condition struct {
	program  cel.Program
	loops    bool
	deadline time.Duration
}

// Compile compiles an expression. The error says what is wrong with it, and where.
func Compile(expression string) (*Condition, error) { return compile(expression, standard) }

func compile(expression string, l limits) (c *Condition, err error) {
	defer func() {
		if recover() != nil { // the parser's own: never a reason to stop the program
			c, err = nil, errors.New("the expression can't be read")
		}
	}()
	if n := utf8.RuneCountInString(expression); n > MaxLength {
		return nil, fmt.Errorf("the expression has %d characters, at most %d are allowed", n, MaxLength)
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, describe(issues)
	}
	if checked.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("the expression gives a value of type %s, must be bool", cel.FormatCELType(checked.OutputType()))
	}
	native := checked.NativeRep()
	costs, err := inspect(native)
	if err != nil {
		return nil, err
	}
	estimate, err := env.EstimateCost(checked, costs)
	if err != nil {
		return nil, err
	}
	if estimate.Max > l.estimate {
		return nil, fmt.Errorf("the expression could take %s units of work for a large request, at most %d are allowed: "+
			"use fewer loops, shorter patterns, or startsWith and == in place of matches", amount(estimate.Max), l.estimate)
	}
	c = &Condition{loops: hasLoop(native), deadline: l.deadline}
	c.program, err = env.Program(checked, c.options(costs, l.run)...)
	return c, err
}

func (c *Condition) options(costs *costs, limit uint64) []cel.ProgramOption {
	options := []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost),
		cel.CostTracking(costs),
		cel.CostLimit(limit),
	}
	if c.loops {
		options = append(options, cel.InterruptCheckFrequency(interruptEvery))
	}
	return options
}

// Met reports whether the expression is true. It is false where it can't be
// evaluated or takes too much work.
func (c *Condition) Met(in *Input) (met bool) {
	defer func() {
		if recover() != nil {
			met = false
		}
	}()
	if !c.loops {
		result, _, err := c.program.Eval(activation{in})
		return err == nil && result == types.True
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.deadline)
	defer cancel()
	result, _, err := c.program.ContextEval(ctx, activation{in})
	return err == nil && result == types.True
}

func hasLoop(a *ast.AST) bool {
	return len(ast.MatchDescendants(ast.NavigateAST(a), ast.KindMatcher(ast.ComprehensionKind))) > 0
}
