package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/hack/bench/closedloop"
)

func TestCalls(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("bk_live_1\nbk_live_2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := checkrequest.Keys(2)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what string
		o    options
		keys []string
		want checkrequest.Answer
	}{
		{"keys that are made", options{door: extAuthz, want: 200, keys: 2}, made, checkrequest.Allowed()},
		{"keys of a file", options{door: extAuthz, want: 401, keysFile: file}, []string{"bk_live_1", "bk_live_2"}, checkrequest.Denied(401)},
		{"no key", options{door: extAuthz, want: 401}, []string{""}, checkrequest.Denied(401)},
		{"HTTP", options{door: forwardAuth, want: 403, keys: 2}, made, checkrequest.Answer{Status: http.StatusForbidden}},
	} {
		got, err := row.o.calls()
		if err != nil || len(got) != len(row.keys) {
			t.Errorf("%s: got %d calls, %v", row.what, len(got), err)
			continue
		}
		for i, k := range row.keys {
			if got[i].Want != row.want || strings.Contains(string(got[i].Bytes), "Bearer "+k) == (k == "") {
				t.Errorf("%s: call %d wants %v, want %v, or hasn't its key", row.what, i, got[i].Want, row.want)
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		o    options
		want string
	}{
		{options{door: "grpc", want: 200}, "-door"},
		{options{door: extAuthz, want: 600}, "-want"},
		{options{door: extAuthz, want: 200, keys: 1, sources: 255}, "-sources"},
		{options{door: extAuthz, want: 200, keysFile: empty}, "-keys-file"},
		{options{door: extAuthz, want: 200, keys: -1}, "keys"},
		{options{door: extAuthz, want: 200, keys: maxCalls + 1}, "keys"},
		{options{door: forwardAuth, want: 200, request: checkrequest.Request{API: "a/b/c"}}, "API"},
	} {
		if got, err := row.o.calls(); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%+v: got %d calls, %v", row.o, len(got), err)
		}
	}
}

// One run from options to the line of JSON; of a run with a wrong answer there is none.
func TestMeasure(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	o := &options{door: forwardAuth, want: 200, keys: 10}
	o.run = closedloop.Config{
		Address: server.Listener.Addr().String(), Connections: 4, InFlight: 4,
		Duration: time.Minute, Requests: 200, // all before the minute is over
	}
	var out bytes.Buffer
	if err := measure(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Door != forwardAuth || got.Total != 200 || got.Measured != 200 || got.PerSecond <= 0 || got.P50 <= 0 || got.P50 > got.Max {
		t.Errorf("got %s", out.String())
	}
	out.Reset()
	o.want = 401
	if err := measure(t.Context(), o, &out); err == nil || !strings.Contains(err.Error(), "wrong answer") || out.Len() > 0 {
		t.Errorf("another answer is wanted: got %q, %v", out.String(), err)
	}
}

func TestReport(t *testing.T) {
	r := closedloop.Result{Total: 2000, PeakInFlight: 4, Elapsed: 2 * time.Second}
	for i := range 1000 {
		r.Latencies = append(r.Latencies, time.Duration(i+1)*time.Microsecond)
	}
	o := &options{door: forwardAuth, run: closedloop.Config{Connections: 1, InFlight: 4}}
	got, err := newReport(o, r, 6*time.Millisecond)
	want := report{
		Door: forwardAuth, Connections: 4, InFlight: 4, PeakInFlight: 4, Total: 2000, Measured: 1000, Seconds: 2, PerSecond: 500,
		P50: 500, P90: 900, P99: 990, P999: 999, Max: 1000, ClientCPU: 3,
	}
	if err != nil || *got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := newReport(o, closedloop.Result{}, 0); err == nil {
		t.Errorf("nothing was measured: got %+v", got)
	}
}
