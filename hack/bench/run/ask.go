package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
)

const (
	// api is what the gateway names: the API of hack/bench/replay.
	api = "apis/billoget"
	// maxKeys are those that one run asks with at most: more take longer to be written
	// down than to be asked with.
	maxKeys = 100_000
	// unknownKeys are as many as clients make up.
	unknownKeys = 10_000
	// sources are client addresses: that of an unknown key is counted.
	sources = 250
)

// question is what a server is asked.
type question struct {
	door    string
	want    int // status that the client shall get
	keys    int // how many keys are sent in turn
	unknown bool
	raw     bool // headers as with encode_raw_headers, not as Envoy sends them by default
}

// report is what loadgen says, as far as it is of interest.
type report struct {
	Total     int     `json:"total"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	P99       float64 `json:"p99"`
	ClientCPU float64 `json:"clientCPU"`
}

// load asks for as long as a round takes.
func (l *lab) load(ctx context.Context, s *server, q question, inFlight int) (report, error) {
	return l.loadgen(ctx, s, q,
		"-in-flight", strconv.Itoa(inFlight), "-connections", strconv.Itoa(min(4, inFlight)), "-requests", strconv.Itoa(l.requests),
		"-warmup", l.warmup.String(), "-duration", l.duration.String())
}

// once asks once.
func (l *lab) once(ctx context.Context, s *server, q question) error {
	_, err := l.loadgen(ctx, s, q, "-in-flight", "1", "-connections", "1", "-requests", "1", "-warmup", "0", "-duration", "10s")
	return err
}

// loadgen runs hack/bench/loadgen, which checks each answer.
func (l *lab) loadgen(ctx context.Context, s *server, q question, args ...string) (report, error) {
	args = append(args, "-door", q.door, "-address", s.door[q.door], "-api", api, "-want", strconv.Itoa(q.want), "-sources", strconv.Itoa(sources))
	if !q.raw {
		args = append(args, "-joined")
	}
	if q.unknown {
		args = append(args, "-keys-file", l.unknownKeys())
	} else {
		args = append(args, "-keys", strconv.Itoa(min(q.keys, maxKeys)))
	}
	path, args := l.cores.command(l.cores.client, filepath.Join(l.bin, "bench/loadgen"), args)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return report{}, errors.Join(err, errors.New(strings.TrimSpace(said.String())))
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		return report{}, fmt.Errorf("what loadgen printed: %w", err)
	}
	return r, nil
}

func (l *lab) unknownKeys() string { return filepath.Join(l.dir, "unknown-keys") }

// writeUnknownKeys writes keys of the right format that nobody has.
func (l *lab) writeUnknownKeys() error {
	var b strings.Builder
	for range unknownKeys {
		raw, err := checkrequest.Format.Generate(rand.Reader)
		if err != nil {
			return err
		}
		b.WriteString(raw.Reveal() + "\n")
	}
	return os.WriteFile(l.unknownKeys(), []byte(b.String()), 0o600)
}
