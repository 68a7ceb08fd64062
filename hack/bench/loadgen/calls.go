package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
)

// maxCalls bounds the memory that calls take up, at about a kilobyte each.
const maxCalls = 100_000

// calls makes a call with each key.
func (o *options) calls() ([]checkrequest.Call, error) {
	if o.door != extAuthz && o.door != forwardAuth {
		return nil, fmt.Errorf("-door %q: want %s or %s", o.door, extAuthz, forwardAuth)
	}
	if o.want < 200 || o.want > 599 {
		return nil, fmt.Errorf("-want %d: want a status from 200 to 599", o.want)
	}
	if o.sources < 0 || o.sources > 254 {
		return nil, fmt.Errorf("-sources %d: want 0 to 254", o.sources)
	}
	keys, err := o.allKeys()
	if err != nil {
		return nil, err
	}
	if len(keys) > maxCalls {
		return nil, fmt.Errorf("%d keys, want at most %d: more are in the server than need be asked with", len(keys), maxCalls)
	}
	calls := make([]checkrequest.Call, len(keys))
	for i, k := range keys {
		r := o.request
		r.Key = k
		if o.sources > 0 {
			r.Source = fmt.Sprintf("203.0.113.%d", 1+i%o.sources)
		}
		write := r.Message
		if o.door == forwardAuth {
			write = r.HTTP
		}
		if calls[i].Bytes, err = write(); err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		calls[i].Want = o.answer()
	}
	return calls, nil
}

func (o *options) answer() checkrequest.Answer {
	switch {
	case o.door == forwardAuth:
		return checkrequest.Answer{Status: o.want}
	case o.want < 300:
		return checkrequest.Allowed()
	default:
		return checkrequest.Denied(o.want)
	}
}

func (o *options) allKeys() ([]string, error) {
	if o.keysFile == "" {
		if o.keys == 0 {
			return []string{""}, nil
		}
		return checkrequest.Keys(o.keys)
	}
	file, err := os.ReadFile(o.keysFile)
	if err != nil {
		return nil, err
	}
	text := string(bytes.TrimSpace(file))
	if text == "" {
		return nil, fmt.Errorf("-keys-file %s: empty, want a key a line", o.keysFile)
	}
	return strings.Split(text, "\n"), nil
}
