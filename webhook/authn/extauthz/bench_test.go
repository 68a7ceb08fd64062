package extauthz

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
	"github.com/apikey-operator/apikey-operator/internal/auth"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
	"github.com/apikey-operator/apikey-operator/internal/ratelimit"
	"github.com/apikey-operator/apikey-operator/internal/route"
)

// busy is a server that knows n keys, with all checks on, and a call with each key.
func busy(b *testing.B, n int) (*Server, [][]byte) {
	b.Helper()
	var routes []route.Route
	for i := range 100 {
		pattern := fmt.Sprintf("/api/public/resource-%d/{id}", i)
		if i == 99 {
			pattern = "/api/public/budgets/**"
		}
		p, err := route.Parse(pattern)
		if err != nil {
			b.Fatal(err)
		}
		routes = append(routes, route.Route{Methods: []string{"GET"}, Pattern: p, Scope: "READ_BUDGETS"})
	}
	table, err := route.Compile(nil, routes)
	if err != nil {
		b.Fatal(err)
	}
	api := &keyring.API{
		Name: keyring.Name{Namespace: "apis", Name: "billoget"}, AllNamespaces: true,
		Credentials: []keyring.Credential{{Place: keyring.Bearer}}, Formats: []key.Format{key.Default}, Routes: table,
	}
	raws, err := checkrequest.Keys(n)
	if err != nil {
		b.Fatal(err)
	}
	ring := keyring.New(keyring.HostPolicy{})
	ring.SetAPI(api)
	calls := make([][]byte, n)
	for i, raw := range raws {
		ring.SetKey(busyKey(i, raw, api.Name))
		if calls[i], err = (checkrequest.Request{Key: raw, API: api.Name.String()}).Message(); err != nil {
			b.Fatal(err)
		}
	}
	yes := func() bool { return true }
	return &Server{
		Authenticator: &auth.Authenticator{Ring: ring, Synced: yes, Current: yes, TrustedCallers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Now:           time.Now,
	}, calls
}

func busyKey(i int, raw string, api keyring.Name) *keyring.Key {
	k := &keyring.Key{
		Name: keyring.Name{Namespace: "shop", Name: fmt.Sprint("key-", i)}, UID: fmt.Sprint(i),
		Versions: []keyring.Version{{Digest: key.NewRaw(raw).Digest(), Hint: raw[:12]}},
		Terms:    &keyring.Terms{API: api, Limit: ratelimit.Limit{Requests: 1_000_000_000, Period: time.Second}, Environment: "live"},
		Holder:   &keyring.Holder{Project: "proj_abc123", OwnerName: "Shop team", OwnerEmail: "ops@shop.example"},
	}
	for n := range 19 {
		k.Scopes = append(k.Scopes, fmt.Sprintf("resource-%d:read", n))
	}
	k.Scopes = append(k.Scopes, "READ_BUDGETS")
	for n := range 9 {
		k.AllowedIPs = append(k.AllowedIPs, netip.MustParsePrefix(fmt.Sprintf("198.51.%d.0/24", n)))
	}
	k.AllowedIPs = append(k.AllowedIPs, netip.MustParsePrefix("0.0.0.0/0"))
	return k
}

// What a check costs besides its transport.
func BenchmarkCheck(b *testing.B) {
	s, calls := busy(b, 10_000)
	unknown := calls[0]
	other, err := (checkrequest.Request{Key: "bk_live_nobody", API: "apis/billoget"}).Message()
	if err != nil {
		b.Fatal(err)
	}
	unknown = other
	ctx := peer.NewContext(context.Background(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}})
	for _, row := range []struct {
		name string
		call func(i int) []byte
	}{
		{"allowed", func(i int) []byte { return calls[i*7919%len(calls)] }},
		{"unknown", func(int) []byte { return unknown }},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				e, _ := exchanges.Get().(*exchange)
				if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(row.call(i))}, e); err != nil {
					b.Fatal(err)
				}
				s.check(ctx, e)
				answer, err := codec{}.Marshal(e)
				if err != nil {
					b.Fatal(err)
				}
				answer.Free()
				i++
			}
		})
	}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		text := string(calls[0])
		e := new(exchange)
		for b.Loop() {
			if !e.message.read(text) {
				b.Fatal("not read")
			}
			e.message.headers.list, e.message.headers.entries, e.message.extensions = e.message.headers.list[:0], e.message.headers.entries[:0], e.message.extensions[:0]
		}
	})
}
