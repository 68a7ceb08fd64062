package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/hack/stack"
)

// BenchmarkResources measures what the Deployments' requests come from: memory and
// processor time of each process, idle and while RESOURCES_KEYS keys (10000) are
// issued, each with its Secret:
//
//	go test -run '^$' -bench Resources -benchtime 1x -timeout 30m ./cmd/apikey-operator
func BenchmarkResources(b *testing.B) {
	keys := 10000
	if text := os.Getenv("RESOURCES_KEYS"); text != "" {
		var err error
		if keys, err = strconv.Atoi(text); err != nil {
			b.Fatal("RESOURCES_KEYS: ", err)
		}
	}
	s := startStack(b, stack.Options{Dir: b.TempDir()})
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		b.Fatal(err)
	}
	config := rest.CopyConfig(s.Cluster.Config)
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{} // admission has some for each key
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		b.Fatal(err)
	}
	programs := map[string]*stack.Program{"controller": s.Controller, "authserver": s.AuthServers[0]}
	tell(b, "idle", programs)
	started := time.Now()
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(32)
	for i := range keys {
		group.Go(func() error {
			k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("measured-%d", i)}}
			k.Spec.Scopes = []v1alpha1.Scope{"one", "two", "three"}
			k.Spec.AllowedIPs = []v1alpha1.IPBlock{"192.0.2.0/24", "198.51.100.7"}
			k.Spec.RateLimit = &v1alpha1.RateLimit{Requests: 1000, Period: "1h"}
			return c.Create(ctx, k)
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	fmt.Printf("%d APIKeys created within %s\n", keys, time.Since(started).Round(time.Second))
	err = wait.PollUntilContextCancel(b.Context(), time.Second, true, func(ctx context.Context) (bool, error) {
		var secrets metav1.PartialObjectMetadataList
		secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		err := c.List(ctx, &secrets, client.InNamespace("shop"), client.HasLabels{v1alpha1.LabelAPIKeyUID})
		return len(secrets.Items) >= keys, err
	})
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("all issued within %s: %.0f a second\n", time.Since(started).Round(time.Second), float64(keys)/time.Since(started).Seconds())
	tell(b, fmt.Sprintf("with %d keys", keys), programs)
}

var measured = regexp.MustCompile(`(?m)^(process_resident_memory_bytes|process_cpu_seconds_total|go_memstats_heap_inuse_bytes) (\S+)$`)

// tell prints what processes use: a benchmark logs ten lines at most.
func tell(b *testing.B, when string, programs map[string]*stack.Program) {
	b.Helper()
	for name, p := range programs {
		response, err := http.Get("http://" + p.Metrics + "/metrics")
		if err != nil {
			b.Fatal(err)
		}
		text := make([]byte, 4<<20)
		n := 0
		for err == nil && n < len(text) {
			var m int
			m, err = response.Body.Read(text[n:])
			n += m
		}
		_ = response.Body.Close()
		found := map[string]float64{}
		for _, match := range measured.FindAllStringSubmatch(string(text[:n]), -1) {
			if found[match[1]], err = strconv.ParseFloat(match[2], 64); err != nil {
				b.Fatal(err)
			}
		}
		fmt.Printf("%s, %s: %.0f MiB resident, %.0f MiB heap, %.1f s of processor time\n", name, when,
			found["process_resident_memory_bytes"]/(1<<20), found["go_memstats_heap_inuse_bytes"]/(1<<20), found["process_cpu_seconds_total"])
	}
}
