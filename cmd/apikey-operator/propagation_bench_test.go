package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/stack"
)

// BenchmarkPropagation measures how long after the API server's acknowledgement a
// change is in force at an auth server, against a bare watch of the same object in
// the same run:
//
//	go test -run '^$' -bench Propagation -benchtime 200x ./cmd/apikey-operator
func BenchmarkPropagation(b *testing.B) {
	s := startStack(b, stack.Options{Dir: b.TempDir(), Progress: b.Logf})
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		b.Fatal(err)
	}
	c, err := client.NewWithWatch(s.Cluster.Config, client.Options{Scheme: scheme})
	if err != nil {
		b.Fatal(err)
	}
	p := &propagationRun{B: b, client: c, server: s.AuthServers[0].HTTP, took: map[string][]time.Duration{}}
	b.ResetTimer()
	for i := range b.N {
		p.sample(i)
	}
	b.StopTimer()
	p.tell()
}

type propagationRun struct {
	*testing.B
	client client.WithWatch
	server string
	took   map[string][]time.Duration
}

// sample brings a key by its hash, and revokes it.
func (p *propagationRun) sample(i int) {
	raw := "propagation-" + rand.Text()
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("propagation-%d", i)}}
	k.Spec.ExistingKey = &v1alpha1.ExistingKey{SHA256: hashOf(raw)}
	w, err := p.client.Watch(p.Context(), &v1alpha1.APIKeyList{}, client.InNamespace("shop"), client.MatchingFields{"metadata.name": k.Name})
	if err != nil {
		p.Fatal(err)
	}
	defer w.Stop()
	p.must(p.client.Create(p.Context(), k))
	created := time.Now()
	p.until(raw, http.StatusOK)
	p.took["create-accepted"] = append(p.took["create-accepted"], time.Since(created))

	revoked := make(chan time.Time, 1)
	go func() { revoked <- seen(w) }()
	p.must(p.client.Patch(p.Context(), k, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"state":"Revoked"}}`))))
	acknowledged := time.Now()
	p.until(raw, http.StatusUnauthorized)
	p.took["revoke-rejected"] = append(p.took["revoke-rejected"], time.Since(acknowledged))
	p.took["revoke-watch"] = append(p.took["revoke-watch"], (<-revoked).Sub(acknowledged))
}

// seen is when a watch shows the revocation.
func seen(w watch.Interface) time.Time {
	for e := range w.ResultChan() {
		if k, ok := e.Object.(*v1alpha1.APIKey); ok && k.Spec.State == v1alpha1.DesiredRevoked {
			return time.Now()
		}
	}
	return time.Time{}
}

func (p *propagationRun) until(raw string, status int) {
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	headers := http.Header{
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"anything.example"}, "X-Forwarded-Uri": {"/"},
		"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"203.0.113.7"}, "Authorization": {"Bearer " + raw},
	}
	for {
		a, err := stack.Ask(ctx, p.server, stack.Request{Path: "/authorize/traefik", Headers: headers})
		p.must(err)
		if a.Status == status {
			return
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
		slices.Sort(all)
		at := func(percent int) float64 {
			return float64(all[min(len(all)-1, len(all)*percent/100)].Microseconds()) / 1000
		}
		p.ReportMetric(at(50), what+"-p50-ms")
		p.ReportMetric(at(99), what+"-p99-ms")
	}
}
