package closedloop

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
)

// Bounds of a run.
const (
	MaxInFlight    = 4096
	MaxRequests    = 50_000_000
	MaxDuration    = 10 * time.Minute
	maxCallBytes   = 1 << 20
	maxAnswerBytes = 64 << 10
)

// Config is one run.
type Config struct {
	// Address is the server's, on loopback.
	Address string
	// Connections are what InFlight is spread over. Over HTTP/1.1, where each
	// connection has one request in flight, they are as many as InFlight.
	Connections int
	InFlight    int // at most MaxInFlight
	// Warmup comes before Duration; its requests are checked, but not counted.
	// Together they are at most MaxDuration.
	Warmup, Duration time.Duration
	// Requests end the run before Duration does, warm-up included: at most, and by
	// default, MaxRequests.
	Requests int
	// Calls are asked in turn; each connection starts elsewhere in them.
	Calls []checkrequest.Call
	// Patience is for how long an answer is waited for after the run. Default 10 s.
	Patience time.Duration
}

func (c *Config) check() error {
	address, err := netip.ParseAddrPort(c.Address)
	switch {
	case err != nil:
		return fmt.Errorf("address %q: want <IP>:<port>", c.Address)
	case !address.Addr().IsLoopback():
		return fmt.Errorf("address %q: want one of loopback", c.Address)
	case c.InFlight < 1 || c.InFlight > MaxInFlight:
		return fmt.Errorf("in flight: %d, want 1 to %d", c.InFlight, MaxInFlight)
	case c.Connections < 1 || c.Connections > c.InFlight:
		return fmt.Errorf("connections: %d, want 1 to the %d requests in flight", c.Connections, c.InFlight)
	case c.Warmup < 0 || c.Duration <= 0 || c.Warmup+c.Duration > MaxDuration:
		return fmt.Errorf("warm-up %v and duration %v: want a duration, and at most %v together", c.Warmup, c.Duration, MaxDuration)
	case c.Requests < 0 || c.Requests > MaxRequests:
		return fmt.Errorf("requests: %d, want at most %d, or 0 for that many", c.Requests, MaxRequests)
	case c.Patience < 0 || c.Patience > MaxDuration:
		return fmt.Errorf("patience: %v, want at most %v, or 0 for 10s", c.Patience, MaxDuration)
	case len(c.Calls) == 0:
		return errors.New("calls: none, want at least one")
	}
	for i, call := range c.Calls {
		if len(call.Bytes) > maxCallBytes {
			return fmt.Errorf("call %d: %d bytes, want at most %d", i, len(call.Bytes), maxCallBytes)
		}
	}
	if c.Requests == 0 {
		c.Requests = MaxRequests
	}
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	return nil
}

// share is the part of n that the i-th of several gets.
func share(n, i, several int) int {
	part := n / several
	if i < n%several {
		part++
	}
	return part
}
