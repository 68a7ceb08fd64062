package ratelimit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
)

// takeAll calls from many goroutines and returns how many requests were allowed.
func takeAll(each int, take func(i int) ratelimit.Result) int64 {
	var count atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range each {
				if take(i).Allowed {
					count.Add(1)
				}
			}
		})
	}
	all.Wait()
	return count.Load()
}

func TestLimiterNeverAllowsMoreThanTheLimit(t *testing.T) {
	tests := map[string]struct {
		limit ratelimit.Limit
		want  int64
	}{
		"window":    {window(1000, time.Hour), 1000},
		"bucket":    {bucket(10, time.Hour, 1000), 1000},
		"unlimited": {ratelimit.Limit{}, 8 * 500},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var limiter ratelimit.Limiter
			if got := takeAll(500, func(int) ratelimit.Result { return limiter.Take(tt.limit, start) }); got != tt.want {
				t.Errorf("%d requests were allowed, want %d", got, tt.want)
			}
		})
	}
}

// Clocks of concurrent requests differ, so that some arrive out of order.
func TestLimiterWithTimesOutOfOrder(t *testing.T) {
	tests := map[string]struct {
		limit ratelimit.Limit
		most  int64
	}{
		"window": {window(100, time.Hour), 100},
		"bucket": {bucket(100, time.Hour, 50), 150},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var limiter ratelimit.Limiter
			got := takeAll(500, func(i int) ratelimit.Result {
				return limiter.Take(tt.limit, start.Add(time.Duration(i*7%500)*time.Hour/500))
			})
			if got > tt.most || got == 0 {
				t.Errorf("%d requests were allowed within one period, want at most %d", got, tt.most)
			}
		})
	}
}

// The limit is that of the moment: half of the requests see an older, higher one.
func TestLimiterWhileTheLimitIsEdited(t *testing.T) {
	var limiter ratelimit.Limiter
	limits := []ratelimit.Limit{window(300, time.Hour), window(100, time.Hour), bucket(100, time.Hour, 200)}
	got := takeAll(600, func(i int) ratelimit.Result { return limiter.Take(limits[i%len(limits)], start) })
	if got != 300 {
		t.Errorf("%d requests were allowed, want 300, the highest of the limits", got)
	}
}

func BenchmarkTake(b *testing.B) {
	limits := map[string]ratelimit.Limit{
		"FixedWindow": window(1000, time.Hour),
		"TokenBucket": bucket(1000, time.Hour, 100),
	}
	for name, limit := range limits {
		b.Run(name, func(b *testing.B) {
			var limiter ratelimit.Limiter
			now := time.Now() // with a monotonic reading, as a server's
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Second)
				limiter.Take(limit, now)
			}
		})
		b.Run(name+"/contended", func(b *testing.B) {
			var limiter ratelimit.Limiter
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					limiter.Take(limit, start)
				}
			})
		})
	}
}
