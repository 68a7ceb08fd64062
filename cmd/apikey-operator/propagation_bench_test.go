package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/hack/bench/closedloop"
)

// loadInFlight requests saturate an auth server.
const loadInFlight = 32

// BenchmarkPropagation measures how long after the API server's acknowledgement a
// change is in force at an auth server that has 10 000 keys: idle, and while as many
// requests are in flight over ext_authz as it can answer. A bare watch is measured
// beside it. create is from the write of the status that has the key's digest.
//
// The auth server is asked one question after the other on one connection, from the
// acknowledgement on. What is reported ends with the first right answer, and so holds
// up to two of poll-p50-ms.
//
//	go test -run '^$' -bench Propagation -benchtime 200x ./cmd/apikey-operator
func BenchmarkPropagation(b *testing.B) {
	w := withManyKeys(b)
	s, err := w.startAuthServer()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.end(); err != nil {
			b.Error(err)
		}
	})
	health := &asker{address: s.health}
	defer health.close()
	until(b, "it is ready", func() bool { return health.ask(readyQuestion) == http.StatusOK })
	for _, mode := range []string{"idle", "loaded"} {
		b.Run(mode, func(b *testing.B) {
			p := &propagationRun{B: b, manyKeys: w, authServer: &asker{address: s.http}, took: map[string][]time.Duration{}}
			defer p.authServer.close()
			p.watch()
			var stop func() float64
			if mode == "loaded" {
				stop = p.load(s.grpc)
			}
			b.ResetTimer()
			for i := range b.N {
				p.sample(fmt.Sprintf("sample-%s-%d-%d", mode, b.N, i))
			}
			b.StopTimer()
			if stop != nil {
				b.ReportMetric(stop(), "load/s")
			}
			p.tell()
		})
	}
}

// until asks again each millisecond.
func until(b *testing.B, what string, holds func() bool) {
	b.Helper()
	tick, end := time.NewTicker(time.Millisecond), time.After(startTimeout)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			b.Fatalf("%s: not within %v", what, startTimeout)
		}
	}
}

type propagationRun struct {
	*testing.B
	*manyKeys
	authServer *asker
	revoked    chan seen
	took       map[string][]time.Duration
}

// seen is when the bare watch showed that a key is revoked.
type seen struct {
	name string
	at   time.Time
}

// watch starts the bare watch, which is there from before the first change.
func (p *propagationRun) watch() {
	p.Helper()
	p.revoked = make(chan seen, 100)
	var now v1alpha1.APIKeyList
	p.must(p.client.List(p.Context(), &now, client.InNamespace("shop"), client.Limit(1)))
	w, err := p.client.Watch(p.Context(), &v1alpha1.APIKeyList{}, &client.ListOptions{
		Namespace: "shop", Raw: &metav1.ListOptions{ResourceVersion: now.ResourceVersion},
	})
	p.must(err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for e := range w.ResultChan() {
			if k, ok := e.Object.(*v1alpha1.APIKey); ok && e.Type == watch.Modified && k.Spec.State == v1alpha1.DesiredRevoked {
				p.revoked <- seen{k.Name, time.Now()}
			}
		}
	}()
	p.Cleanup(func() {
		w.Stop()
		<-ended
	})
}

// load saturates the auth server until it is told to stop, and returns what tells it.
// That returns how many requests were answered per second. All answers must be right.
func (p *propagationRun) load(address string) (stop func() float64) {
	p.Helper()
	config := closedloop.Config{Address: address, Connections: 1, InFlight: loadInFlight, Duration: time.Second}
	for _, raw := range p.raw[:1000] {
		message, err := checkrequest.Request{Key: raw}.Message()
		p.must(err)
		config.Calls = append(config.Calls, checkrequest.Call{Bytes: message, Want: checkrequest.Allowed()})
	}
	group, ctx := errgroup.WithContext(p.Context())
	var stopped atomic.Bool
	answered, started := 0, time.Now()
	group.Go(func() error {
		for !stopped.Load() {
			r, err := closedloop.GRPC(ctx, config)
			if err != nil {
				return fmt.Errorf("the load: %w", err)
			}
			answered += r.Total
		}
		return nil
	})
	return func() float64 {
		stopped.Store(true)
		p.must(group.Wait())
		return float64(answered) / time.Since(started).Seconds()
	}
}

// sample issues a key, and revokes it.
func (p *propagationRun) sample(name string) {
	raw := "propagation-" + rand.Text()
	request, err := question(raw)
	p.must(err)
	k := p.key(name)
	k.Finalizers = nil
	var acknowledged time.Time
	p.must(p.issue(p.Context(), k, raw, &acknowledged))
	p.until(request, http.StatusOK)
	p.took["create"] = append(p.took["create"], time.Since(acknowledged))

	p.must(p.client.Patch(p.Context(), k, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"state":"Revoked"}}`))))
	acknowledged = time.Now()
	p.until(request, http.StatusUnauthorized)
	p.took["revoke"] = append(p.took["revoke"], time.Since(acknowledged))
	bare := <-p.revoked
	if bare.name != name {
		p.Fatalf("the bare watch shows that %s is revoked, want %s", bare.name, name)
	}
	p.took["watch"] = append(p.took["watch"], max(0, bare.at.Sub(acknowledged)))
	p.must(p.client.Delete(p.Context(), k))
}

func (p *propagationRun) until(request []byte, status int) {
	p.Helper()
	for end := time.Now().Add(startTimeout); ; {
		asked := time.Now()
		got := p.authServer.ask(request)
		p.took["poll"] = append(p.took["poll"], time.Since(asked))
		if got == status {
			return
		}
		if time.Now().After(end) {
			p.Fatalf("the auth server answers %d, want %d", got, status)
		}
	}
}

func (p *propagationRun) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// tell reports the median and the 99th percentile of each.
func (p *propagationRun) tell() {
	for what, all := range p.took {
		p.ReportMetric(percentile(all, 50), what+"-p50-ms")
		p.ReportMetric(percentile(all, 99), what+"-p99-ms")
	}
}
