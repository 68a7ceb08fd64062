package condition

import (
	"math"
	"strings"

	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// sizes are the most that a request and the schema of keys allow. A path that
// isn't here, and any other string, is as long as a request's may be.
var sizes = map[string]uint64{
	"request.clientIP":       45,
	"request.host":           255,
	"key.name":               253,
	"key.namespace":          63,
	"key.project":            128,
	"key.environment":        32,
	"key.hint":               64,
	"key.scopes":             64,
	"key.scopes.@items":      128,
	"key.attributes":         16,
	"key.attributes.@keys":   63,
	"key.attributes.@values": 256,
	"key.owner.name":         256,
	"key.owner.email":        254,
}

// zoneCost is what it takes to load a time zone.
const zoneCost = 200

// costs knows what one expression's steps cost, before and while it runs, where
// cel-go doesn't know or exaggerates.
type costs struct {
	// patterns are the sizes of the patterns' programs, in instructions.
	patterns map[string]uint64
}

var (
	_ checker.CostEstimator           = (*costs)(nil)
	_ interpreter.ActualCostEstimator = (*costs)(nil)
)

// EstimateSize implements checker.CostEstimator.
func (*costs) EstimateSize(n checker.AstNode) *checker.SizeEstimate {
	size, known := sizes[strings.Join(n.Path(), ".")]
	switch {
	case known:
	case n.Type().Kind() == types.StringKind:
		size = MaxValue
	default:
		return nil
	}
	return &checker.SizeEstimate{Max: size}
}

// EstimateCallCost implements checker.CostEstimator.
func (c *costs) EstimateCallCost(function, _ string, target *checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	if target != nil {
		args = append([]checker.AstNode{*target}, args...)
	}
	most := make([]uint64, len(args))
	for i, a := range args {
		most[i] = c.size(a)
	}
	pattern := ""
	if function == "matches" {
		pattern, _ = literal(args[1].Expr())
	}
	cost, ours := c.call(function, pattern, most)
	if !ours {
		return nil
	}
	return &checker.CallEstimate{CostEstimate: checker.CostEstimate{Max: cost}}
}

func (c *costs) size(n checker.AstNode) uint64 {
	if s := n.ComputedSize(); s != nil {
		return s.Max
	}
	if s := c.EstimateSize(n); s != nil {
		return s.Max
	}
	return math.MaxUint64
}

// CallCost implements interpreter.ActualCostEstimator.
func (c *costs) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	var sizes [2]uint64
	n := min(len(args), len(sizes))
	for i, a := range args[:n] {
		if s, ok := a.(traits.Sizer); ok {
			if size, ok := s.Size().(types.Int); ok {
				sizes[i] = uint64(size)
			}
		}
	}
	pattern := ""
	if function == "matches" && n == 2 {
		p, _ := args[1].(types.String)
		pattern = string(p)
	}
	cost, ours := c.call(function, pattern, sizes[:n])
	if !ours {
		return nil
	}
	return &cost
}

// call is the cost of a call with arguments of the given sizes.
func (c *costs) call(function, pattern string, sizes []uint64) (cost uint64, ours bool) {
	switch {
	case function == "matches" && len(sizes) == 2:
		// A string is walked through once, with all of the pattern's program in the
		// worst case (https://swtch.com/~rsc/regexp/regexp1.html): some nanoseconds
		// for each instruction, so two of them are one of CEL's steps.
		return scan(sizes[0]) * (1 + c.patterns[pattern]/2), true
	case function == "contains" && len(sizes) == 2:
		return scan(sizes[0]) + scan(sizes[1]), true // Go's search is linear
	case strings.HasPrefix(function, "get") && len(sizes) == 2:
		return zoneCost, true
	default:
		return 0, false
	}
}

// scan is the cost of walking through a string.
func scan(size uint64) uint64 {
	if size > math.MaxUint32 {
		return math.MaxUint32 // more than any limit, and never overflows above
	}
	return 1 + uint64(math.Ceil(float64(size)*common.StringTraversalCostFactor))
}
