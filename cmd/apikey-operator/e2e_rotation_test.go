package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/apikey-operator/apikey-operator/hack/stack"
)

// eventually waits for a field of an APIKey to be as it should.
func (w *whole) eventually(t *testing.T, name, jsonpath, want string) {
	t.Helper()
	got := ""
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 45*time.Second, true, func(context.Context) (bool, error) {
		got = w.get(t, name, jsonpath)
		return got == want, nil
	})
	if err != nil {
		t.Fatalf("%s of %s is %q, want %q", jsonpath, name, got, want)
	}
}

const (
	phases        = "{.status.keys[*].phase}"
	propagated    = `{.status.conditions[?(@.type=="Propagated")].status}`
	propagation   = `{.status.conditions[?(@.type=="Propagated")].message}`
	pendingReason = `{.status.conditions[?(@.type=="RotationPending")].reason}`
)

// testRotation rotates a key under the hands of a consumer that reads its Secret
// for each call: no request is denied.
func testRotation(t *testing.T, w *whole) {
	first := w.create(t, "rotating", `{rotation: {overlap: 2s}}`)
	w.want(t, first, "allowed rotating")
	ctx, stop := context.WithCancel(t.Context())
	var calls atomic.Int64
	var consumers sync.WaitGroup
	for _, proxy := range []string{w.Envoy, w.Nginx} {
		consumers.Go(func() { w.consume(ctx, t, proxy, &calls) })
	}
	for _, trigger := range []string{"one", "two", "three"} {
		before := w.get(t, "rotating", "{.status.keys[0].digest}")
		w.patch(t, "rotating", `{"rotation":{"trigger":"`+trigger+`"}}`)
		w.eventually(t, "rotating", "{.status.observedTriggers[-1:]}", trigger)
		w.eventually(t, "rotating", phases, "Current")
		if now := w.get(t, "rotating", "{.status.keys[0].digest}"); now == before {
			t.Errorf("trigger %s rotates nothing", trigger)
		}
	}
	stop()
	consumers.Wait()
	t.Logf("%d requests during three rotations", calls.Load())
	if calls.Load() == 0 {
		t.Error("no request was made")
	}
	w.want(t, first, "401 unauthorized")
	w.want(t, w.key(t, "rotating"), "allowed rotating")
	w.eventually(t, "rotating", propagated, "True")
	if said := w.get(t, "rotating", propagation); !strings.HasPrefix(said, "seen by 2 of 2 auth servers") {
		t.Errorf("Propagated says %q", said)
	}
}

func (w *whole) consume(ctx context.Context, t *testing.T, proxy string, calls *atomic.Int64) {
	for ctx.Err() == nil {
		encoded, err := w.Kubectl(ctx, "", "get", "secret", "-n", "shop", "rotating", "-o", "jsonpath={.data.api-key}")
		if ctx.Err() != nil {
			return
		}
		raw, decodeErr := base64.StdEncoding.DecodeString(encoded)
		if err != nil || decodeErr != nil {
			t.Errorf("reading the Secret: %v %v", err, decodeErr)
			return
		}
		for range 20 {
			a, err := w.ask(ctx, proxy, string(raw))
			if ctx.Err() != nil {
				return
			}
			if err != nil || a.Verdict() != "allowed rotating" {
				t.Errorf("got %s (%v), want allowed", a.Verdict(), err)
			}
			calls.Add(1)
		}
	}
}

// testRegenerate: without an overlap the old key has ended when the new one is
// there; and a trigger that has rotated doesn't again.
func testRegenerate(t *testing.T, w *whole) {
	before := w.key(t, "charge")
	w.wantStaxBill(t, before, http.StatusOK)
	w.patch(t, "charge", `{"rotation":{"trigger":"leaked"}}`)
	w.eventually(t, "charge", "{.status.observedTriggers[-1:]}", "leaked")
	w.eventually(t, "charge", phases, "Current")
	w.eventually(t, "charge", propagated, "True")
	after := w.key(t, "charge")
	if after == before {
		t.Fatal("the key is the same")
	}
	w.wantStaxBill(t, before, http.StatusUnauthorized)
	w.wantStaxBill(t, after, http.StatusOK)
	w.patch(t, "charge", `{"rotation":null}`)
	w.patch(t, "charge", `{"rotation":{"trigger":"leaked"},"description":"reverted"}`)
	w.eventually(t, "charge", "{.status.observedGeneration}", w.get(t, "charge", "{.metadata.generation}"))
	if again := w.key(t, "charge"); again != after {
		t.Error("a trigger that has rotated did so again")
	}
}

// wantStaxBill asks every auth server as Traefik does over TLS.
func (w *whole) wantStaxBill(t *testing.T, raw string, status int) {
	t.Helper()
	for _, server := range w.AuthServers {
		headers := http.Header{
			"X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"api.staxbill.com"}, "X-Forwarded-Uri": {"/"},
			"X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"203.0.113.7"}, "Authorization": {"Basic " + raw},
		}
		a, err := stack.Ask(t.Context(), server.HTTP, stack.Request{Path: "/authorize/traefik", Headers: headers})
		if err != nil || a.Status != status {
			t.Errorf("got %d (%v), want %d", a.Status, err, status)
		}
	}
}

// testImport: a key that exists already works, with its Secret and by its hash.
func testImport(t *testing.T, w *whole) {
	const raw, other = "legacy-token-of-the-test-0123456789", "legacy-token-known-by-its-hash-0123"
	w.raw[raw], w.raw[other] = "brought", "hashed"
	if _, err := w.Kubectl(t.Context(), "", "create", "secret", "generic", "-n", "shop", "from-before", "--from-literal=token="+raw); err != nil {
		t.Fatal(err)
	}
	const brought = `{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: brought, namespace: shop}, spec: {existingKey: {secretKeyRef: {name: from-before, key: token}}}}`
	if _, err := w.Kubectl(t.Context(), brought, "apply", "-f", "-"); err == nil || !strings.Contains(err.Error(), "apikey-operator.dev/import") {
		t.Errorf("without the label: got %v, want it refused", err)
	}
	if _, err := w.Kubectl(t.Context(), "", "label", "secret", "-n", "shop", "from-before", "apikey-operator.dev/import=true"); err != nil {
		t.Fatal(err)
	}
	w.apply(t, brought)
	w.want(t, raw, "allowed brought")
	if copied := w.key(t, "brought"); copied != raw {
		t.Error("the Secret holds another key")
	}
	w.apply(t, fmt.Sprintf(`{apiVersion: apikey-operator.dev/v1alpha1, kind: APIKey, metadata: {name: hashed, namespace: shop}, spec: {existingKey: {sha256: %s}}}`, hashOf(other)))
	w.want(t, other, "allowed hashed")
}

// testDeadServer: a rotation waits for an auth server that is gone until it is
// known to be, and says so.
func testDeadServer(t *testing.T, w *whole) {
	raw := w.create(t, "patient", "{}")
	w.want(t, raw, "allowed patient")
	if err := w.AuthServers[1].Kill(); err != nil {
		t.Fatal(err)
	}
	w.patch(t, "patient", `{"rotation":{"trigger":"1"}}`)
	w.eventually(t, "patient", pendingReason, "AwaitingAuthServers")
	if phase := w.get(t, "patient", phases); phase != "Pending Current" {
		t.Errorf("while it waits: %s", phase)
	}
	w.eventually(t, "patient", phases, "Current Retiring")
	if err := w.AuthServers[1].Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.AuthServers[1].WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.want(t, w.key(t, "patient"), "allowed patient")
}
