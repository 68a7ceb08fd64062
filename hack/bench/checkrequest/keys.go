package checkrequest

import (
	"fmt"
	"math/rand/v2"

	"github.com/apikey-operator/apikey-operator/internal/key"
)

// MaxKeys is how many keys Keys makes at most.
const MaxKeys = 1_000_000

// Format is the format of the keys that Keys makes: with a checksum, and of 55 bytes
// or fewer, which is one block of SHA-256.
var Format = key.Format{Prefix: "bk", Environment: "live", Separator: "_", Alphabet: key.Base62, Length: 32, Checksum: true}

// seed is public: these keys open nothing but servers that a benchmark fills.
var seed = [32]byte([]byte("keys of benchmarks, for nobody's"))

// Keys returns the first n keys of a sequence that is always the same, so that the
// program that fills a server and the one that asks it needn't share a file. It
// returns an error if n isn't from 1 to MaxKeys.
func Keys(n int) ([]string, error) {
	if n < 1 || n > MaxKeys {
		return nil, fmt.Errorf("keys: %d, want 1 to %d", n, MaxKeys)
	}
	random := rand.NewChaCha8(seed)
	keys := make([]string, n)
	for i := range keys {
		raw, err := Format.Generate(random)
		if err != nil {
			return nil, err
		}
		keys[i] = raw.Reveal()
	}
	return keys, nil
}
