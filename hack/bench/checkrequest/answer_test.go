package checkrequest

import (
	"math/rand/v2"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

func allowed() *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-apikey-name", Value: "shopify"}}},
		}},
		DynamicMetadata: &structpb.Struct{Fields: map[string]*structpb.Value{"name": structpb.NewStringValue("shopify")}},
	}
}

func denied(code int32, status int) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: code, Message: "no"},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(status)}, Body: "{}",
		}},
	}
}

func marshal(t testing.TB, messages ...proto.Message) []byte {
	t.Helper()
	var all []byte
	for _, m := range messages {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...) // which merges them
	}
	return all
}

func TestReadAnswer(t *testing.T) {
	for _, row := range []struct {
		what    string
		message []byte
		want    Answer
	}{
		{"nothing", nil, Allowed()},
		{"allowed", marshal(t, allowed()), Allowed()},
		{"unauthorized", marshal(t, denied(16, 401)), Denied(401)},
		{"a scope is missing", marshal(t, denied(7, 403)), Denied(403)},
		{"too many", marshal(t, denied(8, 429)), Denied(429)},
		{"unavailable", marshal(t, denied(14, 503)), Denied(503)},
		{"a bad request", marshal(t, denied(3, 400)), Denied(400)},
		{"allowed with a denial's status", marshal(t, denied(0, 401)), Answer{0, 401}},
		{"negative", marshal(t, denied(-1, 401)), Answer{-1, 401}},
		{"the last wins", marshal(t, allowed(), denied(7, 403)), Answer{7, 403}},
		{"the last wins, and a status that isn't set stays", marshal(t, denied(7, 403), &authv3.CheckResponse{HttpResponse: allowed().HttpResponse}), Answer{7, 0}},
	} {
		got, err := ReadAnswer(row.message)
		if err != nil || got != row.want || got != generated(t, row.message) {
			t.Errorf("%s: got %v, %v, want %v, generated types say %v", row.what, got, err, row.want, generated(t, row.message))
		}
	}
}

// generated reads a message with the generated types.
func generated(t testing.TB, message []byte) Answer {
	t.Helper()
	m := &authv3.CheckResponse{}
	if err := proto.Unmarshal(message, m); err != nil {
		t.Fatal(err)
	}
	return Answer{Code: m.GetStatus().GetCode(), Status: int(m.GetDeniedResponse().GetStatus().GetCode())}
}

// What the generated types take is read alike, and nothing panics.
func TestReadAnswerOfBrokenMessages(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seeds := [][]byte{marshal(t, allowed()), marshal(t, denied(16, 401))}
	for range 20_000 {
		message := append([]byte(nil), seeds[random.IntN(len(seeds))]...)
		for range 1 + random.IntN(3) {
			message[random.IntN(len(message))] = byte(random.Uint32())
		}
		message = message[:random.IntN(len(message)+1)]
		got, err := ReadAnswer(message)
		if proto.Unmarshal(message, &authv3.CheckResponse{}) != nil {
			continue
		}
		if want := generated(t, message); err != nil || got != want {
			t.Fatalf("%x: got %v, %v, want %v", message, got, err, want)
		}
	}
}

func TestReadAnswerAllocatesNothing(t *testing.T) {
	message := marshal(t, denied(16, 401))
	if n := testing.AllocsPerRun(100, func() { _, _ = ReadAnswer(message) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
