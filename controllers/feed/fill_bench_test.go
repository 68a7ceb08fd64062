package feed

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	goruntime "runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	runtime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// stored is an APIKey as an API server that stores it sends it: issued, with
// conditions, and with managedFields of who applied it and of the controller.
func stored(i int) *v1alpha1.APIKey {
	at := metav1.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	raw := key.NewRaw(fmt.Sprintf("bk_live_%032d", i))
	fields := metav1.NewFieldsV1
	digest := raw.Digest().String()
	return &v1alpha1.APIKey{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "APIKey"},
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("customer-%07d", i), Namespace: "shop", UID: types.UID(fmt.Sprintf("5b4b1f0a-3c52-4d0e-9d7c-%012d", i)),
			ResourceVersion: strconv.Itoa(1000 + i), Generation: 1, CreationTimestamp: at, Finalizers: []string{"apikey-operator.dev/secret"},
			Labels: map[string]string{"app.kubernetes.io/managed-by": "gitops", "team": "billing"},
			ManagedFields: []metav1.ManagedFieldsEntry{
				{Manager: "argocd-controller", Operation: "Apply", APIVersion: v1alpha1.GroupVersion.String(), Time: &at, FieldsType: "FieldsV1",
					FieldsV1: fields(`{"f:metadata":{"f:labels":{"f:app.kubernetes.io/managed-by":{},"f:team":{}}},"f:spec":{"f:allowedIPs":{"v:\"192.0.2.0/24\"":{},"v:\"198.51.100.7\"":{}},"f:apiRef":{},"f:displayName":{},"f:owner":{"f:email":{},"f:name":{}},"f:project":{},"f:rateLimit":{"f:period":{},"f:requests":{}},"f:scopes":{"v:\"budgets:read\"":{},"v:\"budgets:write\"":{},"v:\"reports:read\"":{}}}}`)},
				{Manager: "apikey-operator", Operation: "Update", APIVersion: v1alpha1.GroupVersion.String(), Time: &at, FieldsType: "FieldsV1",
					FieldsV1: fields(`{"f:metadata":{"f:finalizers":{".":{},"v:\"apikey-operator.dev/secret\"":{}}}}`)},
				{Manager: "apikey-operator", Operation: "Update", APIVersion: v1alpha1.GroupVersion.String(), Time: &at, FieldsType: "FieldsV1", Subresource: "status",
					FieldsV1: fields(`{"f:status":{".":{},"f:conditions":{".":{},"k:{\"type\":\"Propagated\"}":{".":{},"f:lastTransitionTime":{},"f:message":{},"f:observedGeneration":{},"f:reason":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Ready\"}":{".":{},"f:lastTransitionTime":{},"f:message":{},"f:observedGeneration":{},"f:reason":{},"f:status":{},"f:type":{}}},"f:hint":{},"f:keys":{".":{},"k:{\"digest\":\"` + digest + `\"}":{".":{},"f:deliveredAt":{},"f:digest":{},"f:hint":{},"f:issuedAt":{},"f:phase":{}}},"f:observedGeneration":{},"f:secretName":{},"f:secretPhase":{},"f:state":{}}}`)},
			},
		},
		Spec: v1alpha1.APIKeySpec{
			DisplayName: "Customer's key", APIRef: &v1alpha1.ProtectedAPIReference{Name: "public", Namespace: "apis"}, Project: "billing",
			Owner:  &v1alpha1.Owner{Name: "Billing team", Email: "billing@shop.example"},
			Scopes: []v1alpha1.Scope{"budgets:read", "budgets:write", "reports:read"}, AllowedIPs: []v1alpha1.IPBlock{"192.0.2.0/24", "198.51.100.7"},
			RateLimit: &v1alpha1.RateLimit{Requests: 1000, Period: "1h"}, State: v1alpha1.DesiredActive,
		},
		Status: v1alpha1.APIKeyStatus{
			ObservedGeneration: 1, State: v1alpha1.StateActive, Hint: "bk_live_0000", SecretName: fmt.Sprintf("customer-%07d", i), SecretPhase: v1alpha1.SecretPresent,
			Keys: []v1alpha1.KeyVersion{{Digest: digest, Hint: "bk_live_0000", Phase: v1alpha1.KeyCurrent, IssuedAt: at, DeliveredAt: &at}},
			Conditions: []metav1.Condition{
				{Type: "Ready", Status: metav1.ConditionTrue, ObservedGeneration: 1, LastTransitionTime: at, Reason: "Issued", Message: "the key is in Secret customer"},
				{Type: "Propagated", Status: metav1.ConditionTrue, ObservedGeneration: 1, LastTransitionTime: at, Reason: "Seen", Message: "all 2 auth servers have seen it"},
			},
		},
	}
}

// line is an event as an API server writes it.
func line(kind watch.EventType, o runtime.Object) []byte {
	object, err := json.Marshal(o)
	if err != nil {
		panic(err) // these can be
	}
	return fmt.Appendf(nil, "{\"type\":%q,\"object\":%s}\n", kind, object)
}

// end is the bookmark after a list that is streamed.
func end(rv string) []byte {
	k := bookmark(rv)
	k.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "APIKey"}
	k.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	return line(watch.Bookmark, k)
}

// streams answers each watch with what write writes, and then leaves it open.
func streams(tb testing.TB, write func(*bufio.Writer)) *rest.Config {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		buffered := bufio.NewWriterSize(w, 64<<10)
		write(buffered)
		_ = buffered.Flush() // the client may have gone
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})}
	go func() { _ = server.Serve(listener) }() // ends with Close
	tb.Cleanup(func() { _ = server.Close() })
	return &rest.Config{Host: "http://" + listener.Addr().String()}
}

// fill reads a streamed list into a ring, and returns the ring when it is in.
func fill(tb testing.TB, config *rest.Config) *keyring.Ring {
	tb.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		tb.Fatal(err)
	}
	ring := keyring.New(keyring.HostPolicy{})
	moved := make(chan struct{}, 1)
	k, err := newKeys(config, http.DefaultClient, scheme, "", ring, moved)
	if err != nil {
		tb.Fatal(err)
	}
	stopped := make(chan struct{})
	ctx := tb.Context()
	go func() {
		k.run(ctx)
		close(stopped)
	}()
	for !k.filled.Load() {
		<-moved
	}
	tb.Cleanup(func() { <-stopped })
	return ring
}

// BenchmarkFill is what a feed costs when it starts with 10 000 keys: decoding,
// compiling and indexing. The server's part is in it too, and small: it writes what
// is ready.
func BenchmarkFill(b *testing.B) {
	const keys = 10_000
	var list []byte
	for i := range keys {
		list = append(list, line(watch.Added, stored(i))...)
	}
	list = append(list, end("20000")...)
	config := streams(b, func(w *bufio.Writer) { _, _ = w.Write(list) })
	b.ReportAllocs()
	b.SetBytes(int64(len(list)))
	for b.Loop() {
		if n := fill(b, config).Len(); n != keys {
			b.Fatalf("the ring has %d keys, want %d", n, keys)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/keys, "µs/key")
}

// BenchmarkMillion is the memory of a feed of a million keys, per key, so that what an auth
// server needs can be told: what stays, and the most while it fills, garbage included.
//
//	go test -run '^$' -bench Million -benchtime 1x ./controllers/feed
func BenchmarkMillion(b *testing.B) {
	const keys = 1_000_000
	// Written anew each time, by a server in this process whose memory shall not count.
	template := string(line(watch.Added, stored(0)))
	for _, of := range []struct{ text, place string }{
		{stored(0).Name, "\x00n"}, {string(stored(0).UID), "\x00u"}, {stored(0).Status.Keys[0].Digest, "\x00d"},
	} {
		template = strings.ReplaceAll(template, of.text, of.place)
	}
	pieces := strings.Split(template, "\x00")
	config := streams(b, func(w *bufio.Writer) {
		for i := range keys {
			_, _ = w.WriteString(pieces[0])
			for _, piece := range pieces[1:] {
				switch piece[0] {
				case 'n':
					_, _ = fmt.Fprintf(w, "customer-%07d", i)
				case 'u':
					_, _ = fmt.Fprintf(w, "5b4b1f0a-3c52-4d0e-9d7c-%012d", i)
				case 'd':
					_, _ = fmt.Fprintf(w, "sha256:%08x%056x", uint32(i)*2654435761, i)
				}
				_, _ = w.WriteString(piece[1:])
			}
		}
		_, _ = w.Write(end("2000000"))
	})
	for b.Loop() {
		before := heap()
		stop, peak := make(chan struct{}), make(chan uint64)
		go func() { peak <- highest(stop) }()
		ring := fill(b, config)
		close(stop)
		most := <-peak
		if n := ring.Len(); n != keys {
			b.Fatalf("the ring has %d keys, want %d", n, keys)
		}
		goruntime.GC()
		b.ReportMetric(float64(heap()-before)/keys, "B/key")
		b.ReportMetric(float64(most-before)/keys, "peak-B/key")
		goruntime.KeepAlive(ring)
	}
}

// heap is what objects take up, dead ones that weren't swept included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// highest is the most that the heap was until stop.
func highest(stop <-chan struct{}) uint64 {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	most := heap()
	for {
		select {
		case <-tick.C:
			most = max(most, heap())
		case <-stop:
			return most
		}
	}
}
